"""`offline`, `drain` and `enable`: what an operator wants of a worker. Health checks never overwrite it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from app.cli.console import plain
from app.cli.opened import opened
from app.services.masking import masked_url


def _selectors(command: Callable[..., Any]) -> Callable[..., Any]:
    """By id, or as the API's /offline does: model and URL, with an instance or for all of that URL."""
    for decorate in (
        click.option("--instance", help="Only this instance of the URL; without it all of them."),
        click.option("--url", help="The registered URL, with --model."),
        click.option("--model", "model_name", help="The model name, with --url."),
        click.argument("ids", nargs=-1, type=click.IntRange(min=1)),
    ):
        command = decorate(command)
    return command


@click.command()
@_selectors
def offline(ids: tuple[int, ...], model_name: str | None, url: str | None, instance: str | None) -> None:
    """Take workers out of selection.

    Workers IDS, or --model with --url. They stay listed with their history; `enable`, or registering them again,
    brings them back.
    """
    _retire(ids, model_name, url, instance, drain=False)


@click.command()
@_selectors
def drain(ids: tuple[int, ...], model_name: str | None, url: str | None, instance: str | None) -> None:
    """Give workers no new requests.

    Workers IDS, or --model with --url, finish the requests that are open.
    """
    _retire(ids, model_name, url, instance, drain=True)


@click.command()
@click.argument("ids", nargs=-1, required=True, type=click.IntRange(min=1))
def enable(ids: tuple[int, ...]) -> None:
    """Let workers get traffic again.

    Workers IDS are probed at once; those that are down get none until they answer.
    """
    with opened() as rollcall:
        for worker_id in ids:
            row = rollcall.registry.change(worker_id, admin="enabled")
            _tell(row["id"], row["model_name"], row["req_url_template"], row["admin"])


def _retire(
    ids: tuple[int, ...], model_name: str | None, url: str | None, instance: str | None, *, drain: bool
) -> None:
    named = model_name is not None and url is not None
    if bool(ids) == named or (ids and (model_name or url or instance)) or (instance and not named):
        raise click.UsageError("Name workers by their IDS, or by --model and --url; list-workers shows both.")
    with opened() as rollcall:
        wanted: list[dict[str, Any]] = [{"worker_id": worker_id} for worker_id in ids]
        for which in wanted or [{"model_name": model_name, "url": url, "instance": instance}]:
            for worker in rollcall.registry.offline(**which, drain=drain).workers:
                _tell(worker.id, worker.model_name, masked_url(worker.url), worker.admin)


def _tell(worker_id: int, model_name: str, url: str, admin: str) -> None:
    click.echo(plain(f"Worker {worker_id} ({model_name} at {url}) is {admin}."))
