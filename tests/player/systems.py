"""Model services as data: how one is registered, what it replies, and what must come out of that.

A record is one of registrations.json; it may say more: `want_err`, the words of its error that a caller must see;
`health`, its reply to a probe; `token`, its reply to the token exchange and the token in it; `download`, the bytes
of its media as text; and a `note`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KNOWN_FILE = HERE.parent / "core" / "registrations.json"
_HOST = re.compile(r"https?://[^/?#\"\s\\]+")
_SECRET = re.compile(r"\$\{env:(\w+)\}")


@dataclass(frozen=True)
class System:
    id: str
    registration: dict[str, Any]
    sample: str | None = None
    frames: str | None = None
    want: Any = None
    want_stream: Any = None
    job: dict[str, Any] | None = None
    err: str | None = None
    want_err: str = ""
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
        return self.download.encode()

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
    records = json.loads(path.read_text(encoding="utf-8"))
    return [System(**record, **(beside or {}).get(record["id"], {})) for record in records]


def secret_of(name: str) -> str:
    """What ${env:NAME} gives in these tests."""
    return f"value-of-{name}"


def secrets_in(text: str) -> set[str]:
    return set(_SECRET.findall(text))


def with_secrets(text: str) -> str:
    return _SECRET.sub(lambda found: secret_of(found[1]), text)


BESIDE: dict[str, dict[str, Any]] = json.loads((HERE / "beside.json").read_text(encoding="utf-8"))
KNOWN = read(KNOWN_FILE, BESIDE)
MORE = read(HERE / "more.json")
INVENTED = read(HERE / "invented.json")
