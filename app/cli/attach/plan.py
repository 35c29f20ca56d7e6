"""From what was asked for to what is done: the registration, the command, and the port in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click

from app.api.schemas import registration
from app.cli.attach.lease import WORKERS, Lease, stranger
from app.cli.attach.ports import PLACEHOLDER, Claim, claim, earlier_ports, filled
from app.cli.attach.say import say
from app.cli.server import Declined, NoAnswer, Server
from app.services.presets import expanded


@dataclass(frozen=True, slots=True)
class Plan:
    """`words` are the registration without its weight; `claim` is held as long as the child lives."""

    words: Mapping[str, Any]
    command: Sequence[str]
    claim: Claim
    lease: Lease


def registration_template(given: Mapping[str, Any], key: str | None, health: str | None, ttl_s: int) -> dict[str, Any]:
    """The whole registration, {port} still in it. Raises InvalidField and click.UsageError."""
    if "preset" in given:
        given = {"req_url_template": f"http://127.0.0.1:{PLACEHOLDER}", **given}
    elif key is not None:
        raise click.UsageError("--key goes with a preset; elsewhere name the key in --header.")
    words = {**expanded(given, key), "ttl_s": ttl_s}
    if health is not None:
        words["health"] = {"tcp": True} if health == "tcp" else {"req_url_template": health}
    return words


def planned(server: Server, template: Mapping[str, Any], command: Sequence[str], port: int | None) -> Plan:
    """Claims a port. Raises Refused, and InvalidField for a registration that cannot be."""
    checked = registration(filled(template, 1))
    url = str(template["req_url_template"])
    held = claim(url, port, _earlier(server, checked, url) if port is None and PLACEHOLDER in url else ())
    if not any(PLACEHOLDER in word for word in command):
        say(f"note: COMMAND does not say {PLACEHOLDER}; it must listen on $PORT, which is {held.port}")
    words = {word: value for word, value in filled(template, held.port).items() if word != "weight"}
    return Plan(words, filled(command, held.port), held, Lease(server, words, checked.get("weight")))


def _earlier(server: Server, checked: Mapping[str, Any], url: str) -> list[int]:
    try:
        told = server.call("GET", f"{WORKERS}?model_name={quote(checked['model_name'], safe='')}").body
    except (NoAnswer, Declined):
        return []
    if not isinstance(told, dict) or not isinstance(told.get("data"), list):
        raise stranger(server)
    return earlier_ports(told["data"], url, checked.get("instance") or "")
