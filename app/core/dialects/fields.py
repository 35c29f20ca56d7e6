"""The checks of single fields of a chat request. By hand, because every request passes through them.

app/api/chat_schemas.py says the same for the OpenAPI document; tests/api/test_chat_schemas.py holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.core.errors import InvalidRequest

Check = Callable[[str, Any], None]

MODEL_NAME_LENGTH = 200


def refused(field: str, wanted: str, value: Any) -> InvalidRequest:
    return InvalidRequest(f"{field} must be {wanted}, not {_described(value)}.", field=field)


def _described(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return f"{value}" if abs(value) < 1e15 else "a number that large"
    if isinstance(value, str):
        return f"the string {value!r}" if len(value) <= 40 else "a string"
    empty = "" if value else "empty "
    return f"an {empty}object" if isinstance(value, dict) else f"an {empty}list" if empty else "a list"


def check_model(field: str, value: Any) -> None:
    wanted = f"the name of a registered model, a string of 1 to {MODEL_NAME_LENGTH} characters"
    if not isinstance(value, str) or not 0 < len(value) <= MODEL_NAME_LENGTH:
        raise refused(field, wanted, value) if value is not None else missing(field, wanted)


def missing(field: str, wanted: str) -> InvalidRequest:
    return InvalidRequest(f"{field} is missing: it must be {wanted}.", field=field)


def check_options(body: Mapping[str, Any]) -> None:
    """Every option that OpenAI documents, in either shape; null is as good as absent, unknown ones may be anything."""
    for name, value in body.items():
        if value is not None and (check := OPTIONS.get(name)) is not None:
            check(name, value)


def _number(low: float, high: float) -> Check:
    def check(field: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise refused(field, f"a number from {low:g} to {high:g}", value)

    return check


def _whole_number(low: int | None = None, high: int | None = None) -> Check:
    wanted = "a whole number" + (f" from {low} to {high}" if high is not None else f" of at least {low}" if low else "")

    def check(field: str, value: Any) -> None:
        if type(value) is not int or (low is not None and value < low) or (high is not None and value > high):
            raise refused(field, wanted, value)

    return check


def _typed(wanted: str, *types: type) -> Check:
    def check(field: str, value: Any) -> None:
        if type(value) not in types:
            raise refused(field, wanted, value)

    return check


def _list_of(item: Check, wanted: str) -> Check:
    def check(field: str, value: Any) -> None:
        if not isinstance(value, list):
            raise refused(field, wanted, value)
        for index, element in enumerate(value):
            item(f"{field}[{index}]", element)

    return check


def _stop(field: str, value: Any) -> None:
    if not isinstance(value, str):
        check_texts(field, value)


def _stream_options(field: str, value: Any) -> None:
    check_object(field, value)
    if value.get("include_usage") is not None:
        check_flag(f"{field}.include_usage", value["include_usage"])


check_flag = _typed("true or false", bool)
check_object = _typed("an object", dict)
check_texts = _list_of(_typed("a string", str), "a string or a list of strings")
check_text = _typed("a string", str)
check_objects = _list_of(check_object, "a list of objects")
_choice = _typed("a string or an object", str, dict)

OPTIONS: dict[str, Check] = {
    "stream": check_flag,
    "stream_options": _stream_options,
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "max_tokens": _whole_number(1),
    "max_completion_tokens": _whole_number(1),
    "n": _whole_number(1, 128),
    "seed": _whole_number(),
    "logprobs": check_flag,
    "top_logprobs": _whole_number(0, 20),
    "logit_bias": check_object,
    "stop": _stop,
    "user": check_text,
    "tools": check_objects,
    "tool_choice": _choice,
    "parallel_tool_calls": check_flag,
    "functions": check_objects,
    "function_call": _choice,
    "response_format": check_object,
    "metadata": check_object,
}
