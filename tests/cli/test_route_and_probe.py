"""`route` explains, `probe` looks; neither changes anything."""

from __future__ import annotations

import json

from tests.cli.operating import Manage, add, done, refused
from tests.fakes import FakeUpstream, json_answer, refusing_port


def test_route_says_who_gets_what_and_why_not(manage: Manage) -> None:
    add(manage, 1, weight=3)
    two = add(manage, 2)
    done(manage("drain", str(two)))
    head, first, second = done(manage("route", "m")).splitlines()
    assert head.split() == ["id", "url", "weight", "share", "status", "why"]
    assert first.split()[:6] == ["1", "http://127.0.0.1:1/generate", "3", "100", "%", "unknown"]
    assert second.split()[:5] == ["2", "http://127.0.0.1:2/generate", "1", "-", "draining"]
    assert "finishes its open requests" in second


def test_route_of_an_unknown_model_is_refused(manage: Manage) -> None:
    assert "'nobody'" in refused(manage("route", "nobody"))


def test_probe_shows_what_workers_say_and_writes_nothing(manage: Manage) -> None:
    with FakeUpstream(json_answer({})) as upstream, refusing_port() as dead:
        add(manage, upstream.port)
        add(manage, dead)
        before = manage("list-workers", "--json").stdout
        head, first, second = done(manage("probe", ROLLCALL_PROBE_TIMEOUT_S="20")).splitlines()
    assert head.split() == ["id", "model", "url", "answer", "took", "error"]
    assert first.split()[3] == "up"
    assert second.split()[3] == "down"
    assert "refused" in second
    assert upstream.requests[0].method == "GET"
    assert manage("list-workers", "--json").stdout == before
    assert json.loads(before)[0]["last_probe_at"] is None


def test_probe_asks_the_named_ones_also_when_offline(manage: Manage) -> None:
    with FakeUpstream(json_answer({})) as upstream:
        one, two = add(manage, upstream.port), add(manage, upstream.port, instance="b")
        done(manage("offline", str(one), str(two)))
        assert done(manage("probe")) == "There is no worker to probe.\n"
        assert len(done(manage("probe", str(two))).splitlines()) == 2
    assert len(upstream.requests) == 1


def test_probe_of_an_unknown_worker_is_refused(manage: Manage) -> None:
    assert "no worker 5" in refused(manage("probe", "5"))
