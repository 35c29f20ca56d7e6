"""The JSON that the management routes take. Types and names are checked here, meaning in core/registration.py.

The same schemas make the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import validate

from app.api.arguments import load
from app.api.fields import (
    Block,
    Closed,
    Condition,
    Flag,
    Headers,
    Json,
    Number,
    PathOrPaths,
    Text,
    Texts,
    Tree,
    Whole,
)
from app.core.chat_fields import MODEL_NAME_LENGTH
from app.core.registration import LATER_WORDS, MAX_NAME, MAX_WEIGHT
from app.core.urls import MAX_URL

_METHOD = validate.OneOf(["POST", "GET"])
_WEIGHT = validate.Range(0, MAX_WEIGHT)
_ADMIN = validate.OneOf(["enabled", "draining", "offline"])
_STATUS = validate.OneOf(["available", "down", "unknown", "draining", "offline"])
_POSITIVE = validate.Range(0, min_inclusive=False)
_AT_LEAST_ONE = validate.Range(1)
_MODEL_NAME = validate.Length(1, MODEL_NAME_LENGTH, error=f"must have 1 to {MODEL_NAME_LENGTH} characters")
_SHORT = validate.Length(0, MAX_NAME, error=f"must have at most {MAX_NAME} characters")
_URL = validate.Length(0, MAX_URL, error=f"must have at most {MAX_URL} characters")

_BODY = "Request body. Strings may hold placeholders like {USER_PROMPT}, {MESSAGES} or {MODEL_NAME}."
_HEADER = "Headers sent to the endpoint; ${env:NAME} reads an allowed environment variable. Values are never shown."


def _about(text: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"description": text, **more}}


class UsageWords(Closed):
    prompt = PathOrPaths(**_about("Path of the prompt's token count, or a list of paths that are summed."))
    completion = PathOrPaths(**_about("Path of the answer's token count, or a list of paths that are summed."))


class MessagesWords(Closed):
    """How {MESSAGES} is built from the caller's conversation."""

    system = Text(validate=validate.OneOf(["inline", "separate", "first_user", "drop"]))
    roles = Headers(**_about('The endpoint\'s names of roles, like {"assistant": "model"}.'))
    item = Json(**_about("One message, with {ROLE} and {CONTENT}."))
    shape = Text(**_about("list (default): a list of messages."))


class StreamWords(Closed):
    """What differs when the call is streamed; every word left out is taken from the registration."""

    req_type = Text(validate=_METHOD)
    req_url_template = Text()
    req_param = Tree()
    header = Headers(**_about(_HEADER))
    body = Tree(**_about("Laid over the registration's body."))
    framing = Text(**_about("How the pieces arrive: sse."))
    mode = Text(
        validate=validate.OneOf(["delta", "cumulative"]),
        **_about("delta (default): each piece continues the text; cumulative: it repeats what came before."),
    )
    when = Condition(**_about("Only pieces for which this holds carry text."))
    delta_extract = Text(**_about("Path of the text in a piece."))
    finish_extract = Text(**_about("Path of the reason why it ended."))
    usage = Block(UsageWords)
    done = Text(**_about("The data that ends the stream, like [DONE]."))
    done_when = Condition(**_about("The piece that ends the stream."))


class HealthWords(Closed):
    req_url_template = Text(**_about("URL of the probe; any answer below 400 is up."))
    req_type = Text(validate=_METHOD, **_about("GET by default."))
    header = Headers(**_about("Instead of the registration's headers."))
    expect = Condition(**_about("What must hold on the JSON reply."))
    interval_s = Number(validate=_POSITIVE)
    timeout_s = Number(validate=_POSITIVE)
    fall = Whole(validate=_AT_LEAST_ONE, **_about("Failures in a row that mark it down."))
    rise = Whole(validate=_AT_LEAST_ONE, **_about("Successes in a row that mark it up again."))
    tcp = Flag(**_about("Only ask whether it accepts connections."))


class RegistrationWords(Closed):
    """A registration: which endpoint serves which model, and how it wants to be asked."""

    LATER = frozenset([*LATER_WORDS, "preset"])

    model_name = Text(
        required=True,
        validate=_MODEL_NAME,
        **_about("Callers ask for this name; several registrations of one name share its traffic.", example="proxyllm"),
    )
    req_url_template = Text(
        required=True,
        **_about("URL of the endpoint; may hold placeholders.", example="http://127.0.0.1:8008/api/generate"),
    )
    req_type = Text(validate=_METHOD, **_about("POST by default."))
    req_param = Tree(**_about("Query parameters; may hold placeholders."))
    is_stream = Flag(**_about("true: the endpoint always streams."))
    header = Headers(**_about(_HEADER))
    body = Tree(**_about(_BODY, example={"input": "{USER_PROMPT}", "model_name": "{MODEL_NAME}"}))
    owner = Text(**_about("Who owns the model."))
    worker_type = Text(validate=validate.OneOf(["REMOTE", "LOCAL"]), **_about("A label; REMOTE by default."))
    response_extract = Text(
        **_about("Path of the answer's text; empty: the whole body.", example="data.items[].attributes.answer")
    )
    weight = Whole(validate=_WEIGHT, **_about("Share of the traffic, 1 by default; 0 is a standby."))
    instance = Text(validate=_SHORT, **_about("Tells apart several registrations of one model at one URL."))
    upstream_model = Text(**_about("The endpoint's own name of the model: what {MODEL_NAME} gives."))
    messages = Block(MessagesWords)
    stream = Block(StreamWords)
    finish_extract = Text(**_about("Path of the reason why the answer ended."))
    usage = Block(UsageWords)
    error = Condition(**_about("What means failure although HTTP said 200."))
    error_extract = Text(**_about("Path of a failure's message."))
    retry = Texts(
        validate=validate.ContainsOnly(
            ["502", "504", "reset", "timeout"], error='may hold "502", "504", "reset", "timeout"'
        ),
        **_about("Failures after which another worker may be asked although the request may have run."),
    )
    retry_when = Condition(**_about("Replies of any status after which another worker is asked."))
    timeout_s = Number(validate=_POSITIVE, **_about("Deadline of one request in seconds; 600 by default."))
    health = Block(HealthWords)


class UpsertWords(RegistrationWords):
    admin = Text(validate=_ADMIN, **_about("Left as it is unless named."))


class RegisterQuery(Closed):
    dry_run = Text(
        load_default="false",
        validate=validate.OneOf(["true", "false"]),
        **_about("true: answer the request that would be sent for a sample prompt, and store nothing."),
    )


class OfflineWords(Closed):
    """Either `id`, or `model_name` and `req_url_template`."""

    id = Whole(attribute="worker_id", validate=_AT_LEAST_ONE)
    model_name = Text(validate=_MODEL_NAME)
    req_url_template = Text(attribute="url", validate=_URL)
    instance = Text(validate=_SHORT, **_about("Left out: all instances at that URL."))
    drain = Flag(load_default=False, **_about("true: finish open requests, take no new ones."))


class ChangeWords(Closed):
    weight = Whole(validate=_WEIGHT)
    admin = Text(validate=_ADMIN)


class WorkersQuery(Closed):
    model_name = Text(validate=_MODEL_NAME)
    owner = Text(validate=_SHORT)
    status = Text(validate=_STATUS)
    limit = Whole(text=True, validate=validate.Range(1, 1000), **_about("Rows per page; all rows without it."))
    cursor = Whole(
        text=True, validate=validate.Range(0, 2**63 - 1), load_default=0, **_about("`next_cursor` of the page before.")
    )


class RouteQuery(Closed):
    model_name = Text(required=True, validate=_MODEL_NAME)


def registration(raw: Any, *, upsert: bool = False) -> Mapping[str, Any]:
    """A registration that did not come over HTTP, checked in the same way; raises InvalidField."""
    checked: Mapping[str, Any] = load(UpsertWords() if upsert else RegistrationWords(), raw)
    return checked
