"""`register`: add a worker from a preset, a file, flags or a curl command, checked exactly as the HTTP API does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING, Any

import click

from app.cli.console import plain
from app.cli.opened import opened
from app.cli.words import from_file, from_flags, word_options
from app.services.masking import masked_url

if TYPE_CHECKING:
    from app.services.registration import Registered
    from app.services.rollcall import Rollcall


def _curl_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A registration from a curl command."""
    for decorate in (
        click.option("--answer", metavar="PATH", help="With --from-curl: where the answer is in the reply."),
        click.option("--try", "prompt", help="With --from-curl: send this prompt once and show the reply's paths."),
        click.option("--from-curl", "curl", help="A vendor's curl command, or @FILE with one."),
    ):
        command = decorate(command)
    return command


@click.command()
@_curl_options
@word_options
@click.option("--update", is_flag=True, help="Change the worker if it is registered already, as PUT does.")
@click.option("--dry-run", is_flag=True, help="Show the request that would be sent for a sample prompt; store nothing.")
def register(
    source: IO[bytes] | None,
    curl: str | None,
    prompt: str | None,
    answer: str | None,
    key: str | None,
    update: bool,
    dry_run: bool,
    **flags: Any,
) -> None:
    """Register a worker.

    From a preset, a file, a vendor's curl command or flags, checked as the API checks it; flags go on top.
    """
    from app.api.schemas import registration
    from app.services.presets import expanded

    _check_sources(source, curl, prompt, answer, flags["preset"])
    words = from_flags(flags)
    if curl is not None:
        from app.cli.from_curl import register_curl

        register_curl(curl, words, key=key, prompt=prompt, answer=answer, update=update, dry_run=dry_run)
        return
    given = from_file(source) | words
    if key is not None and "preset" not in given:
        raise click.UsageError("--key goes with a preset or --from-curl; elsewhere name the key in --header.")
    raw = registration(expanded(given, key), upsert=update)
    with opened() as rollcall:
        store(rollcall, raw, update=update, dry_run=dry_run)


def store(rollcall: Rollcall, raw: Mapping[str, Any], *, update: bool, dry_run: bool) -> None:
    if dry_run:
        click.echo(plain(json.dumps(rollcall.registry.preview(raw), indent=2, ensure_ascii=False)))
    else:
        tell(rollcall.registry.register(raw, upsert=update))


def tell(done: Registered) -> None:
    worker = done.worker
    click.echo(plain(f"Worker {worker.id} ({worker.model_name} at {masked_url(worker.url)}): {done.outcome}."))
    for note in done.notes:
        click.echo(plain(f"Note: {note}"), err=True)


def _check_sources(source: Any, curl: Any, prompt: Any, answer: Any, preset: Any) -> None:
    if curl is None and (prompt is not None or answer is not None):
        raise click.UsageError("--try and --answer go with --from-curl.")
    if curl is not None and (source is not None or preset is not None):
        raise click.UsageError("--from-curl stands alone: without --file and --preset.")
