"""The `output` block: what kind of thing an answer is, and how it is cut out of what the answer path found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from app.core.conditions import compile_pattern
from app.core.conversation import Item, ItemKind, Task
from app.core.fault import WorkerFault, one_line
from app.core.language import LanguageError, text_of

OUTPUTS: Final = ("text", "url", "b64", "binary", "json", "path")
_USUAL: Final[Mapping[str, str]] = {"text": "text", "image": "url", "video": "url", "embedding": "json"}
_SHOWN = 80
_DATA_URL = re.compile(r"data:(?P<type>[\w.+/-]*)(?:;[\w=.-]+)*;base64,", re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")
# Between lines: a space within one belongs to a sentence.
_SPACE = re.compile(r"[\r\n]\s*")


@dataclass(frozen=True, slots=True)
class Output:
    """`kind`: the `as` word. `strips`: the worker repeats the prompt in front of its answer."""

    kind: str
    task: Task
    strips: bool = False
    search: Any = None

    @property
    def plain(self) -> bool:
        """Text that is taken as it was found."""
        return self.search is None and not self.strips

    def text(self, found: str) -> str | None:
        """What the regular expression takes from a text; None: it does not match."""
        if self.search is None:
            return found
        match = self.search(found.encode("utf-8", "replace"))
        if match is None:
            return None
        taken = match.group(1) if match.re.groups else None
        return str((match.group(0) if taken is None else taken).decode("utf-8", "replace"))

    def items(self, found: Iterable[Any]) -> tuple[Item, ...]:
        """The images, videos or embeddings among what the path found; empty: none.

        Raises WorkerFault (wrong_type) for what is there and not of the promised kind.
        """
        if self.kind == "json":
            values = _vectors(found) if self.task == "embedding" else found
            return tuple(Item("json", value) for value in values if value is not None)
        texts = (self.text(text_of(value)) for value in _flat(found))
        return tuple(self._item(text.strip()) for text in texts if text and text.strip())

    def _item(self, text: str) -> Item:
        if self.kind in ("text", "path"):
            return Item(cast(ItemKind, self.kind), text)
        if match := _DATA_URL.match(text):
            return Item("b64", _base64(text[match.end() :]), match["type"])
        if self.kind == "b64" or (self.kind == "binary" and not is_web_url(text)):
            return Item("b64", _base64(text))
        if not is_web_url(text):
            raise WorkerFault(f"The worker's reply holds no http(s) URL where one is expected: {_begin(text)}", _WRONG)
        return Item("url", text)


_WRONG: Final = "wrong_type"


def compile_output(block: Mapping[str, Any] | None, task: Task) -> Output:
    """Raises LanguageError."""
    block = block or {}
    pattern = block.get("regex")
    search = None
    if pattern:
        try:
            search = compile_pattern(pattern).search
        except LanguageError as error:
            raise error.moved(where="output.regex") from None
    return Output(block.get("as") or _USUAL[task], task, bool(block.get("strip_prompt")), search)


def is_web_url(text: str) -> bool:
    scheme, mark, rest = text.partition("://")
    return bool(mark and rest) and scheme.lower() in ("http", "https") and not re.search(r"[\s\x00-\x1f\x7f\\]", text)


def _base64(text: str) -> str:
    """In the usual alphabet, without line breaks and with its padding."""
    data = _SPACE.sub("", text.strip()).replace("-", "+").replace("_", "/")
    bare = data.rstrip("=")
    if not _BASE64.match(data) or len(bare) % 4 == 1:
        raise WorkerFault(f"The worker's reply holds no base64 where it is expected: {_begin(text)}", _WRONG)
    return bare + "=" * (-len(bare) % 4)


def _begin(text: str) -> str:
    return one_line(text, _SHOWN)


def _flat(found: Iterable[Any]) -> Iterator[Any]:
    for value in found:
        if isinstance(value, list):
            yield from _flat(value)
        elif value is not None and value is not False:
            yield value


def _vectors(found: Iterable[Any]) -> Iterator[Any]:
    """Lists of numbers, however deep in lists they are, and texts, which are base64."""
    for value in found:
        if isinstance(value, list) and value and not all(_is_number(part) for part in value):
            yield from _vectors(value)
        elif value or value == 0:
            yield _vector(value)


def _vector(value: Any) -> Any:
    if not isinstance(value, list | str):
        fault = f"The worker's reply holds no list of numbers where an embedding is expected: {_begin(text_of(value))}"
        raise WorkerFault(fault, _WRONG)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
