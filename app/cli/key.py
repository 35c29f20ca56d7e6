"""`key create`, `list` and `revoke`: who may call. On the database itself, so that they need no key."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from app.cli.console import plain
from app.cli.key_words import MOST_AT_ONCE, MOST_PER_MINUTE, Words, scopes
from app.cli.opened import opened
from app.cli.purge import Duration

if TYPE_CHECKING:
    from app.core.api_keys import Key


@click.group("key")
def key_group() -> None:
    """Make, list and revoke API keys.

    The first key turns the check on, for everyone and within a second, and it stays on.
    """


def _bounds(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        click.option("--concurrency", type=click.IntRange(1, MOST_AT_ONCE), help="At most so many requests at once."),
        click.option("--owner", default="", help="With admin: registers and changes only this owner's workers."),
        click.option("--rpm", type=click.IntRange(1, MOST_PER_MINUTE), help="At most so many requests in a minute."),
    ):
        command = decorate(command)
    return command


@key_group.command()
@click.option("--scope", required=True, callback=scopes, metavar="infer|read|admin", help="What for; commas for more.")
@click.option("--models", type=Words(), help="Only these models, comma separated.")
@click.option("--expires", type=Duration(), help="When it ends: 90d, 12h, …; by default when it is revoked.")
@click.option("--name", default="", help="Whose it is, for `key list`.")
@_bounds
def create(
    scope: frozenset[Any],
    models: frozenset[str] | None,
    expires: float | None,
    name: str,
    owner: str,
    rpm: int | None,
    concurrency: int | None,
) -> None:
    """Make a key and show it, once.

    infer asks models, read lists workers and their health, admin does all of it and steers. The last line of stdout
    is the key; everything else goes to stderr.
    """
    from app.services.key_book import KeyBook, Wanted

    if owner and "admin" not in scope:
        raise click.UsageError("--owner goes with the scope admin: it bounds what a key may register and change.")
    with opened() as rollcall:
        book = KeyBook(rollcall.database, rollcall.settings)
        text, key = book.create(Wanted(scope, name, models, owner, expires, rpm, concurrency))
    until = "until it is revoked" if key.expires_at is None else f"until {_moment(key.expires_at)}"
    click.echo(f"API key {key.prefix} ({', '.join(sorted(key.scopes))}), good {until}. It is shown only now:", err=True)
    click.echo(text)


@key_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def list_keys(as_json: bool) -> None:
    """List keys with scopes and last use.

    The keys themselves are not kept, so they cannot be shown. Last uses are up to half a minute old.
    """
    from app.services.key_book import KeyBook

    with opened() as rollcall:
        found, now = KeyBook(rollcall.database, rollcall.settings).all()
    rows = [_row(key, now) for key in found]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        _show(rows)
    else:
        click.echo("There is no API key; on loopback everyone may call. `key create` makes one.")


@key_group.command()
@click.argument("prefixes", nargs=-1, required=True, metavar="KEY...")
def revoke(prefixes: tuple[str, ...]) -> None:
    """Revoke keys, within a second.

    KEY is what `key list` shows in its first column.
    """
    from app.services.key_book import KeyBook

    with opened() as rollcall:
        done = KeyBook(rollcall.database, rollcall.settings).revoke(prefixes)
    for key in done:
        click.echo(plain(f"API key {key.prefix} {f'({key.name}) ' if key.name else ''}is revoked."))


def _row(key: Key, now: float) -> dict[str, Any]:
    is_over = key.expires_at is not None and key.expires_at <= now
    return {
        "key": key.prefix,
        "name": key.name,
        "status": "revoked" if key.revoked_at is not None else "expired" if is_over else "good",
        "scopes": sorted(key.scopes),
        "models": None if key.models is None else sorted(key.models),
        "owner": key.owner,
        "rpm": key.rpm,
        "concurrency": key.concurrency,
        "created_at": _moment(key.created_at),
        "expires_at": _moment(key.expires_at),
        "last_used_at": _moment(key.last_used_at),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _show(rows: list[dict[str, Any]]) -> None:
    from app.cli.table import Column, show
    from app.cli.wording import ago

    titles = ("key", "name", "owner", "status", "scopes", "models", "rpm", "at once", "expires", "last used")
    show(
        [Column(title, right=title in ("rpm", "at once", "last used"), long=title == "models") for title in titles],
        [
            (
                *(row["key"], row["name"], row["owner"], row["status"], ",".join(row["scopes"])),
                "all" if row["models"] is None else ",".join(row["models"]),
                *("-" if row[limit] is None else str(row[limit]) for limit in ("rpm", "concurrency")),
                row["expires_at"] or "never",
                ago(row["last_used_at"]),
            )
            for row in rows
        ],
    )
