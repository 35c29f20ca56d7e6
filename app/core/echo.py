"""Workers that write the prompt in front of their answer, and answers of which only a part is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from app.core.conversation import Event
from app.core.fault import MAX_REPLY_BYTES, WorkerFault
from app.core.output import Output


def echoes_in(sent: Iterable[Any], prompt: str | None) -> tuple[str, ...]:
    """The texts of what is sent that hold the prompt, longest first: one of them is what the worker may repeat."""
    if not prompt:
        return ()
    texts = {text for part in sent for text in _texts(part) if prompt in text}
    return tuple(sorted(texts or {prompt}, key=len, reverse=True))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _texts(item)


def without_echo(text: str, echoes: Sequence[str]) -> str:
    for echo in echoes:
        if text.startswith(echo):
            return text[len(echo) :]
    return text


def refined(events: Iterable[Event], output: Output, echoes: Sequence[str]) -> Iterator[Event]:
    """The events with the echo taken off their front; with a regular expression their text comes once, at the end.

    Raises what the events raise, and WorkerFault (empty) when the regular expression finds nothing.
    """
    unechoed = _unechoed(events, echoes) if echoes else iter(events)
    if output.search is None:
        yield from unechoed
        return
    texts, others, size = [], [], 0
    for event in unechoed:
        texts.append(event.text)
        others.append(replace(event, text=""))
        size += len(event.text)
        if size > MAX_REPLY_BYTES:
            raise WorkerFault("The worker's answer is longer than output.regex is tried on.", "too_large")
    text = output.text("".join(texts))
    if text is None:
        raise WorkerFault("The worker's answer holds nothing that output.regex matches.", "empty")
    yield Event(text=text)
    yield from (event for event in others if event != Event())


def _unechoed(events: Iterable[Event], echoes: Sequence[str]) -> Iterator[Event]:
    """Text is held back as long as it may still grow into an echo."""
    held: str | None = ""
    for event in events:
        if held is None or not event.text:
            if held and (rest := without_echo(held, echoes)):
                yield Event(text=rest)
            held = None
            yield event
            continue
        held += event.text
        if any(len(echo) > len(held) and echo.startswith(held) for echo in echoes):
            continue
        if text := without_echo(held, echoes):
            yield replace(event, text=text)
        held = None
    if held and (rest := without_echo(held, echoes)):
        yield Event(text=rest)
