from __future__ import annotations

from app.services.bench import BENCH_S, Bench


def test_on_the_bench_for_a_while_and_asked_for_once() -> None:
    now = [100.0]
    bench = Bench(lambda: now[0])
    assert not bench
    bench.refused(2)
    bench.refused(1)
    bench.refused(2)
    assert (1 in bench, bench.is_benched(2), 3 in bench, sorted(bench), len(bench)) == (True, True, False, [1, 2], 2)
    assert bench.drain_requests() == [1, 2]
    assert bench.drain_requests() == []
    now[0] += BENCH_S
    assert (1 in bench, bench.active(), len(bench)) == (False, frozenset(), 0)


def test_refused_again_stays_longer_and_is_asked_for_again() -> None:
    now = [100.0]
    bench = Bench(lambda: now[0])
    bench.refused(1)
    bench.drain_requests()
    now[0] += BENCH_S / 2
    bench.refused(1)
    now[0] += BENCH_S / 2
    assert (bench.is_benched(1), bench.drain_requests()) == (True, [1])
