"""The group that manage.py opens. Each command loads what it needs only when it runs."""

from __future__ import annotations

import click

from app.cli.ask import ask
from app.cli.attach.command import attach
from app.cli.demo.command import demo
from app.cli.export import apply, export
from app.cli.import_list import import_list
from app.cli.intent import drain, enable, offline
from app.cli.key import key_group
from app.cli.presets import list_presets
from app.cli.probe import probe
from app.cli.purge import purge
from app.cli.refusal import Door
from app.cli.register import register
from app.cli.route import route
from app.cli.sample import sample_worker
from app.cli.serve import serve
from app.cli.workers import list_workers
from app.core.version import VERSION


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="rollcall")
def cli() -> None:
    """Rollcall: one door in front of every model service."""


for command in (
    serve,
    demo,
    list_workers,
    list_presets,
    import_list,
    export,
    apply,
    register,
    attach,
    offline,
    drain,
    enable,
    purge,
    probe,
    route,
    ask,
    key_group,
    sample_worker,
):
    cli.add_command(command)
