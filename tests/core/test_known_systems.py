"""Every registration of registrations.json: what it is asked, and what comes out of its sample replies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.conversation import ChatRequest, Item
from app.core.dialect import dialect_of
from app.core.fault import WorkerFault
from tests.core.readings import counts, gathered, name_of
from tests.core.registered import SAMPLES, SSE, asked, built, secret, worker_of

TEXT = [sample for sample in SAMPLES if sample["registration"].get("task", "text") == "text"]
MEDIA = [sample for sample in SAMPLES if sample not in TEXT and sample["sample"]]
FRAMES = [sample for sample in SAMPLES if sample["frames"]]
JOBS = [sample for sample in SAMPLES if sample["job"]]
ERRORS = [sample for sample in SAMPLES if sample["err"]]
JSON = "application/json"


def request_of(sample: dict[str, Any]) -> ChatRequest:
    task = sample["registration"].get("task", "text")
    body = {"model": "m", "input": ["a"]} if task == "embedding" else {"model": "m", "prompt": "hi", "size": "64x32"}
    messages = () if task == "embedding" else asked("hi").messages
    return ChatRequest("m", messages, body, False, "request-1", task)


def told(usage: dict[str, int], want: list[Any]) -> dict[str, int]:
    """A count that the worker does not say is 0 with us, and absent in what is wanted."""
    return {name: count for name, count in usage.items() if name in want[2] or count}


def as_wanted(items: tuple[Item, ...], want: Any) -> Any:
    values = [item.value for item in items]
    return values if isinstance(want, list) else values[0]


@pytest.mark.parametrize("sample", SAMPLES, ids=name_of)
def test_what_is_asked(sample: dict[str, Any]) -> None:
    raw = sample["registration"]
    sent = built(raw, request_of(sample))
    assert sent.url.startswith(raw["req_url_template"].partition("{")[0])
    assert sent.body is not None
    assert json.loads(sent.body)


@pytest.mark.parametrize("sample", [sample for sample in TEXT if sample["sample"]], ids=name_of)
def test_replies(sample: dict[str, Any]) -> None:
    reader = dialect_of(worker_of(sample["registration"])).reader(stream=False)
    reply = reader.reply(200, sample["sample"].encode(), JSON)
    assert [reply.text, reply.finish, told(counts(reply.usage), sample["want"])] == sample["want"]


@pytest.mark.parametrize("sample", MEDIA, ids=name_of)
def test_results(sample: dict[str, Any]) -> None:
    dialect = dialect_of(worker_of(sample["registration"]))
    result = dialect.reader(stream=False).result(200, sample["sample"].encode(), JSON)
    want, finish, usage = sample["want"]
    assert as_wanted(result.items, want) == want
    assert result.finish == finish
    assert told(counts(result.usage), sample["want"]) == usage
    assert {item.kind for item in result.items} == {dialect.output_as}


def cut(frames: bytes, at: set[int]) -> list[bytes]:
    edges = [0, *sorted(at), len(frames)]
    return [frames[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@pytest.mark.parametrize("sample", FRAMES, ids=name_of)
def test_streams_in_single_bytes(sample: dict[str, Any]) -> None:
    frames = sample["frames"].encode()
    reader = dialect_of(worker_of(sample["registration"])).reader(stream=True)
    events = list(reader.events(cut(frames, set(range(1, len(frames)))), content_type(sample)))
    got, want = gathered(events), sample["want_stream"]
    assert [*got[:2], told(got[2], want)] == want


def content_type(sample: dict[str, Any]) -> str:
    return SSE if sample["registration"]["stream"]["framing"] == "sse" else ""


@given(st.sampled_from(FRAMES), st.data())
def test_any_cuts_give_the_same_events(sample: dict[str, Any], data: st.DataObject) -> None:
    frames = sample["frames"].replace("hel", "hé🙂").encode()
    pieces = cut(frames, data.draw(st.sets(st.integers(0, len(frames)), max_size=12)))
    reader = dialect_of(worker_of(sample["registration"])).reader(stream=True)
    kind = content_type(sample)
    assert list(reader.events(pieces, kind)) == list(reader.events([frames], kind))


@pytest.mark.parametrize("sample", ERRORS, ids=name_of)
def test_errors(sample: dict[str, Any]) -> None:
    dialect = dialect_of(worker_of(sample["registration"]))
    reader, body = dialect.reader(stream=False), sample["err"].encode()
    read = reader.submitted if dialect.job else reader.reply if dialect.task == "text" else reader.result
    with pytest.raises(WorkerFault) as caught:
        read(200, body, JSON)
    assert caught.value.kind == "error"
    assert caught.value.message in sample["err"]
    assert reader.error_message(500, body) == caught.value.message


@pytest.mark.parametrize("sample", JOBS, ids=name_of)
def test_jobs(sample: dict[str, Any]) -> None:
    job, worker, request = sample["job"], worker_of(sample["registration"]), request_of(sample)
    dialect = dialect_of(worker)
    assert dialect.job is not None
    submit = dialect.reader(stream=False).submitted(200, job["submit"].encode(), JSON)
    job_id = dialect.job.job_id(submit)
    assert job_id == job["id"]
    sent = dialect.job.poll(worker, job_id, submit, request, secret)
    assert (sent.method, sent.body) == ("GET", None)
    assert sent.url == job.get("url", sample["registration"]["job"]["req_url_template"].replace("{JOB_ID}", job_id))
    assert dict(sent.headers).keys() - {"X-Request-Id"} == sample["registration"].get("header", {}).keys()
    for body, state in job["polls"]:
        poll = dialect.job.read(200, body.encode(), JSON, job_id, request, submit)
        assert poll.state == state
        if state == "done":
            assert as_wanted(poll.items, job["result"]) == job["result"]
        assert bool(poll.error) == (state == "failed")
