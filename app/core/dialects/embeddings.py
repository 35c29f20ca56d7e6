"""OpenAI's dialect of callers for embeddings: {model, input} → a list of vectors, as numbers or base64."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.conversation import ChatRequest, Item, Result, Usage
from app.core.dialects.fields import check_model, check_text, missing, refused
from app.core.errors import InvalidRequest, UnsupportedByWorker, UpstreamError

_INPUT = "a string, a list of strings, or tokens as lists of whole numbers"
_NUMBERS = frozenset({int, float})
Vector = list[float]


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """`chat` is what a worker is asked; `count` is how many vectors must come back."""

    chat: ChatRequest
    count: int
    base64: bool
    dimensions: int | None


def parse(body: Any, request_id: str) -> EmbeddingRequest:
    """Raises InvalidRequest naming the field. `encoding_format` is met here, and no worker is told."""
    if not isinstance(body, dict):
        raise InvalidRequest('The body must be an object such as {"model": "NAME", "input": "…"}.')
    check_model("model", body.get("model"))
    count = _count(body.get("input"))
    encoding, dimensions = body.get("encoding_format"), body.get("dimensions")
    if encoding not in (None, "float", "base64"):
        raise refused("encoding_format", "float or base64", encoding)
    if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
        raise refused("dimensions", "a whole number of at least 1", dimensions)
    if body.get("user") is not None:
        check_text("user", body["user"])
    words = {name: value for name, value in body.items() if name not in ("encoding_format", "stream")}
    chat = ChatRequest(body["model"], (), words, False, request_id, task="embedding")
    return EmbeddingRequest(chat, count, encoding == "base64", dimensions)


def _count(given: Any) -> int:
    """How many inputs there are: one text, or one list of tokens, is one."""
    if given is None:
        raise missing("input", _INPUT)
    if isinstance(given, str):
        return 1
    if not isinstance(given, list) or not given:
        raise refused("input", f"{_INPUT}, and not empty", given)
    if _are_tokens(given):
        return 1
    texts = isinstance(given[0], str)
    for index, each in enumerate(given):
        if not (isinstance(each, str) if texts else _are_tokens(each)):
            raise refused(f"input[{index}]", "a string, or a list of tokens, as the others are", each)
    return len(given)


def _are_tokens(given: Any) -> bool:
    return isinstance(given, list) and bool(given) and all(type(each) is int for each in given)


def reply(request: EmbeddingRequest, result: Result) -> dict[str, Any]:
    """Raises UpstreamError when the worker's vectors are none, or not one for each input."""
    vectors = _vectors(request, result)
    usage = result.usage or Usage(0, 0)
    prompt, more = usage.prompt or 0, usage.completion or 0
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _packed(vector) if request.base64 else vector}
            for index, vector in enumerate(vectors)
        ],
        "model": request.chat.model,
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt + more},
    }


def _vectors(request: EmbeddingRequest, result: Result) -> list[Vector]:
    vectors = [_vector(each) for each in _ordered(list(_values(result.items)), result.raw)]
    if len(vectors) != request.count:
        raise _wrong(f"{len(vectors)} embeddings for {request.count} inputs")
    sizes = {len(vector) for vector in vectors}
    if len(sizes) > 1:
        raise _wrong(f"embeddings of different sizes, {min(sizes)} and {max(sizes)}")
    size = sizes.pop()
    if request.dimensions not in (None, size):
        message = f"The embeddings of {request.chat.model!r} have {size} dimensions here; leave out dimensions."
        raise UnsupportedByWorker(message, field="dimensions")
    return vectors


def _values(items: Iterable[Item]) -> Iterable[Any]:
    """One value for each embedding, however deep the worker's answer path has found them."""
    for item in items:
        value = item.value
        if isinstance(value, list) and value and type(value[0]) not in _NUMBERS:
            yield from value
        else:
            yield value


def _ordered(values: list[Any], raw: Any) -> list[Any]:
    """In the order of the inputs, where the worker numbers its embeddings."""
    rows = values if values and all(isinstance(value, Mapping) for value in values) else _rows(raw)
    numbers = [row["index"] for row in rows if isinstance(row, Mapping) and type(row.get("index")) is int]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    if len(rows) != len(values) or [numbers[place] for place in order] != list(range(len(values))):
        return values
    return [values[place] for place in order]


def _rows(raw: Any) -> list[Any]:
    rows = raw.get("data") if isinstance(raw, Mapping) else None
    return rows if isinstance(rows, list) else []


def _vector(value: Any) -> Vector:
    if isinstance(value, Mapping):
        value = value.get("embedding")
    if isinstance(value, str):
        value = _unpacked(value)
    if not isinstance(value, list) or not value or not set(map(type, value)) <= _NUMBERS:
        raise _wrong("something that is no list of numbers")
    return value


def _packed(vector: Vector) -> str:
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
    except (OverflowError, struct.error):
        raise _wrong("numbers too large for 32 bits") from None


def _unpacked(text: str) -> list[float] | None:
    try:
        packed = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return list(struct.unpack(f"<{len(packed) // 4}f", packed)) if len(packed) % 4 == 0 else None


def _wrong(what: str) -> UpstreamError:
    return UpstreamError(f"The worker answered with {what} where embeddings were expected.", should_retry=False)
