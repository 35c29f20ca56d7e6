"""`register`: add a worker from a registration file or from flags, checked exactly as the HTTP API checks it."""

from __future__ import annotations

import json
from typing import IO, Any

import click

from app.cli.console import plain
from app.cli.opened import opened
from app.cli.refusal import Refused
from app.services.masking import masked_url

_WORDS = {
    "model": "model_name",
    "url": "req_url_template",
    "method": "req_type",
    "extract": "response_extract",
    "weight": "weight",
    "instance": "instance",
    "upstream_model": "upstream_model",
    "owner": "owner",
}


@click.command()
@click.option("--file", "source", type=click.File("rb"), help="A registration as JSON, - for stdin; flags go on top.")
@click.option("--model", help="The name that applications ask for.")
@click.option("--url", help="The worker's URL; may hold placeholders.")
@click.option("--method", type=click.Choice(["POST", "GET"]), help="How it is called; POST by default.")
@click.option("--body", help='The request body as JSON with placeholders, such as \'{"input": "{USER_PROMPT}"}\'.')
@click.option("--header", multiple=True, metavar="NAME:VALUE", help="A header to send; may be repeated.")
@click.option("--param", multiple=True, metavar="NAME=VALUE", help="A query parameter to send; may be repeated.")
@click.option("--extract", help="Where the answer is in the reply, such as data.items[].attributes.answer.")
@click.option("--weight", type=int, help="Its share beside the others of the model; 0 is standby.")
@click.option("--instance", help="Tells apart several registrations of one URL.")
@click.option("--upstream-model", help="The model's name at the worker, where it differs.")
@click.option("--owner", help="Who answers for it.")
@click.option("--update", is_flag=True, help="Change the worker if it is registered already, as PUT does.")
@click.option("--dry-run", is_flag=True, help="Show the request that would be sent for a sample prompt; store nothing.")
def register(source: IO[bytes] | None, update: bool, dry_run: bool, **flags: Any) -> None:
    """Register a worker.

    From a file, from flags, or from both: what docs/registration.md describes, checked as the API checks it.
    """
    from app.api.schemas import registration

    raw = registration(_read(source) | _from_flags(flags), upsert=update)
    with opened() as rollcall:
        if dry_run:
            click.echo(plain(json.dumps(rollcall.registry.preview(raw), indent=2, ensure_ascii=False)))
            return
        done = rollcall.registry.register(raw, upsert=update)
    worker = done.worker
    click.echo(plain(f"Worker {worker.id} ({worker.model_name} at {masked_url(worker.url)}): {done.outcome}."))
    for note in done.notes:
        click.echo(plain(f"Note: {note}"), err=True)


def _read(source: IO[bytes] | None) -> dict[str, Any]:
    from app.core.json_input import parse_json

    raw = {} if source is None else parse_json(source.read())
    if not isinstance(raw, dict):
        raise Refused("A registration is one JSON object; docs/registration.md shows some.")
    return raw


def _from_flags(flags: dict[str, Any]) -> dict[str, Any]:
    words = {word: flags[flag] for flag, word in _WORDS.items() if flags[flag] is not None}
    if flags["body"] is not None:
        words["body"] = _json(flags["body"])
    if flags["header"]:
        words["header"] = dict(_pair(text, ":", "--header") for text in flags["header"])
    if flags["param"]:
        words["req_param"] = dict(_pair(text, "=", "--param") for text in flags["param"])
    return words


def _json(text: str) -> Any:
    from app.core.errors import InvalidJson
    from app.core.json_input import parse_json

    try:
        return parse_json(text.encode("utf-8", "surrogatepass"))
    except InvalidJson as error:
        raise click.BadParameter(error.message, param_hint="--body") from error


def _pair(text: str, mark: str, flag: str) -> tuple[str, str]:
    name, found, value = text.partition(mark)
    if not found or not name.strip():
        raise click.BadParameter(f"{text!r} has no {mark!r} between name and value.", param_hint=flag)
    return name.strip(), value.strip() if mark == ":" else value
