"""`route`: for each worker of a model, may it get traffic, why not, and its share."""

from __future__ import annotations

from typing import Any

import click

from app.cli.opened import opened


@click.command()
@click.argument("model")
@click.option("--url", help="Ask the server there, which also knows what its calls taught it.")
def route(model: str, url: str | None) -> None:
    """Explain where a model's requests go.

    For each worker of MODEL: may it get traffic, why not, and its share, from the database. A running server also
    leaves out, for a while, workers that refused, failed or put off its own calls: --url asks it.
    """
    from app.cli import wording
    from app.cli.table import Column, show

    rows = _asked(url, model) if url else _read(model)
    columns = (
        Column("id", right=True),
        Column("url", long=True),
        Column("weight", right=True),
        Column("share", right=True),
        Column("status"),
        Column("why", long=True),
    )
    show(
        columns,
        [
            (
                str(row["id"]),
                wording.place(row),
                str(row["weight"]),
                wording.share(row),
                wording.state(row["status"]),
                row["why"],
            )
            for row in rows
        ],
    )


def _read(model: str) -> list[dict[str, Any]]:
    with opened() as rollcall:
        return rollcall.registry.route(model)


def _asked(url: str, model: str) -> list[dict[str, Any]]:
    from app.cli.server import Server

    return Server(url).rows("/api/server/route", model_name=model)
