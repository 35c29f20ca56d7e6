"""`presets`: the registrations that ship with Rollcall."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command("presets")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="All of them, as GET /api/server/presets does.")
def list_presets(name: str | None, as_json: bool) -> None:
    """List the presets, or show the one called NAME.

    `register --preset NAME` registers it; --url, --model, --key and every other word go on top.
    """
    from app.services.presets import find, presets

    if name is not None:
        click.echo(json.dumps(asdict(find(name)), indent=2, ensure_ascii=False))
    elif as_json:
        click.echo(json.dumps([asdict(each) for each in presets().values()], indent=2, ensure_ascii=False))
    else:
        _show()


def _show() -> None:
    from app.cli.table import Column, show
    from app.services.presets import presets

    columns = (Column("preset"), Column("task"), Column("usual model"), Column("what it is", long=True))
    rows = [(each.name, each.task, each.registration["model_name"], each.summary) for each in presets().values()]
    show(columns, rows)
