"""How soon an upstream call ends when its client leaves: 200 of them under each process kind, plain and TLS.

usage: python -m tests.faults.departures
"""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from pathlib import Path

import trustme

from tests.databases import upgrade
from tests.fakes import Behaviour, Exchange, Gone
from tests.served.leaving import PLAIN_WAYS, STREAM_WAYS, Rig, leaving

DEPARTURES = 200
EACH = 5
# A client leaves at any moment of the watchdog's round, and before it was first looked at.
LONGEST_STAY_S = 0.2


def departures(kind: str, folder: Path, count: int = DEPARTURES) -> list[float]:
    """The seconds from each client's close to the upstream's end, the shortest first. `folder` is a new one."""
    authority = trustme.CA()
    template = folder / "template.db"
    upgrade(f"sqlite:///{template}")
    took: list[float] = []
    ways = itertools.product((False, True), [(way, False) for way in PLAIN_WAYS] + [(way, True) for way in STREAM_WAYS])
    with leaving(template, folder / "var", kind, authority) as server:
        rig = Rig(server, authority)
        for tls, (way, stream) in itertools.cycle(list(ways)):
            if len(took) >= count:
                return sorted(took)
            took += _left(rig, (STREAM_WAYS if stream else PLAIN_WAYS)[way], tls=tls, stream=stream)
    raise AssertionError


def _left(rig: Rig, behaviour: Behaviour, *, tls: bool, stream: bool) -> list[float]:
    ended: list[float] = []

    def noted(exchange: Exchange) -> None:
        try:
            behaviour(exchange)
        except Gone:
            ended.append(time.monotonic())
            raise

    took = []
    with rig.model(noted, tls=tls) as (model, upstream):
        for number in range(1, EACH + 1):
            client = rig.ask(model, stream=stream)
            upstream.wait_requests(number)
            time.sleep(random.random() * LONGEST_STAY_S)
            began = time.monotonic()
            client.leave()
            upstream.wait_left(number)
            took.append(ended[-1] - began)
    return took


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


if __name__ == "__main__":
    for kind in ("gevent", "gthread"):
        with tempfile.TemporaryDirectory() as folder:
            took = departures(kind, Path(folder))
        half, most, worst = (1000 * percentile(took, share) for share in (0.5, 0.99, 1.0))
        print(f"{kind}: {len(took)} left, p50 {half:.0f} ms, p99 {most:.0f} ms, worst {worst:.0f} ms")
