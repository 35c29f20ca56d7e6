"""JSON from strangers: strict, bounded, and free of what a database or an encoder would later choke on."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from app.core.errors import InvalidJson, InvalidRequest

MAX_DEPTH = 100
"""Nesting of lists and objects. Recursion ends near 1,000; JSON that means something ends far below 100."""

_MAY_HIDE_BAD_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(raw: bytes) -> Any:
    """The JSON value in `raw`.

    Raises InvalidJson (not UTF-8, syntax, NaN, too deep) and InvalidRequest with the field whose text no one can keep.
    """
    try:
        value = _decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The body must be JSON in UTF-8; byte {error.start} is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise InvalidJson(_syntax(raw, error)) from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise InvalidJson("The body holds a whole number of more digits than can be read.") from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check_depth(value)
    if b"\\u" in raw and _MAY_HIDE_BAD_TEXT.search(raw) is not None:
        _check_text(value, "")
    return value


def _syntax(raw: bytes, error: json.JSONDecodeError) -> str:
    if not raw.strip():
        return "The body is empty; send a JSON object."
    fault = error.msg.removesuffix(" at")
    return f"The body is not valid JSON: {fault} at line {error.lineno}, column {error.colno}."


def _not_a_number(word: str) -> NoReturn:
    raise InvalidJson(f"The body holds {word}, which is not JSON; send null or a number.")


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise InvalidJson("The body holds a number too large to be read.")
    return value


_decode = json.JSONDecoder(parse_constant=_not_a_number, parse_float=_number).decode


def _too_deep() -> InvalidJson:
    return InvalidJson(f"The body is nested too deep; lists and objects may be nested {MAX_DEPTH} deep.")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return
    raise _too_deep()


def _check_text(value: Any, field: str) -> None:
    if isinstance(value, str):
        _check_string(value, field)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            _check_text(element, f"{field}[{index}]")
    elif isinstance(value, dict):
        for name, element in value.items():
            _check_string(name, field)
            _check_text(element, f"{field}.{name}" if field else name)


def _check_string(text: str, field: str) -> None:
    if "\x00" in text:
        fault = "a NUL character"
    elif not text.isascii() and _LONE_SURROGATE.search(text) is not None:
        fault = "half of a surrogate pair, which is no character"
    else:
        return
    raise InvalidRequest(f"{field or 'The body'} holds {fault}; remove it.", field=field or None)
