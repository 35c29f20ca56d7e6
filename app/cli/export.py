"""`export` and `apply`: all registrations as one file that people can read, review and keep in git."""

from __future__ import annotations

from collections import Counter
from typing import IO, Any

import click

from app.cli.console import plain
from app.cli.opened import opened
from app.cli.refusal import Refused

_SIGNS = {"created": "+", "updated": "~", "removed": "-", "left": "?", "unchanged": "="}


@click.command()
def export() -> None:
    """Write all registrations as YAML.

    Secrets are masked; `apply` keeps what is stored for a masked value.
    """
    from app.cli.yaml_text import write_yaml
    from app.services.exporting import export as exported

    with opened() as rollcall:
        registrations, left_out = exported(rollcall.database)
    if left_out:
        click.echo(f"Left out: {left_out} with a time limit; those register themselves again.", err=True)
    click.echo(write_yaml({"registrations": registrations}), nl=False)


@click.command()
@click.option("-f", "--file", "source", type=click.File("rb"), required=True, help="What `export` wrote; - for stdin.")
@click.option("--prune", is_flag=True, help="Take workers offline that are not in the file.")
@click.option("--dry-run", is_flag=True, help="Show what would change; store nothing.")
def apply(source: IO[bytes], prune: bool, dry_run: bool) -> None:
    """Make the registry equal to a file.

    All of it or nothing. A value of *** keeps what is stored; an entry may name a preset.
    """
    from app.api.schemas import registration
    from app.cli.yaml_text import read_yaml
    from app.core.errors import InvalidField
    from app.services.applying import apply as applied

    raws = []
    for at, entry in enumerate(_entries(read_yaml(source))):
        try:
            raws.append(registration(entry, upsert=True))
        except InvalidField as error:
            name = entry.get("model_name", "no model_name") if isinstance(entry, dict) else "no object"
            raise Refused(f"registrations[{at}] ({name}): {error.message}") from error
    with opened() as rollcall:
        done = applied(
            rollcall.database,
            raws,
            rollcall.settings.may_read_env,
            rollcall.settings.targets,
            prune=prune,
            dry_run=dry_run,
        )
    for change in done:
        if change.kind != "unchanged":
            what = f": {', '.join(change.what)}" if change.what else ""
            click.echo(plain(f"{_SIGNS[change.kind]} {change.kind} {change.model_name} at {change.url}{what}"))
    click.echo(_summary(Counter(change.kind for change in done), dry_run))


def _entries(read: Any) -> list[Any]:
    entries = read.get("registrations") if isinstance(read, dict) else read
    if not isinstance(entries, list):
        raise Refused("The file must hold a list under `registrations`, as `export` writes it.")
    return entries


def _summary(counts: Counter[str], dry_run: bool) -> str:
    names = ("created", "updated", "unchanged")
    told = ", ".join(f"{counts[name]} {name}" for name in names) + f", {counts['removed']} removed (offline)"
    left = f"; {counts['left']} not in the file stay as they are (--prune: offline)" if counts["left"] else ""
    return f"{'Dry run, nothing is stored: ' if dry_run else ''}{told}{left}."
