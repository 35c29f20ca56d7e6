"""`purge`: remove for good what has been offline for long enough."""

from __future__ import annotations

import re

import click

from app.cli.opened import opened

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Duration(click.ParamType[float]):
    """30d, 12h, 45m, 90s, 2w, as seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = re.fullmatch(r"(\d{1,9})([smhdw])", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no duration; use one like 30d, 12h, 45m or 90s.", param, ctx)
        return float(int(found[1]) * _UNITS[found[2]])


@click.command()
@click.option("--offline-for", required=True, type=Duration(), help="How long they must have been offline: 30d, 12h, …")
def purge(offline_for: float) -> None:
    """Remove workers long offline.

    What operators took offline that long ago is deleted for good, with its history.
    """
    with opened() as rollcall:
        removed = rollcall.registry.purge(offline_for)
    if not removed:
        click.echo("No worker has been offline for that long; nothing was removed.")
        return
    ids = ", ".join(str(worker_id) for worker_id in removed)
    click.echo(f"Removed {len(removed)} worker{'s' if len(removed) > 1 else ''}: {ids}.")
