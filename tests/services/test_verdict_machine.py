"""Any sequence of events: no healthy worker is left unserved, nobody is asked who must not be, everyone comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.core.errors import RollcallError
from app.core.live import is_resting
from app.core.selection import Pool
from app.core.worker import Admin, Health, Probe, Worker
from app.services import routing
from app.services.fleet import Fleet
from app.services.routing import Router
from app.services.verdicts import Verdicts
from app.settings import Settings
from app.upstream.client import SendFailure, UpstreamReply
from tests.services.routes import Workers, chat, worker

BEHAVIOURS = ("well", "failing", "refusing", "busy", "very busy", "blaming")
IDS = st.integers(1, 4)
LONGEST_S = 301.0


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


class World(RuleBasedStateMachine):
    """A router without sockets: a worker does as it is told, and the clock stands until a rule moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.asked: list[int] = []
        self.does = dict.fromkeys(range(1, 5), "well")
        self.verdicts = Verdicts(clock=self.clock.monotonic)
        workers = tuple(
            worker(number, f"http://127.0.0.1:{number}/", weight=weight)
            for number, weight in ((1, 1), (2, 3), (3, 1), (4, 0))
        )
        self.fleet = Workers(workers)
        self.router = Router(cast(Fleet, self.fleet), cast(Any, self), self.verdicts, Settings(), lambda kind, name: "")
        self._real_time, routing.time = routing.time, cast(Any, self.clock)  # type: ignore[attr-defined]

    def teardown(self) -> None:
        routing.time = self._real_time  # type: ignore[attr-defined]

    # the client of the router

    def send(self, request: Any, *, deadline: float) -> UpstreamReply:
        number = int(request.url.rsplit(":", 1)[1].strip("/"))
        self.asked.append(number)
        self.clock.now += 0.01
        match self.does[number]:
            case "failing":
                raise SendFailure("reset", "gone", sent=True)
            case "refusing":
                raise SendFailure("refused", "connection refused", sent=False)
            case "busy":
                return UpstreamReply(429, {}, b"{}")
            case "very busy":
                return UpstreamReply(503, {"retry-after": "120"}, b"{}")
            case "blaming":
                return UpstreamReply(400, {}, b"{}")
        return UpstreamReply(200, {"content-type": "application/json"}, b'{"answer": "well"}')

    def ask(self) -> int | None:
        """Who answered, be it that the request is to blame."""
        try:
            return self.router.complete(chat()).worker_id
        except RollcallError as error:
            return error.worker_id if error.status == 400 else None

    # what may happen

    @rule(number=IDS, behaviour=st.sampled_from(BEHAVIOURS))
    def behave(self, number: int, behaviour: str) -> None:
        self.does[number] = behaviour

    @rule(times=st.integers(1, 12))
    def requests(self, times: int) -> None:
        for _ in range(times):
            self.asked.clear()
            self.ask()
            assert len(self.asked) == len(set(self.asked)) <= 3
            for number in self.asked:
                asked = self.worker(number)
                assert asked.admin == "enabled", "sent to a worker that an operator took out"
                assert not asked.expired

    @rule(behaviours=st.tuples(*[st.sampled_from(BEHAVIOURS)] * 4), seconds=st.sampled_from([0.0, 2.0, 34.0, 70.0]))
    def storm(self, behaviours: tuple[str, ...], seconds: float) -> None:
        """All change at once, and there is load: single events seldom lead deep into trouble."""
        self.clock.now += seconds
        self.does = dict(enumerate(behaviours, 1))
        self.requests(12)

    @rule(numbers=st.sets(IDS, min_size=2))
    def fail_together(self, numbers: set[int]) -> None:
        for number in numbers:
            for _ in range(3):
                self.clock.now += 0.01
                self.verdicts.failed(self.worker(number), self.clock.now)

    @rule(seconds=st.sampled_from([0.1, 1.0, 2.0, 10.0, 31.0, 100.0, LONGEST_S]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(number=IDS, admin=st.sampled_from(["enabled", "draining", "offline"]))
    def operate(self, number: int, admin: Admin) -> None:
        self.become(number, admin=admin)

    @rule(number=IDS, expired=st.booleans())
    def expire(self, number: int, expired: bool) -> None:
        self.become(number, expired=expired)

    @rule(number=IDS, probe=st.sampled_from(["up", "down", "unknown"]))
    def probes_say(self, number: int, probe: Probe) -> None:
        self.become(number, health=Health(probe=probe))

    @rule(number=IDS)
    def trial_hangs(self, number: int) -> None:
        """Nothing is heard of it again."""
        self.fail_together({number})
        self.clock.now += 34
        self.verdicts.started_trial(self.worker(number))

    @rule(numbers=st.sets(IDS, min_size=1, max_size=2))
    def only_these_are_left(self, numbers: set[int]) -> None:
        for number in self.does:
            self.become(number, admin="enabled" if number in numbers else "offline")

    @rule(number=IDS)
    def old_call_ends(self, number: int) -> None:
        self.verdicts.failed(self.worker(number), self.clock.now - 50)

    # what always holds

    @invariant()
    def no_more_than_half_is_ejected(self) -> None:
        look = self.verdicts.look(self.pool)
        lives = look.lives.items()
        ejected = {
            id for id, live in lives if live.state in ("ejected", "half-open") and not is_resting(live, look.now)
        }
        assert 2 * len((look.out | look.on_trial) & ejected) <= len(self.pool.eligible)

    @rule()
    def a_healthy_worker_is_served(self) -> None:
        """Wherever one answers, requests are answered soon; only a pause that it named keeps it from that."""
        wanted = [each for each in self.pool.workers if self._is_well(each)]
        if wanted and not any(self._paused(each) for each in wanted):
            begun = self.clock.now
            for _ in range(80):
                if self.ask() is not None:
                    break
                self.clock.now += 0.2
            else:
                raise AssertionError(f"unserved for {self.clock.now - begun:.0f} s: {self.verdicts.live}")

    @rule()
    def everyone_comes_back(self) -> None:
        """Once all is well, all get their share again, within the longest time out and a few requests."""
        for number in self.does:
            self.does[number] = "well"
        for _ in range(3):
            self.clock.now += LONGEST_S
            for _ in range(60):
                self.ask()
        look = self.verdicts.look(self.pool)
        weighted = {each.id for each in self.pool.workers if each.weight or len(self.pool.eligible) == 1}
        assert not (look.out | look.on_trial) & weighted
        assert self.verdicts.look(self.pool).out == frozenset()

    # how it is done

    @property
    def pool(self) -> Pool:
        return self.fleet.pools["m"]

    def worker(self, number: int) -> Worker:
        return next(each for each in self.pool.workers if each.id == number)

    def become(self, number: int, **fields: Any) -> None:
        old = self.worker(number)
        new = replace(old, **fields)
        self.fleet.pools["m"] = Pool("m", [new if each.id == number else each for each in self.pool.workers])
        self.verdicts.changed(old, new)

    def _is_well(self, each: Worker) -> bool:
        return each.id in self.pool.eligible and self.does[each.id] in ("well", "blaming")

    def _paused(self, each: Worker) -> bool:
        live = self.verdicts.look(self.pool).lives.get(each.id)
        return live is not None and live.asked_for


World.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestWorld = World.TestCase
