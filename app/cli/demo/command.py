"""The `demo` command: a free port, clean signals, the story, and a server that stays up until Ctrl-C."""

from __future__ import annotations

import os

import click

from app.cli.ports import free_port


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Where the server listens; 0 takes a free one.")
def demo(port: int | None) -> None:
    """Tell the whole story on this terminal.

    Starts a server and two toy model services, shows what Rollcall does, and stays up until Ctrl-C. It uses Rollcall's
    own SQLite file, whatever DATABASE_URL says, so that toys are never registered elsewhere.
    """
    from app.cli.demo.children import Children
    from app.cli.demo.signals import ignore_endings, interruptible
    from app.cli.demo.story import Story
    from app.settings import load_settings

    settings = load_settings()
    port = settings.port if port is None else port
    port = free_port("127.0.0.1", port, f"choose another one with `make demo PORT={port + 1}`.")
    with interruptible(), Children(_environment(port), settings.var / "demo.log") as children:
        try:
            Story(children, port).tell()
        except KeyboardInterrupt:
            click.echo("\nStopping the server and both toys …")
        finally:
            ignore_endings()
    click.echo("Stopped. What was registered is remembered: `make run` starts the server alone.")


def _environment(port: int) -> dict[str, str]:
    """The demo is the same for everyone: of the operator's own settings only the place of `var/` counts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")}
    kept.pop("DATABASE_URL", None)
    if place := os.environ.get("ROLLCALL_VAR"):
        kept["ROLLCALL_VAR"] = os.path.abspath(place)
    return kept | {"ROLLCALL_PORT": str(port), "ROLLCALL_GRACE_S": "2"}
