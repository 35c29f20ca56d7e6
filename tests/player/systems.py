"""Model services as data: how one is registered, what it replies, and what must come out of that.

A record is one of registrations.json. It may say more: `want_err` and `want_failed`, words that a caller must see of
its error and its job's failure; `err_retried`, its `retry_when` holds for the error; `health`, its reply to a probe;
`token`, its reply to the token exchange and the token in it; `sample_type`, the Content-Type of its sample, and
`framing`, of its frames where the registration does not say; `download`, the bytes of its media as text. Instead of
`registration` it may name the `preset` that it is registered with.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.services.presets import presets

HERE = Path(__file__).parent
KNOWN_FILE = HERE.parent / "core" / "registrations.json"
_HOST = re.compile(r"https?://[^/?#\"\s\\]+")
_SECRET = re.compile(r"\$\{env:(\w+)\}")
_NAME = re.compile(r"\benv:([A-Z]\w+)")


@dataclass(frozen=True)
class System:
    id: str
    registration: dict[str, Any]
    sample: str | None = None
    sample_type: str = "application/json"
    frames: str | None = None
    framing: str = "sse"
    want: Any = None
    want_stream: Any = None
    job: dict[str, Any] | None = None
    err: str | None = None
    want_err: str = ""
    err_retried: bool = False
    want_failed: str = ""
    health: Any = field(default_factory=dict)
    token: dict[str, str] | None = None
    download: str = "the bytes of it"
    src: str = ""

    @property
    def task(self) -> str:
        task: str = self.registration.get("task", "text")
        return task

    @property
    def media(self) -> bytes:
        """What is at each of its links."""
        return self.download.encode()

    @property
    def made(self) -> list[bytes]:
        """The images or videos of one call."""
        found = self.job["result"] if self.job else self.want[0]
        texts = found if isinstance(found, list) else [found]
        whole = self.registration.get("output", {}).get("as") in ("b64", "binary")
        return [base64.b64decode(text) if whole else self.media for text in texts]

    def registered_as(self, registration: Mapping[str, Any]) -> System:
        return replace(self, registration=dict(registration))

    def at(self, origin: str) -> System:
        """The same system with `origin` in place of every host, in what it is registered with and what it says."""
        words = {name: value for name, value in vars(self).items() if name not in ("id", "src")}
        return System(self.id, **moved(words, origin), src=self.src)

    def hurried(self) -> System:
        """Asked about its jobs again and again without the seconds that a real one needs."""
        if "job" not in self.registration:
            return self
        job = {**self.registration["job"], "interval_s": 0.05}
        return replace(self, registration={**self.registration, "job": job})


def moved(value: Any, origin: str) -> Any:
    if isinstance(value, dict):
        return {name: moved(each, origin) for name, each in value.items()}
    if isinstance(value, list):
        return [moved(each, origin) for each in value]
    return _HOST.sub(lambda _: origin, value) if isinstance(value, str) else value


def read(path: Path, beside: dict[str, dict[str, Any]] | None = None) -> list[System]:
    """`beside`: what is known of a system and does not stand in the file."""
    records = [{**record, **(beside or {}).get(record["id"], {})} for record in _json(path)]
    return [System(**_with_words(record)) for record in records]


def _with_words(record: dict[str, Any]) -> dict[str, Any]:
    preset = record.pop("preset", None)
    return {**record, "registration": dict(presets()[preset].registration)} if preset else record


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def secret_of(name: str) -> str:
    """What ${env:NAME} gives in these tests."""
    return f"value-of-{name}"


def secrets_in(text: str) -> set[str]:
    return set(_NAME.findall(text))


def with_secrets(text: str) -> str:
    return _SECRET.sub(lambda found: secret_of(found[1]), text)


KNOWN = read(KNOWN_FILE, _json(HERE / "beside.json"))
MORE = read(HERE / "more.json")
INVENTED = read(HERE / "invented.json")
PLAYED_BY: dict[str, str] = _json(HERE / "presets.json")


def played_by(preset: str) -> System:
    """What replies as the preset's system does; it is registered in other words, perhaps."""
    return next(system for system in (*KNOWN, *MORE) if system.id == PLAYED_BY[preset])
