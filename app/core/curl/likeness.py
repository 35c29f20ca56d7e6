"""Which known system a call looks like: the end of its URL, and where its prompt stands. Judged from the presets."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from app.core.curl.command import CurlCall
from app.core.curl.guesses import CARRIERS, Place, leaves, look, whole_placeholder
from app.core.preset import Preset

_LIST = "MESSAGES"
_PLACEHOLDER = re.compile(r"(?<!\$)\{[A-Z][A-Z0-9_]*(?::[^{}]*)?\}")
_OWN_WORDS = ("model_name", "upstream_model", "req_url_template", "req_param", "header", "body", "health", "limits")


@dataclass(frozen=True, slots=True)
class Likeness:
    """`url`: the call's host with the preset's path. `model`: its name where the call's URL held it."""

    preset: Preset
    url: str
    model: str | None
    same_host: bool
    is_stream_url: bool


def likeness(call: CurlCall, presets: Iterable[Preset]) -> Likeness | None:
    """The best of those that fit; of equals a generic one, or else the answer words that most of them have."""
    fitting = [found for preset in presets if (found := _fit(call, preset)) is not None]
    if not fitting:
        return None
    best = max(score for score, _ in fitting)
    equals = [found for score, found in fitting if score == best]
    votes = Counter(_answer_words(found.preset) for found in equals)
    return max(equals, key=lambda found: (found.preset.generic, votes[_answer_words(found.preset)]))


def _fit(call: CurlCall, preset: Preset) -> tuple[tuple[int, ...], Likeness] | None:
    words = preset.registration
    body_score = _body_score(call, words)
    if body_score is None or call.body_type != words.get("body_type", "json"):
        return None
    urls = [(words["req_url_template"], False), ((words.get("stream") or {}).get("req_url_template") or "", True)]
    found = [fit for url, streamed in urls if url and (fit := _url_fit(call, preset, url, streamed)) is not None]
    if not found:
        return None
    length, liked = max(found, key=lambda each: each[0])
    return (int(liked.same_host), length, body_score), liked


def _url_fit(call: CurlCall, preset: Preset, url: str, streamed: bool) -> tuple[int, Likeness] | None:
    """The number of segments that both URLs end with; None when it says too little."""
    theirs, ours = urlsplit(url.partition("?")[0]), urlsplit(call.url)
    wanted, given = _segments(theirs.path), _segments(ours.path)
    count, model = 0, None
    while count < min(len(wanted), len(given)):
        match = _segment(wanted[-1 - count]).fullmatch(unquote(given[-1 - count]))
        if match is None:
            break
        model = match.groupdict().get("model") or model
        count += 1
    same_host = theirs.netloc.lower() == ours.netloc.lower()
    if count != len(wanted) and (count < 2 and not (same_host and count)):
        return None
    if not wanted and given:
        return None
    main = urlsplit(preset.registration["req_url_template"].partition("?")[0])
    kept = given[: len(given) - count] + _segments(main.path)[len(wanted) - count :]
    target = f"{ours.scheme}://{ours.netloc}/{'/'.join(kept)}"
    return count, Likeness(preset, target, model, same_host, streamed)


def _segment(template: str) -> re.Pattern[str]:
    """A segment of a preset's path as a pattern; {MODEL_NAME} in it is remembered."""
    parts = _PLACEHOLDER.split(template)
    names = _PLACEHOLDER.findall(template)
    pattern = re.escape(parts[0])
    for name, part in zip(names, parts[1:], strict=True):
        pattern += ("(?P<model>.+)" if name == "{MODEL_NAME}" else ".+") + re.escape(part)
    return re.compile(pattern)


def _body_score(call: CurlCall, words: Mapping[str, Any]) -> int | None:
    """How many fields of the call the preset knows, less what it sends and the call does not. None: another prompt."""
    template, body = words.get("body") or {}, call.body or {}
    for at, node in leaves(template):
        name = whole_placeholder(node)
        if name in CARRIERS and not _carries(look(body, at), name, (words.get("messages") or {}).get("shape")):
            return None
    if not _carrier_places(template):
        return None
    literal = sum(1 for at, node in leaves(template) if not whole_placeholder(node) and look(body, at) is None)
    return 2 * len(template.keys() & body.keys()) - literal


def _carries(value: Any, name: str | None, shape: str | None) -> bool:
    if name == _LIST and shape in (None, "list", "pairs"):
        return isinstance(value, list) or (shape != "pairs" and isinstance(value, str))
    return isinstance(value, str) or (name == "INPUT" and isinstance(value, list))


def _carrier_places(template: Any) -> list[Place]:
    return [at for at, node in leaves(template) if whole_placeholder(node) in CARRIERS]


def _answer_words(preset: Preset) -> str:
    kept = {word: value for word, value in preset.registration.items() if word not in _OWN_WORDS}
    return json.dumps(kept, sort_keys=True)


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]
