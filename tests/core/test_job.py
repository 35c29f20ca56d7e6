"""The job block: ids, polls, what their replies mean, framed polls, downloads; and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import Item, UpstreamRequest, Usage
from app.core.dialect import dialect_of
from app.core.fault import WorkerFault
from app.core.job import JobPlan, Poll
from app.core.job_reading import percent
from tests.core.registered import PLAIN, asked, refusal, secret, sse, worker_of

REQUEST = asked("hi")
BLOCK = {
    "id_extract": "id",
    "req_url_template": "http://h/jobs/{JOB_ID}",
    "done_when": {"status": "ok"},
    "failed_when": {"status": ["bad", "gone"]},
    "result_extract": "out",
    "progress_extract": "progress",
}
VIDEO = {**PLAIN, "task": "video", "header": {"Key": "${env:A_KEY}"}, "error": {"error": "*"}, "job": BLOCK}


def with_job(**words: Any) -> dict[str, Any]:
    return {**VIDEO, "job": {name: word for name, word in {**BLOCK, **words}.items() if word is not None}}


def plan(raw: dict[str, Any]) -> JobPlan:
    job = dialect_of(worker_of(raw)).job
    assert job is not None
    return job


def polled(raw: dict[str, Any], value: Any, status: int = 200, job_id: str = "j1", submit: Any = None) -> Poll:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return plan(raw).read(status, body, "application/json", job_id, REQUEST, submit)


def asks(raw: dict[str, Any], submit: Any = None, job_id: str = "j1", token: str | None = None) -> UpstreamRequest:
    return plan(raw).poll(worker_of(raw), job_id, submit, REQUEST, secret, token)


@pytest.mark.parametrize(("found", "wanted"), [("j-1", "j-1"), (17, "17"), (" j ", "j")])
def test_ids(found: Any, wanted: str) -> None:
    assert plan(VIDEO).job_id({"id": found}) == wanted


@pytest.mark.parametrize("found", [None, "", " ", {}, [1], True, "a\nb", "x" * 1001])
def test_a_job_without_an_id(found: Any) -> None:
    with pytest.raises(WorkerFault) as caught:
        plan(VIDEO).job_id({"id": found, "hint": "look here"})
    assert caught.value.kind in ("empty", "wrong_type")
    assert "id" in caught.value.message
    assert caught.value.kind == "wrong_type" or "look here" in caught.value.message


def test_polls_ask_with_the_headers_of_the_submit_unless_they_have_their_own() -> None:
    sent = asks(VIDEO, job_id="a b/c")
    assert (sent.method, sent.url, sent.body) == ("GET", "http://h/jobs/a%20b%2Fc", None)
    assert sent.headers == {"Key": "<env:A_KEY>", "X-Request-Id": "request-1"}
    own = asks(with_job(header={"Other": "{JOB_ID} {RESP:k}"}, req_type="POST"), {"k": "v"})
    assert (own.method, own.headers) == ("POST", {"Other": "j1 v", "X-Request-Id": "request-1"})
    assert asks(with_job(header={})).headers == {"X-Request-Id": "request-1"}


def test_the_reply_to_the_submit_names_the_url() -> None:
    raw = with_job(req_url_template="{RESP:urls.get}")
    assert asks(raw, {"urls": {"get": "http://other/x?y=1&z"}}).url == "http://other/x?y=1&z"
    raw = with_job(req_url_template="http://h/{RESP:region}/{JOB_ID}")
    assert asks(raw, {"region": "eu/1"}).url == "http://h/eu%2F1/j1"


@pytest.mark.parametrize("url", [None, "", "file:///etc/passwd", "/jobs/1", "http://u:p@h/", "http:// h/", "//h", 7])
def test_a_url_out_of_a_reply_must_be_one_that_may_be_called(url: Any) -> None:
    with pytest.raises(WorkerFault) as caught:
        asks(with_job(req_url_template="{RESP:urls.get}"), {"urls": {"get": url}})
    assert caught.value.kind == "wrong_type"


def test_a_job_runs_until_it_is_done_or_failed() -> None:
    assert polled(VIDEO, {"status": "new", "progress": "40%"}) == Poll("running", progress=40.0)
    done = polled(VIDEO, {"status": "OK", "out": ["http://h/1.mp4", "http://h/2.mp4"]})
    assert (done.state, [item.value for item in done.items]) == ("done", ["http://h/1.mp4", "http://h/2.mp4"])
    assert polled(VIDEO, {"status": "bad", "message": "no GPU"}) == Poll("failed", error="no GPU")
    assert polled(with_job(error_extract="why"), {"status": "gone", "why": "old"}).error == "old"
    assert polled(VIDEO, {"error": "broken", "status": "ok", "out": "http://h"}) == Poll("failed", error="broken")


def test_a_job_without_done_when_is_done_when_its_result_is_there() -> None:
    raw = with_job(done_when=None)
    assert polled(raw, {"status": "x"}).state == "running"
    assert polled(raw, {"out": "http://h/1"}).items == (Item("url", "http://h/1"),)


@pytest.mark.parametrize("body", [b"", b"  ", b"null"])
def test_a_job_that_is_not_known_yet_is_running(body: bytes) -> None:
    assert polled(VIDEO, body) == Poll("running")


@pytest.mark.parametrize(
    ("status", "state"), [(404, "running"), (401, "running"), (429, "running"), (503, "running"), (410, "failed")]
)
def test_a_poll_that_is_refused(status: int, state: str) -> None:
    poll = polled(VIDEO, {"message": "sorry"}, status=status)
    assert (poll.state, poll.error) == (state, f"HTTP {status}: sorry")


def test_a_poll_that_is_no_json_tells_nothing() -> None:
    poll = polled(VIDEO, b"<html>busy")
    assert poll.state == "running"
    assert "no JSON" in (poll.error or "")


def test_a_done_job_without_a_result_has_failed() -> None:
    poll = polled(VIDEO, {"status": "ok", "url": "http://h"})
    assert poll.state == "failed"
    assert "'out'" in (poll.error or "")
    assert "http://h" in (poll.error or "")
    assert polled(VIDEO, {"status": "ok", "out": "not a url"}).state == "failed"


@pytest.mark.parametrize("job_id", ["j1", "a.b", 'q"x', "x[0]|y", "{JOB_ID}", "*", " s", "é"])
def test_the_id_in_paths_is_one_key_whatever_is_in_it(job_id: str) -> None:
    raw = with_job(
        done_when={"{JOB_ID}.jobs[id={JOB_ID}].ok": True},
        failed_when={'"{JOB_ID}".bad': "*"},
        result_extract="{JOB_ID}.out",
        error_extract="{JOB_ID}.bad",
    )
    assert polled(raw, {job_id: {"jobs": [{"id": "z"}]}}, job_id=job_id).state == "running"
    done = {job_id: {"jobs": [{"id": "z"}, {"id": job_id, "ok": True}], "out": "http://h/1"}}
    assert polled(raw, done, job_id=job_id).items == (Item("url", "http://h/1"),)
    assert polled(raw, {job_id: {"bad": "x"}}, job_id=job_id) == Poll("failed", error="x")


def test_templates_make_the_url_of_the_result() -> None:
    raw = with_job(result_template="http://h/{JOB_ID}/{RESP:file}?r={RESP:region}&p={RESP:{JOB_ID}.part}")
    poll = polled(raw, {"status": "ok", "file": "a b", "j1": {"part": 2}}, submit={"region": "eu", "file": "old"})
    assert poll.items == (Item("url", "http://h/j1/a%20b?r=eu&p=2"),)
    raw = with_job(result_template="{RESP:url}")
    assert polled(raw, {"status": "ok", "url": "http://h/x?y"}).items == (Item("url", "http://h/x?y"),)
    assert polled(raw, {"status": "ok"}).state == "failed"


def test_a_result_may_be_the_last_reply_itself() -> None:
    raw = {**VIDEO, "output": {"as": "binary"}}
    assert plan(raw).read(202, b'{"status":"x"}', "application/json", "j", REQUEST).state == "running"
    assert plan(raw).read(200, b"\0\1", "video/mp4", "j", REQUEST).items == (Item("bytes", b"\0\1", "video/mp4"),)
    assert polled(raw, {"status": "ok", "out": "http://h/1"}).items == (Item("url", "http://h/1"),)
    assert polled(raw, {"status": "ok", "out": "aGk="}).items == (Item("b64", "aGk="),)


def test_a_text_job() -> None:
    raw = {**VIDEO, "task": "text"}
    assert polled(raw, {"status": "ok", "out": "hello"}).items == (Item("text", "hello"),)
    answer = {**raw, "job": {name: word for name, word in BLOCK.items() if name != "result_extract"}}
    assert polled(answer, {"status": "ok", "answer": "hi"}).items == (Item("text", "hi"),)
    dialect = dialect_of(worker_of(raw))
    assert (dialect.streams, dialect.only_streams) == (False, False)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ("40%", 40), ("40 %", 40), (40, 40), (0.4, 40), ("0.4", 40), ("0.5%", 0.5), (1.0, 100), (1, 1), (0, 0),
        ("100%", 100), (250, 100), (-3, 0), ("half", None), ("", None), (None, None), (True, None), ([1], None),
    ],
)  # fmt: skip
def test_progress(found: Any, wanted: float | None) -> None:
    assert percent(found) == wanted


FRAMED = {
    **PLAIN,
    "stream": {"framing": "sse", "mode": "cumulative", "delta_extract": "@json[0]"},
    "job": {
        "id_extract": "event_id",
        "req_url_template": "http://h/call/{JOB_ID}",
        "framing": "sse",
        "done_when": {"@event": "complete"},
        "failed_when": {"@event": "error"},
    },
}


def frame(event: str, value: Any) -> bytes:
    return f"event: {event}\ndata: {json.dumps(value)}\n\n".encode()


def test_a_framed_poll_is_read_as_it_comes() -> None:
    job = plan(FRAMED)
    assert job.streams
    assert dialect_of(worker_of(FRAMED)).streams
    body = [frame("generating", ["a "]), frame("generating", ["a b "]), frame("complete", ["a b c"])]
    assert [event.text for event in job.events(body, "text/event-stream", "j")] == ["a ", "b ", "c"]
    poll = job.read_stream(body, "text/event-stream", "j", REQUEST)
    assert poll.items == (Item("text", "a b c"),)


def test_a_framed_poll_that_fails_or_breaks_off() -> None:
    job = plan(FRAMED)
    failed = job.read_stream([frame("error", {"message": "no GPU"})], "", "j", REQUEST)
    assert (failed.state, failed.error) == ("failed", "no GPU")
    cut = job.read_stream([frame("generating", ["a"])], "", "j", REQUEST)
    assert cut.state == "failed"
    with pytest.raises(WorkerFault) as caught:
        list(job.events([frame("generating", ["a"])], "", "j"))
    assert caught.value.kind == "broken"


def test_the_last_frame_of_a_poll_holds_an_image() -> None:
    raw = {**FRAMED, "task": "image", "job": {**FRAMED["job"], "result_extract": "@json[0].url"}}
    del raw["stream"]
    body = [frame("generating", None), frame("complete", [{"url": "http://h/1.png"}])]
    assert plan(raw).read_stream(body, "", "j", REQUEST).items == (Item("url", "http://h/1.png"),)
    assert plan(raw).read_stream(body[:1], "", "j", REQUEST).state == "failed"
    assert plan(raw).read_stream([frame("complete", [])], "", "j", REQUEST).state == "failed"


def test_the_id_in_the_conditions_of_a_framed_poll() -> None:
    raw = {**FRAMED, "stream": {"framing": "sse", "delta_extract": "t"}}
    raw = {**raw, "job": {**FRAMED["job"], "done_when": {"{JOB_ID}.done": True}, "failed_when": None}}
    raw["job"] = {name: word for name, word in raw["job"].items() if word is not None}
    events = plan(raw).events(sse({"t": "a"}, {"t": "b", "x.y": {"done": True}}, {"t": "c"}), "", "x.y")
    assert "".join(event.text for event in events) == "ab"


def test_downloads_carry_only_what_is_named() -> None:
    assert plan(VIDEO).download_header(worker_of(VIDEO), "j", None, REQUEST, secret) == {}
    raw = with_job(download={"header": {"Authorization": "Bearer ${env:A_KEY}", "X-Job": "{JOB_ID}"}})
    got = plan(raw).download_header(worker_of(raw), "j", None, REQUEST, secret)
    assert got == {"Authorization": "Bearer <env:A_KEY>", "X-Job": "j"}


MEMBERS = st.sampled_from(["status", "out", "error", "progress", "j1"])
REPLIES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner),
)


@given(REPLIES, st.integers(100, 599))
def test_no_reply_breaks_a_poll(value: Any, status: int) -> None:
    for raw in (VIDEO, with_job(result_template="http://h/{RESP:out}", done_when={"{JOB_ID}.status": "*"})):
        assert polled(raw, value, status=status).state in ("running", "done", "failed")


@pytest.mark.parametrize(
    ("words", "field", "says"),
    [
        ({"req_url_template": None}, "job.req_url_template", "missing"),
        ({"req_url_template": "{JOB_ID}"}, "job.req_url_template", "host"),
        ({"req_url_template": "http://{JOB_ID}/x"}, "job.req_url_template", "host"),
        ({"req_url_template": "ftp://h/{JOB_ID}"}, "job.req_url_template", "http"),
        ({"done_when": {"{JOBID}.x": 1}}, 'job.done_when["{JOBID}.x"]', "double quotes"),
        ({"failed_when": {"a[": 1}}, 'job.failed_when["a["]', "bracket"),
        ({"result_extract": "a["}, "job.result_extract", "bracket"),
        ({"progress_extract": "{RESP}"}, "job.progress_extract", "double quotes"),
        ({"result_template": "http://h/?k=${env:A_KEY}"}, "job.result_template", "download.header"),
        ({"result_template": "http://h/{CONTENT}"}, "job.result_template", "messages.item"),
        ({"header": {"X": "{ACCESS_TOKEN}"}}, "job.header.X", "auth block"),
        ({"header": {"X": "{ROLE}"}}, "job.header.X", "messages.item"),
        ({"header": {"Host": "x"}}, "job.header.Host", "connection"),
        ({"download": {"header": {"X": "${env:NOT_ALLOWED}"}}}, "job.download.header.X", "may not be read"),
        ({"framing": "text"}, "job.framing", "no end"),
        ({"interval_s": 0}, "job.interval_s", "greater than 0"),
    ],
)
def test_jobs_that_are_refused(words: dict[str, Any], field: str, says: str) -> None:
    at, message = refusal(with_job(**words))
    assert at == field
    assert says in message


@pytest.mark.parametrize("name", ["{JOB_ID}", "{RESP:id}", "{ACCESS_TOKEN}"])
def test_what_a_job_knows_is_unknown_to_its_submit(name: str) -> None:
    assert refusal({**VIDEO, "body": {"p": "{USER_PROMPT}", "x": name}})[0] == "body.x"


def test_a_text_job_says_why_it_ended_and_what_it_took() -> None:
    raw = {**PLAIN, "finish_extract": "why", "usage": {"completion": "n"}, "job": BLOCK}
    said = polled(raw, {"status": "ok", "out": "yes", "why": "limit", "n": 3})
    assert (said.state, said.finish, said.usage) == ("done", "limit", Usage(None, 3))
    assert polled(raw, {"status": "ok", "out": "", "why": "refusal"}).items == ()


@pytest.mark.parametrize(
    ("reply", "state"),
    [(b'"busy"', "running"), (b'"Done j1"', "done"), (b"Done j1", "done"), (b'"no"', "failed"), (b"<html>", "running")],
)
def test_polls_that_are_no_objects(reply: bytes, state: str) -> None:
    block = {**BLOCK, "done_when": {"@json": "done {JOB_ID}"}, "failed_when": {"@data": {"match": "^.no"}}}
    assert polled({**PLAIN, "response_extract": "", "job": {**block, "result_extract": "@data"}}, reply).state == state
