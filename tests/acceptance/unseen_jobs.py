"""Invented text services that work by jobs."""

from __future__ import annotations

from typing import Any

from tests.acceptance.unseen import ANY, Case, Said, Want, call, case, lines, said, sse, step, streamed, talk

KEY = "k+/1"
JOB: dict[str, Any] = {"id_extract": "id", "interval_s": 0.05}
SUBMIT = {"req_url_template": "http://W/jobs", "header": {"X-Key": "${env:UNSEEN_KEY}"}, "body": {"p": "{USER_PROMPT}"}}

ID_EVERYWHERE = case(
    "id-everywhere",
    {
        **SUBMIT,
        "job": {
            **JOB,
            "id_extract": "jobs[0].meta.id|id",
            "req_type": "POST",
            "req_url_template": "http://W/jobs/{JOB_ID}?node={RESP:jobs[0].node}&m={MODEL_NAME}&none={RESP:none}",
            "header": {"X-Job": "{JOB_ID}", "X-Node": "{RESP:jobs[0].node}", "X-None": "{RESP:none}"},
            "done_when": [{"{JOB_ID}.state": "ok"}, {"jobs[id={JOB_ID}].state": "ok", "current": "{JOB_ID}"}],
            "failed_when": {"dead": ["{JOB_ID}", "all"]},
            "result_extract": '{JOB_ID}.out["text"]|jobs[id={JOB_ID}].out',
            "error_extract": "why.{JOB_ID}",
        },
    },
    step(
        "hi",
        call("POST /jobs", {"p": "hi"}, {"jobs": [{"meta": {"id": "a.b/[1]"}, "node": "n 1"}]}, x_key=KEY),
        call(
            "POST /jobs/a.b%2F%5B1%5D?node=n%201&m=id-everywhere&none=",
            None,
            {},
            x_job="a.b/[1]",
            x_node="n 1",
            x_none=None,
            x_key=None,
        ),
        call(
            "POST /jobs/a.b%2F%5B1%5D?node=n%201&m=id-everywhere&none=",
            None,
            {"a": {"b/[1]": {"state": "ok"}}, "a.b/[1]": {"state": "busy"}},
        ),
        call(
            "POST /jobs/a.b%2F%5B1%5D?node=n%201&m=id-everywhere&none=",
            None,
            {"jobs": [{"id": "x", "out": "no"}, {"id": "a.b/[1]", "state": "OK", "out": "yes"}], "current": "A.B/[1]"},
        ),
        want="yes",
    ),
    step(
        "hi",
        call("POST /jobs", ANY, {"id": 7}),
        call(
            "POST /jobs/7?node=&m=id-everywhere&none=",
            None,
            {"7": {"state": "ok", "out": {"text": "seven"}}},
            x_job="7",
        ),
        want="seven",
    ),
    step(
        "hi",
        call("POST /jobs", ANY, {"id": "j"}),
        call("POST /jobs/j?node=&m=id-everywhere&none=", None, {"dead": "J", "why": {"j": "no luck"}}),
        want=Want("no luck", status=502),
    ),
)

NO_ID = case(
    "no-id",
    {
        **SUBMIT,
        "job": {
            "req_url_template": "{RESP:links.self}&n={RESP:n}",
            "header": {},
            "result_extract": "out",
            "interval_s": 0.05,
        },
        "output": {"regex": "T: (.*)"},
    },
    step(
        "h i",
        call("POST /jobs", ANY, {"links": {"self": "http://W/p?a=%20b"}, "n": 1}),
        call("GET /p?a=%20b&n=1", None, {"out": None}, x_key=None),
        call("GET /p?a=%20b&n=1", None, {"out": "T: yes"}),
        want="yes",
    ),
    step("hi", call("POST /jobs", ANY, {"links": {"self": "ftp://host/"}}), want=Want("leads to no URL", status=502)),
)

PATIENT = case(
    "patient",
    {
        **SUBMIT,
        "error": {"err": "*"},
        "job": {
            **JOB,
            "req_url_template": "http://W/jobs/{JOB_ID}",
            "done_when": {"@json": ["done", "over"]},
            "failed_when": {"@json": {"match": "^fail"}},
            "result_extract": "",
        },
    },
    step(
        "hi",
        call("POST /jobs", ANY, {"id": "j"}),
        call("GET /jobs/j", None, said({"message": "not yet"}, 404), x_key=KEY),
        call("GET /jobs/j", None, said(b"", 503, retry_after="0")),
        call("GET /jobs/j", None, Said(b"<html>", 200, "text/html")),
        call("GET /jobs/j", None, said(b"")),
        call("GET /jobs/j", None, said(b"null")),
        call("GET /jobs/j", None, said(b'"busy"')),
        call("GET /jobs/j", None, said(b'"Done"')),
        want="Done",
    ),
    step(
        "hi",
        call("POST /jobs", ANY, {"id": "j"}),
        call("GET /jobs/j", None, said(b'"failed: no GPU"')),
        want=Want("failed: no GPU", status=502),
    ),
    step(
        "hi",
        call("POST /jobs", ANY, {"id": "j"}),
        call("GET /jobs/j", None, {"err": {"message": "lost it"}}),
        want=Want("lost it", status=502),
    ),
    step(
        "hi",
        call("POST /jobs", ANY, {"id": "j"}),
        call("GET /jobs/j", None, said({"detail": "gone"}, 410)),
        want=Want("gone", status=502),
    ),
    step("hi", call("POST /jobs", ANY, {"err": "full"}), want=Want("full", status=502)),
)

FRAMED = case(
    "framed",
    {
        **SUBMIT,
        "error": {"err": "*"},
        "usage": {"prompt": "u.in", "completion": "u.out"},
        "stream": {
            "when": {"id": "{JOB_ID}"},
            "delta_extract": "out.{JOB_ID}.t",
            "finish_extract": "stops.{JOB_ID}",
            "mode": "cumulative",
        },
        "job": {
            **JOB,
            "req_url_template": "http://W/jobs/{JOB_ID}/events",
            "framing": "ndjson",
            "done_when": {"done": "{JOB_ID}"},
            "failed_when": {"failed": "{JOB_ID}"},
        },
    },
    streamed(
        "hi",
        call("POST /jobs", {"p": "hi"}, {"id": "j.1"}),
        call(
            "GET /jobs/j.1/events",
            None,
            lines(
                {"id": "x", "out": {"j.1": {"t": "no"}}},
                {"id": "j.1", "out": {"j.1": {"t": "hel"}}},
                {"id": "j.1", "out": {"j.1": {"t": "hello"}}, "stops": {"j.1": "max_tokens"}, "u": {"in": 1, "out": 2}},
                {"done": "j.1"},
            ),
            x_key=KEY,
        ),
        want=Want("hello", "length", (1, 2)),
    ),
    step(
        "hi",
        call("POST /jobs", {"p": "hi"}, {"id": "j"}),
        call(
            "GET /jobs/j/events",
            None,
            lines(
                {"id": "j", "out": {"j": {"t": "hel"}}, "stops": {"j": None}},
                {"done": "other"},
                {"id": "j", "out": {"j": {"t": "hello"}}, "stops": {"j": "stop"}, "u": {"in": 1, "out": 2}},
                {"done": "J"},
            ),
        ),
        want=Want("hello", usage=(1, 2)),
    ),
    streamed(
        "hi",
        call("POST /jobs", ANY, {"id": "j"}),
        call(
            "GET /jobs/j/events", None, lines({"id": "j", "out": {"j": {"t": "hel"}}}, {"failed": "j", "msg": "no GPU"})
        ),
        want=Want("hel", broken="no GPU"),
    ),
    streamed(
        "hi",
        call("POST /jobs", ANY, {"id": "j"}),
        call("GET /jobs/j/events", None, lines({"id": "j", "out": {"j": {"t": "hel"}}}, {"err": "lost"})),
        want=Want("hel", broken="lost"),
    ),
    streamed(
        "hi",
        call("POST /jobs", ANY, {"id": "j"}),
        call("GET /jobs/j/events", None, lines({"id": "j", "out": {"j": {"t": "hel"}}})),
        want=Want("hel", broken="without its end mark"),
    ),
)

GRADIO = case(
    "gradio",
    {
        "req_url_template": "http://W/gradio_api/call/chat",
        "messages": {"shape": "pairs"},
        "body": {"data": ["{USER_PROMPT}", "{MESSAGES}", "{MAX_TOKENS:64}"]},
        "stream": {"mode": "cumulative", "delta_extract": "@json[0]"},
        "job": {
            "id_extract": "event_id",
            "req_url_template": "http://W/gradio_api/call/chat/{JOB_ID}",
            "framing": "sse",
            "done_when": {"@event": "complete"},
            "failed_when": {"@event": "error"},
            "error_extract": "@data",
        },
    },
    streamed(
        talk("one", "1", "two"),
        call("POST /gradio_api/call/chat", {"data": ["two", [["one", "1"]], 64]}, {"event_id": "e1"}),
        call(
            "GET /gradio_api/call/chat/e1",
            None,
            sse(
                ("generating", ["hel"]),
                b"event: heartbeat\ndata: null\n\n",
                ("generating", ["hello"]),
                ("complete", ["hello"]),
            ),
        ),
        want="hello",
    ),
    step(
        "hi",
        call("POST /gradio_api/call/chat", {"data": ["hi", [], 64]}, {"event_id": "e1"}),
        call("GET /gradio_api/call/chat/e1", None, sse(("complete", ["hello"]))),
        want="hello",
    ),
    step(
        "hi",
        call("POST /gradio_api/call/chat", ANY, {"event_id": "e1"}),
        call("GET /gradio_api/call/chat/e1", None, sse(("error", "null"))),
        want=Want("null", status=502),
    ),
)

WITH_TOKEN = case(
    "job-with-token",
    {
        "req_url_template": "http://W/jobs",
        "header": {"Authorization": "Bearer {ACCESS_TOKEN}"},
        "body": {"p": "{USER_PROMPT}"},
        "auth": {
            "req_url_template": "http://W/token",
            "body": {"k": "${env:UNSEEN_KEY}"},
            "token_extract": "t",
            "expires_extract": "s",
        },
        "job": {**JOB, "req_url_template": "http://W/jobs/{JOB_ID}?t={ACCESS_TOKEN}", "result_extract": "out[*]"},
    },
    step(
        "hi",
        call("POST /token", {"k": KEY}, {"t": "t1", "s": 3600}),
        call("POST /jobs", ANY, {"id": "j"}, authorization="Bearer t1"),
        call("GET /jobs/j?t=t1", None, said({}, 401), authorization="Bearer t1"),
        call("POST /token", ANY, {"t": "t2", "s": "3600"}),
        call("GET /jobs/j?t=t2", None, {"out": ["a", "b"]}, authorization="Bearer t2"),
        want="ab",
    ),
)

JOBS: list[Case] = [ID_EVERYWHERE, NO_ID, PATIENT, FRAMED, GRADIO, WITH_TOKEN]
