"""A curl command as a registration: the call's own words, and from a system it looks like, how answers are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.core.curl import body, keys
from app.core.curl.command import CurlCall
from app.core.curl.likeness import Likeness, likeness
from app.core.curl.shell import CurlError
from app.core.moved import moved_registration
from app.core.preset import Preset, laid_over, references

_OWN_WORDS = ("model_name", "upstream_model", "req_param", "header", "body", "health")
_TASKS = {"embed": "embedding", "image": "image", "img": "image", "video": "video"}


@dataclass(frozen=True, slots=True)
class Draft:
    """`like`: the preset whose answer words these are. `answer_known`: somebody said where the answer is."""

    registration: dict[str, Any]
    like: str | None
    answer_known: bool
    notes: tuple[str, ...]


def draft(call: CurlCall, presets: Iterable[Preset], given: Mapping[str, Any]) -> Draft:
    """`given`: words that the operator names beside the command; they lie on top. Raises CurlError."""
    liked = likeness(call, presets)
    words, model = _alike(call, liked) if liked else _unlike(call)
    if call.timeout_s:
        words["timeout_s"] = call.timeout_s
    words = laid_over(words, given)
    name = words.get("model_name") or model
    if not name:
        raise CurlError("The command names no model; give the registration a name with --model.")
    if model and model != name:
        words.setdefault("upstream_model", model)
    known = bool(liked) or "response_extract" in given or "job" in given
    return Draft({"model_name": name, **words}, liked.preset.name if liked else None, known, tuple(call.notes))


def _alike(call: CurlCall, liked: Likeness) -> tuple[dict[str, Any], str | None]:
    preset = liked.preset.registration
    stream = preset.get("stream") or {}
    key = next(iter(sorted(references(preset.get("header") or {}))), None) if liked.same_host else None
    header = _header(call, preset, key)
    moved = moved_registration(_with_header(preset, header), liked.url)
    words = {word: value for word, value in moved.items() if word not in _OWN_WORDS}
    told = body.filled(call.body or {}, preset.get("body") or {}, stream.get("body") or {}, _hide(call, key))
    request = {"header": header, "req_param": keys.params(call, key), "body": told.template}
    words |= {word: value for word, value in request.items() if value}
    if liked.is_stream_url:
        words.get("req_param", {}).pop("alt", None)
    if liked.same_host and "health" in preset and (references(header) or not references(preset.get("header") or {})):
        words["health"] = preset["health"]
    ordered = {"req_url_template": words.pop("req_url_template"), **words}
    model = told.model or liked.model or (None if "{MODEL_NAME}" in json.dumps(preset) else preset["model_name"])
    return {word: value for word, value in ordered.items() if value != {}}, model


def _header(call: CurlCall, preset: Mapping[str, Any], key: str | None) -> dict[str, str]:
    """The call's headers; what kind of reply it accepts is the known system's, whose answer words are taken."""
    header = keys.headers(call, key, left_out=(preset.get("stream") or {}).get("header") or {})
    accepted = {name: value for name, value in (preset.get("header") or {}).items() if name.lower() == "accept"}
    return {name: value for name, value in header.items() if name.lower() != "accept" or not accepted} | accepted


def _with_header(preset: Mapping[str, Any], header: Mapping[str, str]) -> dict[str, Any]:
    """Blocks that repeat a header of the preset (polls) repeat the call's."""
    return Preset("", "", "", "", "", preset, {}).under({"header": header})


def _unlike(call: CurlCall) -> tuple[dict[str, Any], str | None]:
    path = urlsplit(call.url).path.lower()
    task = next((task for piece, task in _TASKS.items() if piece in path), None)
    in_query = call.body is None
    carrier = "INPUT" if task == "embedding" else "USER_PROMPT"
    told = body.guessed(call.params if in_query else call.body or {}, _hide(call, None), carrier)
    url, model = (call.url, None) if told.model else keys.model_in_path(call.url)
    words: dict[str, Any] = {
        "task": task,
        "req_type": call.method if call.method != "POST" else None,
        "req_url_template": url,
        "req_param": told.template if in_query else keys.params(call, None),
        "header": keys.headers(call, None, left_out={"Accept": "text/event-stream"}),
        "body_type": call.body_type if call.body_type != "json" else None,
        "messages": told.messages,
        "body": None if in_query else told.template,
        "output": {"type": task, "as": "json" if task == "embedding" else "url"} if task else None,
    }
    return {word: value for word, value in words.items() if value not in ({}, None)}, told.model or model


def _hide(call: CurlCall, reference: str | None) -> body.Hide:
    return lambda name, value: keys.hidden(call, name, value, reference)
