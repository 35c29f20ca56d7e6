"""`route`: for each worker of a model, may it get traffic, why not, and its share."""

from __future__ import annotations

import click

from app.cli.opened import opened


@click.command()
@click.argument("model")
def route(model: str) -> None:
    """Explain where a model's requests go.

    For each worker of MODEL: may it get traffic, why not, and its share, from the database. A running server also
    skips, for a moment, a worker that just refused it a connection.
    """
    from app.cli import wording
    from app.cli.table import Column, show

    with opened() as rollcall:
        rows = rollcall.registry.route(model)
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
