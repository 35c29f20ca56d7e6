"""Settings: read from the environment, checked once, one clear line for a bad value."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.core.errors import UpstreamError
from app.settings import NAMES, Settings, SettingsError, is_loopback, load_settings
from config import default

ROOT = Path(__file__).resolve().parent.parent


def test_the_dataclass_and_the_defaults_file_agree() -> None:
    assert load_settings({}) == Settings(database_url=load_settings({}).database_url)
    assert len(NAMES) == len(Settings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ROLLCALL_PORT", "eighty", "whole number"),
        ("ROLLCALL_PORT", "70000", "65535"),
        ("ROLLCALL_PORT", "-1", "above 0"),
        ("ROLLCALL_PORT", "tcp://10.0.0.1:8007", "whole number"),
        ("ROLLCALL_PROBE_INTERVAL_S", "0", "above 0"),
        ("ROLLCALL_PROBE_INTERVAL_S", "nan", "above 0"),
        ("ROLLCALL_TIMEOUT_S", "inf", "above 0"),
        ("ROLLCALL_HEALTH_CHECKS", "maybe", "1 or 0"),
        ("ROLLCALL_WORKER_CLASS", "sync", "gevent, gthread"),
        ("ROLLCALL_LOG_LEVEL", "loud", "debug"),
        ("ROLLCALL_ADMIN_KEY", "short", "16 to 256"),
        ("ROLLCALL_API_KEY", "with blanks", "without blanks"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_setting(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    line = str(caught.value)
    assert line.startswith(name)
    assert says in line
    assert "\n" not in line


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.9.1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "rollcall.example", "192.168.0.1", ""])
def test_what_others_may_reach(host: str) -> None:
    assert not is_loopback(host)


def test_what_our_own_settings_hold_is_no_secret_for_workers() -> None:
    settings = Settings(secret_env=("*",))
    assert settings.may_read_env("OPENAI_API_KEY")
    for name in ("DATABASE_URL", "ROLLCALL_ADMIN_KEY", "ROLLCALL_KEY_PEPPER"):
        assert not settings.may_read_env(name)


def test_keys_are_not_printed() -> None:
    secret = "a-very-secret-key"
    names = ("ROLLCALL_ADMIN_KEY", "ROLLCALL_API_KEY", "ROLLCALL_KEY_PEPPER")
    settings = load_settings(dict.fromkeys(names, secret))
    assert (settings.admin_key, settings.api_key, settings.key_pepper) == (secret,) * 3
    assert secret not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        load_settings({"ROLLCALL_ADMIN_KEY": "no key"})
    assert "no key'" not in str(caught.value)


def test_the_environment_overrides_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLCALL_PORT", "9009")
    monkeypatch.setenv("ROLLCALL_SECRET_ENV", "OPENAI_*, ANTHROPIC_API_KEY")
    settings = load_settings()
    assert settings.port == 9009
    assert settings.may_read_env("OPENAI_API_KEY")
    assert settings.may_read_env("ANTHROPIC_API_KEY")
    assert not settings.may_read_env("AWS_SECRET")


def test_no_environment_variable_is_readable_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with pytest.raises(UpstreamError) as caught:
        Settings().secret("env", "OPENAI_API_KEY")
    assert caught.value.code == "secret_unavailable"
    assert "sk-1" not in str(caught.value)


def test_an_allowed_variable_is_read_at_call_time(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(secret_env=("OPENAI_*",))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-2")
    assert settings.secret("env", "OPENAI_API_KEY") == "sk-2"


def test_core_is_importable_without_flask_or_sql() -> None:
    heavy = "{'flask', 'sqlalchemy', 'urllib3'}"
    code = f"import sys, app.core.worker, app.core.errors; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name in NAMES:
        row = next((line for line in text.splitlines() if line.startswith(f"| `{name}` |")), None)
        assert row, f"docs/settings.md has no row for {name}"
        shown = row.split("|")[2].strip().strip("`")
        assert shown == _as_documented(getattr(default, name)), f"docs/settings.md gives {shown} for {name}"


def _as_documented(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or "(empty)"
