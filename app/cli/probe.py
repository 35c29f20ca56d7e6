"""`probe`: ask workers now, as the health checks do, and show what they say. Nothing is written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from app.cli.opened import opened
from app.core.errors import NotFound, RollcallError

if TYPE_CHECKING:
    from app.core.worker import Worker
    from app.services.rollcall import Rollcall
    from app.upstream.probe import ProbeResult

    Timed = tuple[ProbeResult, float]


@click.command()
@click.argument("ids", nargs=-1, type=click.IntRange(min=1))
def probe(ids: tuple[int, ...]) -> None:
    """Probe workers now; writes nothing.

    Asks worker IDS, or all that are not offline, as the health checks do, and shows what they say.
    """
    with opened() as rollcall:
        workers = _chosen(rollcall, ids)
        with ThreadPoolExecutor(rollcall.settings.probe_parallel) as pool:
            results = list(pool.map(_prober(rollcall), workers))
    if workers:
        _show(workers, results)
    else:
        click.echo("There is no worker to probe.")


def _chosen(rollcall: Rollcall, ids: Sequence[int]) -> list[Worker]:
    rollcall.fleet.refresh()
    known = rollcall.fleet.snapshot().workers
    for worker_id in ids:
        if worker_id not in known:
            raise NotFound(f"There is no worker {worker_id}; list-workers shows those there are.")
    return [known[worker_id] for worker_id in ids or sorted(known) if ids or known[worker_id].admin != "offline"]


def _prober(rollcall: Rollcall) -> Callable[[Worker], Timed]:
    from app.upstream.probe import ProbeResult

    def ask(worker: Worker) -> Timed:
        started = time.monotonic()
        try:
            result = rollcall.prober.probe(worker, rollcall.settings.secret)
        except RollcallError as error:
            result = ProbeResult(ok=False, error=error.message)
        return result, time.monotonic() - started

    return ask


def _show(workers: Sequence[Worker], results: Sequence[Timed]) -> None:
    from app.cli import wording
    from app.cli.table import Column, show
    from app.services.masking import masked_url

    verdicts = {True: "up", False: "down", None: "unknown"}
    columns = (
        Column("id", right=True),
        Column("model"),
        Column("url", long=True),
        Column("answer"),
        Column("took", right=True),
        Column("error", long=True),
    )
    show(
        columns,
        [
            (
                str(worker.id),
                worker.model_name,
                masked_url(worker.url),
                wording.state(verdicts[result.ok]),
                f"{took * 1000:.0f} ms",
                result.error or "",
            )
            for worker, (result, took) in zip(workers, results, strict=True)
        ],
    )
