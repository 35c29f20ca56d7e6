"""`attach`: start a model server, register it while it answers, let its requests finish, end it."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

import click

from app.cli.words import from_file, from_flags, word_options
from app.core.registration import MAX_TTL_S, MIN_TTL_S

CALL_S = 5.0


def _own_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        click.option(
            "--grace",
            type=click.FloatRange(min=0),
            default=30.0,
            show_default=True,
            help="Seconds that open requests get at the end.",
        ),
        click.option(
            "--ttl",
            type=click.IntRange(MIN_TTL_S, MAX_TTL_S),
            default=30,
            show_default=True,
            help="Seconds without a renewal after which it gets no more traffic.",
        ),
        click.option(
            "--ready-timeout",
            type=click.FloatRange(min=0, min_open=True),
            default=1800.0,
            show_default=True,
            help="Seconds until it must answer its health check.",
        ),
        click.option("--health", metavar="URL", help="Its health check, or tcp; by default the preset's, else tcp."),
        click.option("--port", type=click.IntRange(1, 65_535), help="Its port; a free one by default."),
        click.option("--server", "server_url", help="The Rollcall server; by default the one that the settings name."),
    ):
        command = decorate(command)
    return command


@click.command(context_settings={"allow_interspersed_args": False})
@word_options
@_own_options
@click.argument("command", nargs=-1, required=True)
def attach(
    source: IO[bytes] | None,
    key: str | None,
    server_url: str | None,
    port: int | None,
    health: str | None,
    ready_timeout: float,
    ttl: int,
    grace: float,
    command: tuple[str, ...],
    **flags: Any,
) -> None:
    """Start a model server and register it for as long as it lives.

    {port} in the URL and in COMMAND is a free port, which is also in the environment as PORT. COMMAND is registered
    once it answers its health check and renewed from then on. Ctrl-C, SIGTERM or its end take it out of selection
    first; open requests then have --grace seconds, and a second Ctrl-C ends all at once. A server with API keys is
    shown the one in ROLLCALL_API_KEY (scope admin); COMMAND does not see it.
    """
    from app.cli.attach.plan import planned, registration_template
    from app.cli.attach.run import run
    from app.cli.server import Server, own_url
    from app.settings import load_settings

    settings = load_settings()
    server = Server(server_url or own_url(settings), timeout_s=CALL_S, option="--server", key=settings.api_key)
    template = registration_template(from_file(source) | from_flags(flags), key, health, ttl)
    plan = planned(server, template, command, port)
    raise SystemExit(run(plan, settings, ready_timeout_s=ready_timeout, grace_s=grace))
