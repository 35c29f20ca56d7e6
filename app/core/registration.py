"""From a registration's JSON, whose names and types are checked already, to what is stored: all that it means."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.block_checks import check_blocks, unused
from app.core.dialect import Dialect, compile_words
from app.core.errors import InvalidField
from app.core.language import LanguageError
from app.core.references import check_carries, check_references
from app.core.targets import USUAL, Targets
from app.core.urls import is_template
from app.core.word_checks import check_addresses, check_targets, check_values
from app.core.worker import Admin

MAX_NAME = 255
MAX_WEIGHT = 1000
MIN_TTL_S = 5
MAX_TTL_S = 86_400

CONVERSATION_NOTE = (
    "conversation not carried: the template holds neither {MESSAGES} nor {SYSTEM_PROMPT}, "
    "so the worker gets the last user message only"
)
_SPEC_WORDS = (
    *("req_type", "req_param", "header", "body", "response_extract", "is_stream", "messages", "stream"),
    *("finish_extract", "usage", "error", "error_extract", "retry", "retry_when", "timeout_s", "health"),
    *("task", "body_type", "output", "limits", "job", "auth"),
)
_SEED_DEFAULTS: Mapping[str, Any] = {
    "req_type": "POST",
    "req_param": {},
    "header": {},
    "body": None,
    "response_extract": "",
    "is_stream": False,
}
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Registration:
    """`weight`, `admin` None: not named. `spec`: canonical JSON of all words that are no field here.

    `ttl_s`: seconds after which it expires unless it is registered again; None: never.
    `notes`: what the operator should know about a registration that is taken all the same.
    """

    model_name: str
    url: str = dataclasses.field(repr=False)
    spec: str = dataclasses.field(repr=False)
    instance: str = ""
    owner: str = ""
    worker_type: str = "REMOTE"
    weight: int | None = None
    upstream_model: str | None = None
    admin: Admin | None = None
    notes: tuple[str, ...] = ()
    ttl_s: int | None = None


def parse_registration(
    raw: Mapping[str, Any], may_read: Callable[[str], bool], targets: Targets = USUAL
) -> Registration:
    """`may_read`: may a registration read the environment variable of this name? `targets`: where may workers be?

    Raises InvalidField with the place of the fault, such as `body.messages[0].content`.
    """
    words = {word: raw[word] for word in _SPEC_WORDS if raw.get(word) is not None}
    if made := (words.get("output") or {}).get("type"):
        words.setdefault("task", made)
    url = raw.get("req_url_template") or ""
    check_values(words)
    try:
        dialect = _compiled(words, url)
        check_references(words, url, dialect, may_read)
        check_carries(dialect)
        check_targets(words, url, targets)
        check_blocks(words)
    except LanguageError as error:
        raise InvalidField(f"{_sentence(error)}.", field=error.where) from None
    return Registration(
        model_name=_name(raw, "model_name") or _missing("model_name"),
        url=url,
        spec=_canonical({**_SEED_DEFAULTS, **words}),
        instance=_name(raw, "instance"),
        owner=_name(raw, "owner"),
        worker_type=raw.get("worker_type") or "REMOTE",
        weight=_weight(raw.get("weight")),
        upstream_model=_name(raw, "upstream_model") or None,
        admin=raw.get("admin"),
        notes=_notes(dialect, words),
        ttl_s=_ttl(raw.get("ttl_s")),
    )


def _compiled(words: Mapping[str, Any], url: str) -> Dialect:
    if not url:
        _missing("req_url_template")
    check_addresses(words, url)
    return compile_words(words, url if is_template(url) else "")


def _weight(weight: int | None) -> int | None:
    if weight is not None and not 0 <= weight <= MAX_WEIGHT:
        raise InvalidField(f"weight must be 0 to {MAX_WEIGHT}; 0 is standby.", field="weight")
    return weight


def _ttl(seconds: int | None) -> int | None:
    if seconds is not None and not MIN_TTL_S <= seconds <= MAX_TTL_S:
        raise InvalidField(f"ttl_s must be {MIN_TTL_S} to {MAX_TTL_S} seconds.", field="ttl_s")
    return seconds


def _name(raw: Mapping[str, Any], field: str) -> str:
    text: str = raw.get(field) or ""
    if len(text) > MAX_NAME:
        raise InvalidField(f"{field} has at most {MAX_NAME} characters; this one has {len(text)}.", field=field)
    if bad := _UNPRINTABLE.search(text):
        raise InvalidField(f"{field} holds a control character (position {bad.start()}).", field=field)
    if text != text.strip():
        raise InvalidField(f"{field} begins or ends with a space.", field=field)
    return text


def _missing(field: str) -> str:
    raise InvalidField(f"{field} is missing.", field=field)


def _canonical(words: Mapping[str, Any]) -> str:
    """ASCII, so that whatever text a template holds can be stored. Raises InvalidField."""
    try:
        return json.dumps(words, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise InvalidField("The registration holds NaN or Infinity, which JSON cannot carry.", field="body") from None


def _notes(dialect: Dialect, words: Mapping[str, Any]) -> tuple[str, ...]:
    lost = dialect.task == "text" and not dialect.carries_conversation
    notes = [CONVERSATION_NOTE] if lost else []
    if "SYSTEM_PROMPT" in dialect.plain.carried.names and dialect.plan.system != "separate":
        notes.append('{SYSTEM_PROMPT} stays empty: it is filled when "messages" is {"system": "separate"}')
    if dialect.plain.method == "GET" and words.get("body"):
        notes.append("body is not sent: a GET request has none")
    return (*notes, *unused(words, dialect))


def _sentence(error: LanguageError) -> str:
    place_of = f"{error.where}: " if error.where else ""
    return f"{place_of}{error.message} (position {error.position})"
