"""What a registration may show of itself: placeholders and references always, header values and secrets never."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from app.core.secret_names import names_a_secret

MASK = "***"

_REFERENCE = re.compile(r"\$\{(?:env|secret):[^}]*\}")
_PLACEHOLDER = re.compile(r"\{[A-Z][A-Z0-9_]*(?::[^{}]*)?\}")
_QUERY_PAIR = re.compile(r"(?P<lead>[?&])(?P<name>[^=&#?]+)=(?P<value>(?:\$\{[^}]*\}|[^&#])*)")
_SCHEME = re.compile(r"^\s*(?:Bearer|Basic|Token|Key|Bot)\b", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"(?:type|version|accept|mode|format|language|agent)$", re.IGNORECASE)
_PLAIN_VALUE = re.compile(
    r"true|false|on|off|enabled?|disabled?|[0-9]{1,4}(?:[-.][0-9]{1,2}){0,2}|(?:application|text|image|video)/[a-z*.+-]+",
    re.IGNORECASE,
)
_BLOCKS = ("stream", "health", "job", "auth", "download")
_USERINFO = re.compile(r"(?<=://)[^/?#@]+@")


def masked_url(url: str) -> str:
    """The URL without userinfo and without the values of query parameters that are named like secrets."""

    def pair(match: re.Match[str]) -> str:
        return f"{match['lead']}{match['name']}={_masked_value(match['name'], match['value'])}"

    return _QUERY_PAIR.sub(pair, _USERINFO.sub(MASK + "@", url))


def masked_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A registration's words (also those of its blocks) as they may be shown."""
    return {word: _MASKS[word](value) if word in _MASKS else value for word, value in spec.items()}


def exported_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a file that another server is to read: headers that can be no secret are kept."""
    return {word: _EXPORTED.get(word, _MASKS.get(word, _as_it_is))(value) for word, value in spec.items()}


def _as_it_is(value: Any) -> Any:
    return value


def masked_tree(node: Any, name: str = "") -> Any:
    """JSON with the literal values of secret-sounding names masked."""
    if isinstance(node, Mapping):
        return {key: masked_tree(value, key) for key, value in node.items()}
    if isinstance(node, list):
        return [masked_tree(item, name) for item in node]
    return _masked_value(name, node) if isinstance(node, str) else node


def _masked_headers(headers: Any) -> Any:
    return dict.fromkeys(headers, MASK) if isinstance(headers, Mapping) else headers


def _exported_headers(headers: Any) -> Any:
    if not isinstance(headers, Mapping):
        return headers
    return {name: value if _is_harmless(name, value) else MASK for name, value in headers.items()}


def _is_harmless(name: str, value: Any) -> bool:
    """References and placeholders with nothing but a scheme beside them, versions, types, switches."""
    text = str(value)
    if _REFERENCE.search(text) or _PLACEHOLDER.search(text):
        return not _SCHEME.sub("", _PLACEHOLDER.sub("", _REFERENCE.sub("", text))).strip()
    return not names_a_secret(name) and bool(_PLAIN_NAME.search(name) or _PLAIN_VALUE.fullmatch(text))


def _masked_block(block: Any) -> Any:
    return masked_spec(block) if isinstance(block, Mapping) else block


def _exported_block(block: Any) -> Any:
    return exported_spec(block) if isinstance(block, Mapping) else block


def _masked_value(name: str, value: str) -> str:
    shown = not names_a_secret(name) or _REFERENCE.search(value) or _PLACEHOLDER.fullmatch(value)
    return value if shown else MASK


_MASKS: dict[str, Callable[[Any], Any]] = {
    "header": _masked_headers,
    "req_url_template": masked_url,
    "req_param": masked_tree,
    "body": masked_tree,
    "result_template": masked_url,
    **dict.fromkeys(_BLOCKS, _masked_block),
}
_EXPORTED: dict[str, Callable[[Any], Any]] = {
    "header": _exported_headers,
    **dict.fromkeys(_BLOCKS, _exported_block),
}
