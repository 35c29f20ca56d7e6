"""`sample-worker`: a toy model service to try Rollcall with."""

from __future__ import annotations

import signal

import click

from app.cli.refusal import Refused
from app.samples.server import SHAPES, ToyServer


@click.command("sample-worker")
@click.option(
    "--shape", type=click.Choice(list(SHAPES)), default="openai", show_default=True, help="What it looks like."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@click.option("--name", default="toy", show_default=True, help="What it calls itself in its answers.")
def sample_worker(shape: str, port: int, name: str) -> None:
    """Run a toy model service.

    It listens on loopback and makes up words, with no model behind it. Prints one line with the URL to register.
    `openai` answers chat completions and streams; `seed` answers {"input": …} in data.items[].attributes.answer.
    Ends on Ctrl-C or SIGTERM.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        server = ToyServer(name, SHAPES[shape], port)
    except OSError as error:
        raise Refused(f"Port {port} cannot be used ({error.strerror}); --port 0 takes a free one.") from error
    try:
        click.echo(f"Toy model service {name!r} (made-up words, {shape} shape): {server.url}")
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
