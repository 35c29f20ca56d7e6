"""The neutral request and the neutral answer: all that passes between a caller's dialect and a worker's dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Json = Any
JsonObject = Mapping[str, Any]
Task = Literal["text", "image", "video", "embedding"]
ItemKind = Literal["text", "url", "b64", "bytes", "path", "json"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request of any task, whatever dialect it came in.

    `messages` are OpenAI-shaped objects as the caller sent them (`role`, `content` as text or parts, …); the seed's
    `input` and the prompt of an image, video or completion are one user message; of embeddings there are none.
    `body` is the caller's whole JSON object (multipart fields typed), never changed: sizes, seconds, the number of
    answers and the input of an embedding are read from it.
    """

    model: str
    messages: tuple[JsonObject, ...]
    body: JsonObject
    stream: bool
    request_id: str
    task: Task = "text"


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts, at least one; None: the worker did not say. `raw` is an OpenAI-shaped worker's own usage object."""

    prompt: int | None
    completion: int | None
    raw: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an answer.

    `text` is what choice 0 gained. `chunk` is an OpenAI-shaped worker's chunk as it came, so that tool calls,
    reasoning and log probabilities survive; an event with a chunk repeats the chunk's text in `text`.
    `finish` is the worker's own word for why it stopped, of choice 0 (other choices: in the chunk).
    """

    text: str = ""
    finish: str | None = None
    usage: Usage | None = None
    chunk: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `raw` is an OpenAI-shaped worker's reply as it came."""

    text: str
    finish: str | None = None
    usage: Usage | None = None
    raw: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """What is sent to a worker. `body` is None for a request without one."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Item:
    """One image, video, text or embedding of a result.

    `value` is a str (of a `url` absolute http(s), of `b64` the base64 as it came without a `data:` prefix, of `path`
    a path on the worker's own disk), of `bytes` bytes, of `json` any JSON: of an embedding a list of numbers, or the
    base64 that the worker sent instead. `content_type` is empty where the worker did not say. `revised_prompt` is what
    an OpenAI-shaped image worker made of the prompt.
    """

    kind: ItemKind
    value: Any = field(repr=False)
    content_type: str = ""
    revised_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of an image, video or embedding worker; at least one item."""

    items: tuple[Item, ...]
    finish: str | None = None
    usage: Usage | None = None
    raw: JsonObject | None = None
