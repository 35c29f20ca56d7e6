"""The JSON that the management routes take. Types and names are checked here, meaning in core/registration.py.

The same schemas make the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from marshmallow import pre_load, validate

from app.api.arguments import load
from app.api.fields import Block, Closed, Condition, Flag, Headers, Number, Text, Texts, Tree, Whole
from app.api.word_schemas import (
    AT_LEAST_ONE,
    HEADER,
    METHOD,
    POSITIVE,
    AuthWords,
    HealthWords,
    JobWords,
    MessagesWords,
    OutputWords,
    StreamWords,
    UsageWords,
    about,
)
from app.core.dialects.fields import MODEL_NAME_LENGTH
from app.core.registration import MAX_NAME, MAX_TTL_S, MAX_WEIGHT, MIN_TTL_S
from app.core.urls import MAX_URL
from app.core.word_checks import BODY_TYPES, TASKS
from app.core.worker import Status
from app.services.presets import expanded

_WEIGHT = validate.Range(0, MAX_WEIGHT)
_ADMIN = validate.OneOf(["enabled", "draining", "offline"])
_STATUS = validate.OneOf(get_args(Status))
_MODEL_NAME = validate.Length(1, MODEL_NAME_LENGTH, error=f"must have 1 to {MODEL_NAME_LENGTH} characters")
_SHORT = validate.Length(0, MAX_NAME, error=f"must have at most {MAX_NAME} characters")
_URL = validate.Length(0, MAX_URL, error=f"must have at most {MAX_URL} characters")

_SEEDS = ("req_type", "req_param", "is_stream", "header", "body", "owner", "worker_type", "response_extract")
"""Words of the seed that may be null there, which means that they are left out."""
_BODY = "Request body. Strings may hold placeholders like {USER_PROMPT}, {MESSAGES} or {MODEL_NAME}."


class RegistrationWords(Closed):
    """A registration: which endpoint serves which model, and how it wants to be asked."""

    model_name = Text(
        required=True,
        validate=_MODEL_NAME,
        **about("Callers ask for this name; several registrations of one name share its traffic.", example="proxyllm"),
    )
    req_url_template = Text(
        required=True,
        **about("URL of the endpoint; may hold placeholders.", example="http://127.0.0.1:8008/api/generate"),
    )
    req_type = Text(validate=METHOD, **about("POST by default."))
    req_param = Tree(**about("Query parameters; may hold placeholders."))
    is_stream = Flag(**about("true: the endpoint always streams."))
    header = Headers(**about(HEADER))
    body = Tree(**about(_BODY, example={"input": "{USER_PROMPT}", "model_name": "{MODEL_NAME}"}))
    owner = Text(**about("Who owns the model."))
    worker_type = Text(validate=validate.OneOf(["REMOTE", "LOCAL"]), **about("A label; REMOTE by default."))
    response_extract = Text(
        **about("Path of the answer's text; empty: the whole body.", example="data.items[].attributes.answer")
    )
    weight = Whole(validate=_WEIGHT, **about("Share of the traffic, 1 by default; 0 is a standby."))
    instance = Text(validate=_SHORT, **about("Tells apart several registrations of one model at one URL."))
    upstream_model = Text(**about("The endpoint's own name of the model: what {MODEL_NAME} gives."))
    messages = Block(MessagesWords)
    stream = Block(StreamWords)
    finish_extract = Text(**about("Path of the reason why the answer ended."))
    usage = Block(UsageWords)
    error = Condition(**about("What means failure although HTTP said 200."))
    error_extract = Text(**about("Path of a failure's message."))
    retry = Texts(
        validate=validate.ContainsOnly(
            ["502", "504", "reset", "timeout"], error='may hold "502", "504", "reset", "timeout"'
        ),
        **about("Failures after which another worker may be asked although the request may have run."),
    )
    retry_when = Condition(**about("Replies of any status after which another worker is asked."))
    timeout_s = Number(validate=POSITIVE, **about("Deadline of one request in seconds; 600 by default."))
    health = Block(HealthWords)
    task = Text(validate=validate.OneOf(TASKS), **about("What the endpoint makes; text by default."))
    body_type = Text(validate=validate.OneOf(BODY_TYPES), **about("How the body is sent; json by default."))
    output = Block(OutputWords)
    limits = Tree(
        **about(
            "concurrency: calls that each host has open at once; PLACEHOLDER: {min, max} that bound its number.",
            example={"concurrency": 1, "MODEL_TEMPERATURE": {"min": 0.01, "max": 1}},
        )
    )
    job = Block(JobWords)
    auth = Block(AuthWords)
    ttl_s = Whole(
        validate=validate.Range(MIN_TTL_S, MAX_TTL_S),
        **about("Seconds until it expires unless it is registered again; it never expires without."),
    )
    preset = Text(**about("Name of a preset; what else the registration says is laid over it.", example="llmserver"))

    @pre_load
    def refuse_unknown_names(self, data: Any, **more: Any) -> Any:
        """Also of a preset's words, which the caller's overlay: from here on it is an ordinary registration."""
        if isinstance(data, Mapping):
            data = {word: item for word, item in data.items() if item is not None or word not in _SEEDS}
            data = expanded(data)
        return super().refuse_unknown_names(data, **more)


class UpsertWords(RegistrationWords):
    admin = Text(validate=_ADMIN, **about("Left as it is unless named."))


class RegisterQuery(Closed):
    dry_run = Text(
        load_default="false",
        validate=validate.OneOf(["true", "false"]),
        **about("true: answer the request that would be sent for a sample prompt, and store nothing."),
    )


class OfflineWords(Closed):
    """Either `id`, or `model_name` and `req_url_template`."""

    id = Whole(attribute="worker_id", validate=AT_LEAST_ONE)
    model_name = Text(validate=_MODEL_NAME)
    req_url_template = Text(attribute="url", validate=_URL)
    instance = Text(validate=_SHORT, **about("Left out: all instances at that URL."))
    drain = Flag(load_default=False, **about("true: finish open requests, take no new ones."))


class ChangeWords(Closed):
    weight = Whole(validate=_WEIGHT)
    admin = Text(validate=_ADMIN)


class NoWords(Closed):
    """An empty object: that there is a body of JSON keeps web pages from sending it."""


class WorkersQuery(Closed):
    model_name = Text(validate=_MODEL_NAME)
    owner = Text(validate=_SHORT)
    status = Text(validate=_STATUS)
    limit = Whole(text=True, validate=validate.Range(1, 1000), **about("Rows per page; all rows without it."))
    cursor = Whole(
        text=True, validate=validate.Range(0, 2**63 - 1), load_default=0, **about("`next_cursor` of the page before.")
    )


class RouteQuery(Closed):
    model_name = Text(required=True, validate=_MODEL_NAME)


def registration(raw: Any, *, upsert: bool = False) -> Mapping[str, Any]:
    """A registration that did not come over HTTP, checked in the same way; raises InvalidField."""
    checked: Mapping[str, Any] = load(UpsertWords() if upsert else RegistrationWords(), raw)
    return checked
