"""The blocks of a registration. Types and names are checked here, meaning in core/registration.py."""

from __future__ import annotations

from typing import Any

from marshmallow import validate

from app.api.fields import Block, Closed, Condition, Flag, Headers, Json, Number, PathOrPaths, Text, Tree, Whole
from app.core.framings import FRAMINGS
from app.core.output import OUTPUTS
from app.core.word_checks import BODY_TYPES, MODES, SHAPES, SYSTEMS, TASKS

METHOD = validate.OneOf(["POST", "GET"])
POSITIVE = validate.Range(0, min_inclusive=False)
AT_LEAST_ONE = validate.Range(1)
HEADER = "Headers sent to the endpoint; ${env:NAME} reads an allowed environment variable. Values are never shown."


def about(text: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"description": text, **more}}


class UsageWords(Closed):
    prompt = PathOrPaths(**about("Path of the prompt's token count, or a list of paths that are summed."))
    completion = PathOrPaths(**about("Path of the answer's token count, or a list of paths that are summed."))


class MessagesWords(Closed):
    """How {MESSAGES} is built from the caller's conversation."""

    system = Text(validate=validate.OneOf(SYSTEMS))
    roles = Headers(**about('The endpoint\'s names of roles, like {"assistant": "model"}.'))
    item = Json(**about("One message, with {ROLE} and {CONTENT}; of shape text: {system, user, assistant, end}."))
    shape = Text(
        validate=validate.OneOf(SHAPES),
        **about("list (default): a list of messages; pairs: [[user, assistant], …] of finished turns; text: one text."),
    )


class StreamWords(Closed):
    """What differs when the call is streamed; every word left out is taken from the registration."""

    req_type = Text(validate=METHOD)
    req_url_template = Text()
    req_param = Tree()
    header = Headers(**about(HEADER))
    body = Tree(**about("Laid over the registration's body."))
    framing = Text(
        validate=validate.OneOf(FRAMINGS),
        **about("How the pieces arrive: server-sent events (default), JSON lines, JSON after NUL, one array, text."),
    )
    mode = Text(
        validate=validate.OneOf(MODES),
        **about("delta (default): each piece continues the text; cumulative: it repeats what came before."),
    )
    when = Condition(**about("Only pieces for which this holds carry text."))
    delta_extract = Text(**about("Path of the text in a piece."))
    finish_extract = Text(**about("Path of the reason why it ended."))
    usage = Block(UsageWords)
    done = Text(**about("The data that ends the stream, like [DONE]."))
    done_when = Condition(**about("The piece that ends the stream."))


class HealthWords(Closed):
    req_url_template = Text(**about("URL of the probe; any answer below 400 is up."))
    req_type = Text(validate=METHOD, **about("GET by default."))
    header = Headers(**about("Instead of the registration's headers."))
    expect = Condition(**about("What must hold on the JSON reply."))
    interval_s = Number(validate=POSITIVE)
    timeout_s = Number(validate=POSITIVE)
    fall = Whole(validate=AT_LEAST_ONE, **about("Failures in a row that mark it down."))
    rise = Whole(validate=AT_LEAST_ONE, **about("Successes in a row that mark it up again."))
    tcp = Flag(**about("Only ask whether it accepts connections."))


class OutputWords(Closed):
    """What the endpoint makes, where that is not plain text at `response_extract`."""

    type = Text(validate=validate.OneOf(TASKS), **about("As `task`."))
    as_ = Text(
        data_key="as",
        attribute="as",
        validate=validate.OneOf(OUTPUTS),
        **about("In which form the answer comes; text, url for images and videos, json for embeddings by default."),
    )
    regex = Text(**about("Taken from the text at `response_extract`: its group 1, or the whole match."))
    strip_prompt = Flag(**about("true: the endpoint repeats the prompt in front of its answer."))


class DownloadWords(Closed):
    header = Headers(**about("Headers with which the result is fetched; none by default."))


class JobWords(Closed):
    """An endpoint that takes work and is asked about it until it is over."""

    id_extract = Text(**about("Path of the job's id in the reply to the submit."))
    req_type = Text(validate=METHOD, **about("GET by default."))
    req_url_template = Text(**about("Where the job is asked about; may hold {JOB_ID} and {RESP:path}."))
    header = Headers(**about("Instead of the registration's headers."))
    framing = Text(
        validate=validate.OneOf([name for name in FRAMINGS if name != "text"]),
        **about("The answer to the one poll is itself a stream, read by the `stream` block."),
    )
    done_when = Condition(**about("On the poll's reply; {JOB_ID} may stand in paths."))
    failed_when = Condition(**about("On the poll's reply."))
    result_extract = Text(**about("Path of the result, or of several."))
    result_template = Text(**about("URL of the result, with {JOB_ID} and {RESP:path} of the poll's reply."))
    error_extract = Text(**about("Path of the reason of a failure."))
    progress_extract = Text(**about('Path of the progress: "40%", 40 or 0.4.'))
    interval_s = Number(validate=POSITIVE, **about("Seconds between polls; 2 by default."))
    timeout_s = Number(validate=POSITIVE, **about("Seconds after which the job has failed; 600 by default."))
    download = Block(DownloadWords)


class AuthWords(Closed):
    """A token exchange; {ACCESS_TOKEN} gives the token."""

    req_type = Text(validate=METHOD, **about("POST by default."))
    req_url_template = Text()
    req_param = Tree()
    header = Headers(**about(HEADER))
    body = Tree()
    body_type = Text(validate=validate.OneOf(BODY_TYPES))
    token_extract = Text(**about("Path of the token."))
    expires_extract = Text(**about("Path of its lifetime in seconds; an hour by default."))
