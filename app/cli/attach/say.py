"""What `attach` says of itself, told apart from what its child writes."""

from __future__ import annotations

import click

from app.cli.console import plain


def say(text: str) -> None:
    click.echo(plain(f"attach: {text}"), err=True)
