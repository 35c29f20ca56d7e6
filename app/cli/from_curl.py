"""`register --from-curl`: the registration is printed, tried when asked to, and stored when its answer is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.console import plain
from app.cli.opened import opened
from app.cli.refusal import Refused

if TYPE_CHECKING:
    from app.core.curl.draft import Draft
    from app.services.rollcall import Rollcall
    from app.services.trial import Trial

SHOWN_TEXT = 200


def register_curl(
    command: str,
    words: dict[str, Any],
    *,
    key: str | None,
    prompt: str | None,
    answer: str | None,
    update: bool,
    dry_run: bool,
) -> None:
    """`words` go on top of what the command says. Raises Refused and RollcallError."""
    from app.api.schemas import registration
    from app.cli.register import store

    drafted = _draft(_text_of(command), words | ({} if answer is None else {"response_extract": answer}), key)
    click.echo(plain(json.dumps(drafted.registration, indent=2, ensure_ascii=False)))
    _explain(drafted)
    raw = registration(drafted.registration, upsert=update)
    with opened() as rollcall:
        if prompt is not None:
            _try(rollcall, raw, prompt, drafted.answer_known)
        if drafted.answer_known:
            store(rollcall, raw, update=update, dry_run=dry_run)
            return
    hint = "" if prompt is not None else '; --try "a prompt" sends one and shows the paths'
    told = f"Nothing is stored yet: name the answer's path with --answer PATH{hint}."
    if prompt is None:
        raise Refused(told)
    click.echo(told, err=True)


def _text_of(command: str) -> str:
    if not command.startswith("@"):
        return command
    if command == "@-":
        return sys.stdin.read()
    try:
        return Path(command[1:]).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{command[1:]} is no text in UTF-8.") from None


def _draft(command: str, words: dict[str, Any], key: str | None) -> Draft:
    from dataclasses import replace

    from app.core.curl.command import parse_curl
    from app.core.curl.draft import draft
    from app.core.preset import Preset
    from app.services.presets import presets

    drafted = draft(parse_curl(command), presets().values(), words)
    if key is None:
        return drafted
    keyed = Preset("of this command", "", "", "", "", drafted.registration, {}).with_key(key)
    return replace(drafted, registration=dict(keyed.registration))


def _explain(drafted: Draft) -> None:
    from app.core.preset import references

    if drafted.like:
        click.echo(f"Answers are read as the preset {drafted.like} says.", err=True)
    for reference in sorted(references(drafted.registration)):
        name = reference[2:-1].partition(":")[2]
        click.echo(
            f"The key is read from the environment variable {name}, which ROLLCALL_SECRET_ENV must allow.", err=True
        )
    for note in drafted.notes:
        click.echo(plain(f"Note: {note}"), err=True)


def _try(rollcall: Rollcall, raw: Any, prompt: str, answer_known: bool) -> None:
    from app.services.trial import try_once

    trial = try_once(rollcall, raw, prompt)
    _show(trial)
    if trial.status >= 300:
        raise Refused(f"The try was answered with HTTP {trial.status}; nothing is stored.")
    if not answer_known or trial.is_job:
        return
    if trial.answer is None:
        raise Refused(f"The path {trial.path!r} finds nothing in this reply; name another with --answer.")
    click.echo(plain(f"Answer: {trial.answer[:SHOWN_TEXT]}"), err=True)


def _show(trial: Trial) -> None:
    """The reply as paths with their values; what is no JSON by its beginning."""
    from app.core.reply_tree import reply_paths

    click.echo(f"The reply (HTTP {trial.status}):", err=True)
    if trial.reply is None:
        click.echo(plain(f"  {trial.content_type or 'no content type'}: {trial.text[:SHOWN_TEXT]}"), err=True)
        return
    rows = reply_paths(trial.reply)
    width = min(60, max(len(path) for path, _ in rows)) if rows else 0
    for path, value in rows:
        click.echo(plain(f"  {path:<{width}}  {value}"), err=True)
