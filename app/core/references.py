"""What the placeholders and secrets of a registration refer to: each must have a value where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.core.dialect import Dialect
from app.core.language import LanguageError, place
from app.core.template import Template

_CARRIERS = frozenset({"USER_PROMPT", "MESSAGES", "INPUT", "REQUEST"})
_ELSEWHERE = {
    "ROLE": "{ROLE} has a value in messages.item only",
    "CONTENT": "{CONTENT} has a value in messages.item only",
    "JOB_ID": "{JOB_ID} belongs to jobs, which this version does not support",
    "RESP": "{RESP:…} belongs to jobs, which this version does not support",
    "ACCESS_TOKEN": "{ACCESS_TOKEN} belongs to auth, which this version does not support",
}
_UNKNOWN_REFERENCE = re.compile(r"\$\{(?!env:)(?=[A-Za-z_]+:)[^}]*\}?")


def check_references(words: Mapping[str, Any], url: str, dialect: Dialect, may_read: Callable[[str], bool]) -> None:
    """Raises LanguageError for names that have no value where they stand, and secrets that may not be read."""
    _refuse_unknown_references({"req_url_template": url, **words}, "")
    for part in dialect.parts():
        for name in sorted(part.placeholders & _ELSEWHERE.keys()):
            raise LanguageError(_ELSEWHERE[name], *_find(words, url, "{" + name))
    _check_item(dialect.plan.item)
    _check_health(dialect)
    for kind, name in sorted(secret for part in _with_health(dialect) for secret in part.secrets):
        if kind != "env":
            fault = f"${{{kind}:{name}}} is not supported by this version, only ${{env:NAME}}"
        elif not may_read(name):
            fault = f"${{env:{name}}} may not be read: ROLLCALL_SECRET_ENV does not allow the name {name}"
        else:
            continue
        raise LanguageError(fault, *_find(words, url, f"${{{kind}:{name}}}"))


def _check_item(item: Template | None) -> None:
    if item is None:
        return
    if "CONTENT" not in item.placeholders:
        raise LanguageError("a message's shape must hold {CONTENT}", 0, "messages.item")
    if item.secrets or item.placeholders - {"ROLE", "CONTENT"}:
        raise LanguageError("a message's shape holds no placeholder but {ROLE} and {CONTENT}", 0, "messages.item")


def _check_health(dialect: Dialect) -> None:
    health = dialect.health
    named = health.req_url_template.placeholders if health is not None and health.req_url_template else frozenset()
    if named - {"MODEL_NAME"}:
        fault = "a health check comes from no caller: only {MODEL_NAME} and ${env:NAME} have a value in its URL"
        raise LanguageError(fault, 0, "health.req_url_template")


def _with_health(dialect: Dialect) -> Iterable[Template]:
    yield from dialect.parts()
    if dialect.health is not None:
        yield from (part for part in (dialect.health.req_url_template, dialect.health.header) if part is not None)


def check_carries(dialect: Dialect) -> None:
    """Raises LanguageError when a call of the worker would carry nothing of the caller's request."""
    for call, where in ((dialect.plain, ""), (dialect.streamed, "stream.")):
        parts = [part for part in (call.url, call.params, call.body) if part is not None]
        if _CARRIERS.isdisjoint(name for part in parts for name in part.placeholders):
            fault = (
                "nothing of the caller's request is sent: {USER_PROMPT}, {MESSAGES}, {INPUT} or {REQUEST:…} must stand"
                " in body, req_param or URL" + (" (a GET request has no body)" if call.method == "GET" else "")
            )
            raise LanguageError(fault, 0, where + ("req_param" if call.method == "GET" else "body"))


def _refuse_unknown_references(node: Any, where: str) -> None:
    """`${vault:x}` would be sent as it is, which is never what was meant."""
    if isinstance(node, str):
        if match := _UNKNOWN_REFERENCE.search(node):
            raise LanguageError(f"{match[0][:40]} is no known reference, only ${{env:NAME}}", match.start(), where)
    elif isinstance(node, Mapping):
        for key, item in node.items():
            _refuse_unknown_references(item, place(where, key))
    elif isinstance(node, list):
        for i, item in enumerate(node):
            _refuse_unknown_references(item, place(where, i))


def _find(words: Mapping[str, Any], url: str, needle: str) -> tuple[int, str]:
    """Position and place of the first text of a registration that holds `needle`."""
    return _find_in({"req_url_template": url, **words}, "", needle) or (0, "body")


def _find_in(node: Any, where: str, needle: str) -> tuple[int, str] | None:
    if isinstance(node, str):
        return (node.index(needle), where) if needle in node else None
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    return next((found for key, item in items if (found := _find_in(item, place(where, key), needle))), None)
