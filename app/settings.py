"""Settings: names and defaults from config/default.py, values from the environment, checked once and frozen."""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import click

from app.core.api_keys import LONGEST
from app.core.errors import UpstreamError
from app.core.targets import Targets, compile_targets
from config import default

ROOT = Path(__file__).resolve().parent.parent
SHORTEST_ADMIN_KEY = 16
KEY_BYTES = 32
NAMES = tuple(name for name in vars(default) if name == "DATABASE_URL" or name.startswith("ROLLCALL_"))


class SettingsError(click.ClickException, ValueError):
    """A setting with a value that cannot be used; the message is one line that names it.

    A ClickException, so that `flask …` and `manage.py …` both show the line and no traceback.
    """


@dataclass(frozen=True, slots=True)
class Settings:
    """Lower-case names of the settings in config/default.py; seconds and bytes."""

    database_url: str = ""
    var: Path = ROOT / "var"
    host: str = "127.0.0.1"
    port: int = 8007
    admin_key: str = field(default="", repr=False)
    key_pepper: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    processes: int = 0
    worker_class: str = "gevent"
    threads: int = 64
    drain_delay: float = 0.0
    grace_s: float = 30.0
    log_level: str = "info"
    secret_key: tuple[str, ...] = field(default=(), repr=False)
    secret_env: tuple[str, ...] = ()
    outgoing_allow: tuple[str, ...] = ()
    outgoing_deny: tuple[str, ...] = ()
    max_body_bytes: int = 2_000_000
    max_reply_bytes: int = 32_000_000
    connect_timeout_s: float = 3.0
    timeout_s: float = 600.0
    stream_idle_s: float = 300.0
    keep_alive_s: float = 15.0
    max_attempts: int = 3
    retry_percent: float = 20.0
    retry_floor: int = 3
    idle_connection_s: float = 4.0
    health_checks: bool = True
    probe_interval_s: float = 2.0
    probe_timeout_s: float = 1.0
    probe_fall: int = 3
    probe_rise: int = 2
    probe_parallel: int = 32
    lease_s: float = 4.0
    fleet_poll_s: float = 0.1
    eject_after: int = 3
    eject_s: float = 30.0
    eject_max_s: float = 300.0
    bench_s: float = 2.0
    slow_start_s: float = 30.0
    job_parallel: int = 32
    media_dir: Path | None = None
    media_max_bytes: int = 200_000_000
    media_keep_s: float = 604_800.0

    @property
    def media_folder(self) -> Path:
        return self.media_dir or self.var / "media"

    @property
    def default_database_url(self) -> str:
        return f"sqlite:///{self.var / 'rollcall.db'}"

    @property
    def targets(self) -> Targets:
        """Where this server may call. Raises ValueError for lists that cannot be read."""
        return compile_targets(self.outgoing_allow, self.outgoing_deny, is_loopback(self.host), self.port)

    def may_read_env(self, name: str) -> bool:
        """May a registration read this environment variable as ${env:NAME}?"""
        if name == "DATABASE_URL" or name.startswith("ROLLCALL_"):
            return False  # our own secrets, whatever the patterns say
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.secret_env)

    def secret(self, kind: str, name: str) -> str:
        """The value behind ${kind:NAME} at call time; UpstreamError `secret_unavailable` where there is none."""
        value = os.environ.get(name) if kind == "env" and self.may_read_env(name) else None
        if not value:
            raise UpstreamError(
                f"The worker needs ${{{kind}:{name}}}, which is not set or not allowed by ROLLCALL_SECRET_ENV.",
                code="secret_unavailable",
            )
        return value


def load_settings(values: Mapping[str, Any] | None = None) -> Settings:
    """Settings from `values` (by default: config/default.py under the environment); raises SettingsError."""
    given = from_environment() if values is None else values
    known: dict[str, Any] = {}
    for each in fields(Settings):
        name = "DATABASE_URL" if each.name == "database_url" else f"ROLLCALL_{each.name.upper()}"
        known[each.name] = _read(name, given.get(name, getattr(default, name)))
    if not known["database_url"]:
        known["database_url"] = f"sqlite:///{known['var'] / 'rollcall.db'}"
    settings = Settings(**known)
    _check_targets(settings)
    return settings


def from_environment() -> dict[str, Any]:
    return {name: os.environ.get(name, getattr(default, name)) for name in NAMES}


def _read(name: str, value: Any) -> Any:
    """The value in the type of its default; text comes from the environment."""
    if name == "ROLLCALL_VAR":
        return Path(value).expanduser().resolve() if value else ROOT / "var"
    if name == "ROLLCALL_MEDIA_DIR":
        return Path(value).expanduser().resolve() if value else None
    if name in _LISTS:
        parts = value.split(",") if isinstance(value, str) else value
        listed = tuple(part.strip() for part in parts if part.strip())
        return tuple(map(_key, listed)) if name == "ROLLCALL_SECRET_KEY" else listed
    if name in ("ROLLCALL_ADMIN_KEY", "ROLLCALL_API_KEY"):
        return _api_key(name, str(value).strip())
    if name in _CHOICES:
        return _choice(name, str(value).lower())
    kind = type(getattr(default, name))
    if kind is bool:
        return _flag(name, value)
    return value if kind is str else _number(name, value, kind)


_LISTS = (
    *("ROLLCALL_ALLOWED_HOSTS", "ROLLCALL_CORS_ORIGINS", "ROLLCALL_SECRET_ENV", "ROLLCALL_SECRET_KEY"),
    *("ROLLCALL_OUTGOING_ALLOW", "ROLLCALL_OUTGOING_DENY"),
)
_CHOICES = {
    "ROLLCALL_WORKER_CLASS": ("gevent", "gthread"),
    "ROLLCALL_LOG_LEVEL": ("debug", "info", "warning", "error"),
}
_MAY_BE_ZERO = (
    *("ROLLCALL_PORT", "ROLLCALL_PROCESSES", "ROLLCALL_DRAIN_DELAY", "ROLLCALL_GRACE_S", "ROLLCALL_SLOW_START_S"),
    *("ROLLCALL_KEEP_ALIVE_S", "ROLLCALL_RETRY_PERCENT", "ROLLCALL_RETRY_FLOOR"),
)


def _choice(name: str, value: str) -> str:
    if value not in _CHOICES[name]:
        raise SettingsError(f"{name} is {value!r}; use one of: {', '.join(_CHOICES[name])}.")
    return value


def _api_key(name: str, value: str) -> str:
    """The message does not show it."""
    least = SHORTEST_ADMIN_KEY if name == "ROLLCALL_ADMIN_KEY" else 1
    if value and not (least <= len(value) <= LONGEST and value.isascii() and value.isprintable() and " " not in value):
        raise SettingsError(f"{name} is no key: use {least} to {LONGEST} ASCII characters without blanks.")
    return value


def _key(text: str) -> str:
    """As cryptography's Fernet takes it. The message does not show it."""
    key = text.replace("+", "-").replace("/", "_")
    with contextlib.suppress(ValueError):
        if len(base64.urlsafe_b64decode(key)) == KEY_BYTES:
            return key
    raise SettingsError(
        "ROLLCALL_SECRET_KEY is no key: use 32 random bytes in base64, as `openssl rand -base64 32` prints them."
    )


def _flag(name: str, value: Any) -> bool:
    text = str(value).strip().lower()
    if text not in ("1", "0", "true", "false", "yes", "no", "on", "off", ""):
        raise SettingsError(f"{name} is {value!r}; use 1 or 0.")
    return text in ("1", "true", "yes", "on")


def _number(name: str, value: Any, kind: type[int] | type[float]) -> int | float:
    try:
        number = kind(value)
    except (TypeError, ValueError):
        raise SettingsError(f"{name} is {value!r}; use a {'whole ' if kind is int else ''}number.") from None
    top = 65_535 if name == "ROLLCALL_PORT" else 10**9
    if not (0 <= number <= top) or (number == 0 and name not in _MAY_BE_ZERO):
        raise SettingsError(f"{name} is {value!r}; use a number above 0 and up to {top}.")
    return number


def _check_targets(settings: Settings) -> None:
    try:
        _ = settings.targets
    except ValueError as error:
        raise SettingsError(str(error)) from None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
