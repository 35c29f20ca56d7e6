"""What the placeholders and secrets of a registration refer to: each must have a value where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from app.core.dialect import Dialect
from app.core.language import LanguageError, place
from app.core.template import Template

_CARRIERS = frozenset({"USER_PROMPT", "MESSAGES", "INPUT", "REQUEST"})
_IN_MESSAGES = {
    "ROLE": "{ROLE} has a value in messages.item only",
    "CONTENT": "{CONTENT} has a value in messages.item only",
}
_IN_JOBS = {
    "JOB_ID": "{JOB_ID} has a value in the job block only",
    "RESP": "{RESP:…} has a value in the job block only",
}
_WITH_AUTH = {"ACCESS_TOKEN": "{ACCESS_TOKEN} has no value without an auth block"}
_UNKNOWN_REFERENCE = re.compile(r"\$\{(?!env:)(?=[A-Za-z_]+:)[^}]*\}?")


def check_references(words: Mapping[str, Any], url: str, dialect: Dialect, may_read: Callable[[str], bool]) -> None:
    """Raises LanguageError for names that have no value where they stand, and secrets that may not be read."""
    _refuse_unknown_references({"req_url_template": url, **words}, "")
    without_auth = _WITH_AUTH if dialect.auth is None else {}
    outside = {name: words[name] for name in words if name not in ("job", "auth", "messages")}
    _refuse(dialect.parts(), {**_IN_MESSAGES, **_IN_JOBS, **without_auth}, {"req_url_template": url, **outside})
    if dialect.job is not None:
        _refuse(dialect.job.parts(), {**_IN_MESSAGES, **without_auth}, words)
        _check_result(dialect.job.reading.template)
    if dialect.auth is not None:
        fault = "a token is fetched for no caller: only {MODEL_NAME} and ${env:NAME} have a value in auth"
        _check_callerless(dialect.auth.parts(), frozenset({"MODEL_NAME"}), fault, "auth")
    _check_health(dialect, words)
    for kind, name in sorted(secret for part in _all_parts(dialect) for secret in part.secrets):
        if kind != "env":
            fault = f"${{{kind}:{name}}} is not supported by this version, only ${{env:NAME}}"
        elif not may_read(name):
            fault = f"${{env:{name}}} may not be read: ROLLCALL_SECRET_ENV does not allow the name {name}"
        else:
            continue
        raise LanguageError(fault, *_find({"req_url_template": url, **words}, f"${{{kind}:{name}}}"))


def _refuse(parts: Iterable[Template], names: Mapping[str, str], words: Mapping[str, Any]) -> None:
    for part in parts:
        for name in sorted(part.placeholders & names.keys()):
            raise LanguageError(names[name], *_find(words, "{" + name))


def _check_result(template: Template | None) -> None:
    """The result's URL is stored, so nothing secret may be in it."""
    if template is None:
        return
    if template.secrets or "ACCESS_TOKEN" in template.placeholders:
        fault = "the URL of a result is stored and shown, so it holds no secret: put that into job.download.header"
        raise LanguageError(fault, 0, "job.result_template")
    for name in sorted(template.placeholders & _IN_MESSAGES.keys()):
        raise LanguageError(_IN_MESSAGES[name], 0, "job.result_template")


def _check_health(dialect: Dialect, words: Mapping[str, Any]) -> None:
    health = dialect.health
    if health is None or health.req_url_template is None:
        return
    if health.header is not None:
        without_auth = _WITH_AUTH if dialect.auth is None else {}
        _refuse([health.header], {**_IN_MESSAGES, **_IN_JOBS, **without_auth}, {"health": words["health"]})
    known = frozenset({"MODEL_NAME"} if dialect.auth is None else {"MODEL_NAME", "ACCESS_TOKEN"})
    fault = "a health check comes from no caller: only {MODEL_NAME} and ${env:NAME} have a value in its URL"
    _check_callerless([health.req_url_template], known, fault, "health.req_url_template")


def _check_callerless(parts: Iterable[Template], known: frozenset[str], fault: str, where: str) -> None:
    if any(part.placeholders - known for part in parts):
        raise LanguageError(fault, 0, where)


def _all_parts(dialect: Dialect) -> Iterator[Template]:
    yield from dialect.parts()
    if dialect.health is not None:
        yield from (part for part in (dialect.health.req_url_template, dialect.health.header) if part is not None)
    if dialect.job is not None:
        yield from dialect.job.parts()
    if dialect.auth is not None:
        yield from dialect.auth.parts()


def check_carries(dialect: Dialect) -> None:
    """Raises LanguageError when a call of the worker would carry nothing of the caller's request."""
    for call, where in ((dialect.plain, ""), (dialect.streamed, "stream.")):
        parts = [part for part in (call.url, call.params, call.body) if part is not None]
        names = frozenset(name for part in parts for name in part.placeholders)
        if (_CARRIERS - {"MESSAGES"} if dialect.task == "embedding" else _CARRIERS).isdisjoint(names):
            fault = (
                "nothing of the caller's request is sent: {USER_PROMPT}, {MESSAGES}, {INPUT} or {REQUEST:…} must stand"
                " in body, req_param or URL" + (" (a GET request has no body)" if call.method == "GET" else "")
            )
            raise LanguageError(fault, 0, where + ("req_param" if call.method == "GET" else "body"))
        if dialect.plan.shape == "pairs" and "MESSAGES" in names and "USER_PROMPT" not in names:
            fault = "pairs are the finished turns only: {USER_PROMPT} must stand beside {MESSAGES}"
            raise LanguageError(fault, 0, "messages.shape")


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


def _find(words: Mapping[str, Any], needle: str) -> tuple[int, str]:
    """Position and place of the first text of a registration that holds `needle`."""
    return _find_in(words, "", needle) or (0, "body")


def _find_in(node: Any, where: str, needle: str) -> tuple[int, str] | None:
    if isinstance(node, str):
        return (node.index(needle), where) if needle in node else None
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    return next((found for key, item in items if (found := _find_in(item, place(where, key), needle))), None)
