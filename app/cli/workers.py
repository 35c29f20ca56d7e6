"""`list-workers`: every worker with its intent, health and share, from the database, with or without a server."""

from __future__ import annotations

import json
from typing import Any, get_args

import click

from app.cli.opened import opened
from app.core.worker import Status


@click.command("list-workers")
@click.option("--model", "model_name", help="Only the workers of this model.")
@click.option("--status", type=click.Choice(get_args(Status)), help="Only workers with this standing.")
@click.option("--url", help="Ask the server there, which also knows what its calls taught it.")
@click.option("--json", "as_json", is_flag=True, help="The rows of GET /api/server/workers as a JSON list.")
def list_workers(model_name: str | None, status: Status | None, url: str | None, as_json: bool) -> None:
    """List workers with health and share.

    Works on the database, so with and without a running server. Piped, each worker is one line.
    """
    rows = _asked(url, model_name, status) if url else _read(model_name, status)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        _show(rows)
    else:
        click.echo("No worker matches." if model_name or status else "No worker is registered.")


def _read(model_name: str | None, status: Status | None) -> list[dict[str, Any]]:
    from app.services.listing import Query

    with opened() as rollcall:
        return rollcall.registry.page(Query(model_name=model_name, status=status)).rows


def _asked(url: str, model_name: str | None, status: Status | None) -> list[dict[str, Any]]:
    from app.cli.server import Server

    return Server(url).rows("/api/server/workers", model_name=model_name, status=status)


def _show(rows: list[dict[str, Any]]) -> None:
    from app.cli import wording
    from app.cli.table import Column, show

    columns = (
        Column("id", right=True),
        Column("model"),
        Column("url", long=True),
        Column("weight", right=True),
        Column("share", right=True),
        Column("admin"),
        Column("health"),
        Column("last seen", right=True),
        Column("last error", long=True),
    )
    show(
        columns,
        [
            (
                str(row["id"]),
                row["model_name"],
                wording.place(row),
                str(row["weight"]),
                wording.share(row),
                wording.intent(row),
                wording.health(row),
                wording.ago(row["last_ok_at"]),
                wording.error(row),
            )
            for row in rows
        ],
    )
