"""`ask`: one prompt through a running server, the answer as it is written."""

from __future__ import annotations

import sys

import click

from app.cli.console import plain


@click.command()
@click.argument("model")
@click.argument("prompt")
@click.option("--url", help="The server's address; by default the one that the settings name.")
def ask(model: str, prompt: str, url: str | None) -> None:
    """Ask a model through a running server.

    The answer to PROMPT is printed as it arrives. A server with API keys is shown the one in ROLLCALL_API_KEY.
    """
    from app.cli.server import Server, own_url
    from app.settings import load_settings

    settings = load_settings()
    headers, pieces = Server(url or own_url(settings), key=settings.api_key).stream_chat(model, prompt)
    try:
        for piece in pieces:
            click.echo(plain(piece) if sys.stdout.isatty() else piece, nl=False)
    finally:
        click.echo()
    if notice := headers.get("X-Rollcall-Notice"):
        click.echo(f"Notice: {plain(notice)}", err=True)
