"""`import`: another router's model list, each deployment as a registration. What cannot be mapped is named."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Any

import click

from app.cli.console import plain
from app.cli.opened import opened
from app.cli.refusal import Refused

if TYPE_CHECKING:
    from app.services.model_list import Entry, Imported
    from app.services.rollcall import Rollcall


@click.command("import")
@click.argument("source", type=click.File("rb"), metavar="FILE")
@click.option("--format", "kind", help="Whose configuration it is; by default the one that is known.")
@click.option("--dry-run", is_flag=True, help="Print the registrations as a file for `apply`; store nothing.")
def import_list(source: IO[bytes], kind: str | None, dry_run: bool) -> None:
    """Import another router's model list.

    Each deployment of FILE becomes a registration; importing it again changes only what has changed. What has no
    counterpart is named on stderr.
    """
    from app.cli.yaml_text import read_yaml
    from app.services.model_list import read_model_list
    from app.services.presets import find, import_formats, import_table

    formats = import_formats()
    if kind is not None and kind not in formats:
        raise click.BadParameter(f"known: {', '.join(formats)}.", param_hint="--format")
    imported = read_model_list(read_yaml(source), import_table(kind or formats[0]), find, os.environ)
    with opened() as rollcall:
        for entry in imported.entries:
            if not entry.why and not dry_run:
                _store(rollcall, entry)
    if dry_run:
        _print(imported)
    _report(imported)


def _store(rollcall: Rollcall, entry: Entry) -> None:
    from app.api.schemas import registration
    from app.cli.register import tell
    from app.core.errors import InvalidRequest

    try:
        tell(rollcall.registry.register(registration(entry.raw, upsert=True), upsert=True))
    except InvalidRequest as error:
        entry.why = error.message.rstrip(".")


def _print(imported: Imported) -> None:
    from app.cli.yaml_text import write_yaml
    from app.services.masking import exported_spec

    shown: list[dict[str, Any]] = [exported_spec(entry.raw) for entry in imported.entries if not entry.why]
    click.echo(write_yaml({"registrations": shown}), nl=False)


def _report(imported: Imported) -> None:
    for entry in imported.entries:
        if entry.why:
            click.echo(plain(f"Not imported: {entry.where}: {entry.why}."), err=True)
        elif entry.ignored:
            click.echo(plain(f"Left out of {entry.where}: {', '.join(entry.ignored)}."), err=True)
    if imported.left_out:
        click.echo(plain(f"Left out of the file: {', '.join(imported.left_out)}."), err=True)
    failed = sum(1 for entry in imported.entries if entry.why)
    done = len(imported.entries) - failed
    told = f"{done} of {len(imported.entries)} deployments have a registration."
    if failed and not done:
        raise Refused(told)
    click.echo(told, err=True)
