"""A registration's words as flags and files give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

import click

from app.cli.refusal import Refused

MAX_FILE = 2_000_000
_WORDS = {
    "preset": "preset",
    "model": "model_name",
    "url": "req_url_template",
    "method": "req_type",
    "extract": "response_extract",
    "weight": "weight",
    "instance": "instance",
    "upstream_model": "upstream_model",
    "owner": "owner",
}


def word_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Flags for single words of a registration, the preset and the file among them; `from_flags` reads them."""
    for decorate in (
        click.option("--owner", help="Who answers for it."),
        click.option("--upstream-model", help="The model's name at the worker, where it differs."),
        click.option("--instance", help="Tells apart several registrations of one URL."),
        click.option("--weight", type=int, help="Its share beside the others of the model; 0 is standby."),
        click.option("--extract", help="Where the answer is in the reply, such as data.items[].attributes.answer."),
        click.option(
            "--param", multiple=True, metavar="NAME=VALUE", help="A query parameter to send; may be repeated."
        ),
        click.option("--header", multiple=True, metavar="NAME:VALUE", help="A header to send; may be repeated."),
        click.option(
            "--body", help='The request body as JSON with placeholders, such as \'{"input": "{USER_PROMPT}"}\'.'
        ),
        click.option("--method", type=click.Choice(["POST", "GET"]), help="How it is called; POST by default."),
        click.option("--url", help="The worker's URL; may hold placeholders. With --preset its host is enough."),
        click.option("--model", help="The name that applications ask for."),
        click.option("--key", metavar="env:NAME", help="The key's environment variable (or the key itself)."),
        click.option("--preset", help="A registration that ships with Rollcall; `presets` lists them."),
        click.option("--file", "source", type=click.File("rb"), help="A registration as JSON, - for stdin."),
    ):
        command = decorate(command)
    return command


def from_file(source: IO[bytes] | None) -> dict[str, Any]:
    """Raises Refused, and RollcallError for what is no JSON."""
    from app.core.json_input import parse_json

    if source is None:
        return {}
    read = source.read(MAX_FILE + 1)
    if len(read) > MAX_FILE:
        raise Refused(f"A registration has at most {MAX_FILE} bytes.")
    raw = parse_json(read)
    if not isinstance(raw, dict):
        raise Refused("A registration is one JSON object; docs/registration.md shows some.")
    return raw


def from_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """Raises click.BadParameter."""
    words = {word: flags[flag] for flag, word in _WORDS.items() if flags.get(flag) is not None}
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
