"""What a registration may show of itself: placeholders and references always, header values and secrets never."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

MASK = "***"

_SECRET_NAME = re.compile(
    r"(?:^|[^a-z])(?:api_?key|key|token|secret|passwd|password|pwd|sig|signature|credentials?|auth|authorization|cookie)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_REFERENCE = re.compile(r"\$\{(?:env|secret):[^}]*\}")
_PLACEHOLDER = re.compile(r"\{[A-Z][A-Z0-9_]*(?::[^{}]*)?\}")
_QUERY_PAIR = re.compile(r"(?P<lead>[?&])(?P<name>[^=&#?]+)=(?P<value>(?:\$\{[^}]*\}|[^&#])*)")
_USERINFO = re.compile(r"(?<=://)[^/?#@]+@")


def names_a_secret(name: str) -> bool:
    """`api_key`, `X-Auth-Token`, `accessKey`; not `max_tokens` or `keywords`."""
    return bool(_SECRET_NAME.search(_CAMEL.sub("_", name).lower()))


def masked_url(url: str) -> str:
    """The URL without userinfo and without the values of query parameters that are named like secrets."""

    def pair(match: re.Match[str]) -> str:
        return f"{match['lead']}{match['name']}={_masked_value(match['name'], match['value'])}"

    return _QUERY_PAIR.sub(pair, _USERINFO.sub(MASK + "@", url))


def masked_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A registration's words (also of its `stream` and `health` blocks) as they may be shown."""
    return {word: _MASKS[word](value) if word in _MASKS else value for word, value in spec.items()}


def masked_tree(node: Any, name: str = "") -> Any:
    """JSON with the literal values of secret-sounding names masked."""
    if isinstance(node, Mapping):
        return {key: masked_tree(value, key) for key, value in node.items()}
    if isinstance(node, list):
        return [masked_tree(item, name) for item in node]
    return _masked_value(name, node) if isinstance(node, str) else node


def _masked_headers(headers: Any) -> Any:
    return dict.fromkeys(headers, MASK) if isinstance(headers, Mapping) else headers


def _masked_block(block: Any) -> Any:
    return masked_spec(block) if isinstance(block, Mapping) else block


def _masked_value(name: str, value: str) -> str:
    shown = not names_a_secret(name) or _REFERENCE.search(value) or _PLACEHOLDER.fullmatch(value)
    return value if shown else MASK


_MASKS: dict[str, Callable[[Any], Any]] = {
    "header": _masked_headers,
    "req_url_template": masked_url,
    "req_param": masked_tree,
    "body": masked_tree,
    "stream": _masked_block,
    "health": _masked_block,
}
