"""What OpenAI-shaped image workers say beside their images: the prompt that was really used, tokens, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app.core.conversation import Item, JsonObject, Usage

_WORDS: Final = ("background", "output_format", "quality", "size")


def with_prompts(items: tuple[Item, ...], raw: Any) -> tuple[Item, ...]:
    """The items with the `revised_prompt` of their rows, where the reply has one row for each."""
    rows = raw.get("data") if isinstance(raw, Mapping) else None
    if not isinstance(rows, list) or len(rows) != len(items):
        return items
    return tuple(_with_prompt(item, row) for item, row in zip(items, rows, strict=True))


def _with_prompt(item: Item, row: Any) -> Item:
    revised = row.get("revised_prompt") if isinstance(row, Mapping) else None
    return replace(item, revised_prompt=revised) if isinstance(revised, str) else item


def said(raw: JsonObject | None, usage: Usage | None) -> dict[str, Any]:
    """The words of a reply about all its images: `usage` in OpenAI's shape, also where a registration's words found
    the counts; size, quality and the like of a reply in OpenAI's shape."""
    shaped = raw if raw is not None and isinstance(raw.get("data"), list) else {}
    told = {word: shaped[word] for word in _WORDS if isinstance(shaped.get(word), str)}
    if counts := _counts(shaped.get("usage"), usage):
        told["usage"] = counts
    return told


def _counts(raw: Any, usage: Usage | None) -> dict[str, Any]:
    if isinstance(raw, Mapping):
        return dict(raw)
    if usage is None or usage.prompt is None or usage.completion is None:
        return {}
    details = {"text_tokens": usage.prompt, "image_tokens": 0}  # what is asked with here is a text
    total = usage.prompt + usage.completion
    counts = {"input_tokens": usage.prompt, "output_tokens": usage.completion, "total_tokens": total}
    return {**counts, "input_tokens_details": details}


def joined(raws: list[JsonObject | None]) -> JsonObject | None:
    """Several replies in one as far as `said` reads them: of all words that of the first, of the usage the sum."""
    told = [raw for raw in raws if raw is not None]
    if not told:
        return None
    total = None
    for raw in told:
        total = _sum(total, raw.get("usage"))
    return {**told[0], "usage": total}


def _sum(one: Any, other: Any) -> Any:
    """Numbers are added, objects member by member; what only one of them has stays."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {name: _sum(one.get(name), other.get(name)) for name in {**one, **other}}
    if _is_number(one) and _is_number(other):
        return one + other
    return other if one is None else one


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
