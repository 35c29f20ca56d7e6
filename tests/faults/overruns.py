"""What workers that drip, flood or bomb cost beyond their deadline and beyond the cap, under each process kind.

usage: python -m tests.faults.overruns
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.databases import upgrade
from tests.fakes import Behaviour, openai_answer, tls_context
from tests.memory import MIB, MemoryWatch
from tests.served.leaving import CHUNKED, Rig, leaving
from tests.served.overrunning import LATE, TOO_MUCH
from tests.served.slow_tls import DrippingTls
from tests.served.toys import openai_worker, question

TIMEOUT_S = 2.0
CAP = 32_000_000


@dataclass(frozen=True)
class Overrun:
    """`late_s` beyond the deadline, `growth` in bytes."""

    way: str
    status: int
    late_s: float
    growth: int


def overruns(kind: str, folder: Path) -> list[Overrun]:
    """One of each way. `folder` is a new one."""
    authority = trustme.CA()
    template = folder / "template.db"
    upgrade(f"sqlite:///{template}")
    with leaving(template, folder / "var", kind, authority) as server:
        rig = Rig(server, authority)
        _of_replies(rig, "", openai_answer("what is loaded by the first call is no growth"))
        seen = [_of_replies(rig, way, behaviour) for way, behaviour in {**LATE, **TOO_MUCH}.items()]
        return seen + [_of_tls(rig, authority, handshake) for handshake in (False, True)]


def _of_replies(rig: Rig, way: str, behaviour: Behaviour) -> Overrun:
    with rig.model(behaviour, timeout_s=TIMEOUT_S) as (model, _):
        return _overrun(rig, way, model)


def _of_tls(rig: Rig, authority: trustme.CA, handshake: bool) -> Overrun:
    with DrippingTls(tls_context(authority), CHUNKED + b" " * 9000, handshake=handshake) as worker:
        name = f"drips-{handshake}"
        rig.server.register(**openai_worker(name, f"https://127.0.0.1:{worker.port}/v1", timeout_s=TIMEOUT_S))
        return _overrun(rig, f"TLS that drips {'from its handshake' if handshake else 'a record'}", name)


def _overrun(rig: Rig, way: str, model: str) -> Overrun:
    with MemoryWatch(rig.server) as watch:
        began = time.monotonic()
        answer = rig.server.ask("POST", "/v1/chat/completions", {**question(model), "stream": True})
        took = time.monotonic() - began
    return Overrun(way, answer.status, took - TIMEOUT_S, watch.growth)


if __name__ == "__main__":
    for kind in ("gevent", "gthread"):
        with tempfile.TemporaryDirectory() as folder:
            seen = overruns(kind, Path(folder))
        late, grown = max(seen, key=lambda each: each.late_s), max(seen, key=lambda each: each.growth)
        print(
            f"{kind}: latest {late.late_s:+.2f} s ({late.way}), most memory {grown.growth / MIB:.0f} MiB ({grown.way})"
        )
