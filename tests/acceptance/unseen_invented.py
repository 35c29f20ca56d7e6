"""Invented services that combine the blocks of the vocabulary in ways that are unusual and legal."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.unseen import (
    ANY,
    EMBED,
    NDJSON,
    PLAIN,
    SSE,
    Case,
    Said,
    Want,
    call,
    case,
    lines,
    said,
    sse,
    step,
    streamed,
    talk,
)

KEY = "k+/1"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
ONE = {"response_extract": "a"}
Q = {"req_url_template": "http://W/q", "body": {"p": "{USER_PROMPT}"}, **ONE}

TEMPLATES = case(
    "templates",
    {
        "req_url_template": "http://W/v1/{REQUEST:metadata.team|user}/gen?s={SEED}&q={USER_PROMPT}&n={MAX_TOKENS:5}",
        "body": {
            "p": "{USER_PROMPT}",
            "text": "t={MODEL_TEMPERATURE} n={MAX_TOKENS:7} {{NAME}} {name} {YES, NO} $x {{{{",
            "typed": ["{MAX_TOKENS:7}", "{FLAG:true}", "{NONE}", "{WORD:two words}", '{QUOTED:"7"}'],
            "list": '{LIST:["a", {"b": 1}]}',
            "object": '{OBJECT:{"a": {"b": [1]}}}',
            "empty": "{EMPTY:}",
            "gone": {"a": {"b": ["{NONE}"]}, "c": "{NONE}", "d": "x{NONE}"},
            "stays": {"a": {}, "b": []},
            "tools": "{REQUEST:tools}",
            "first": "{REQUEST:messages[0].content}",
            "last": "{REQUEST:messages[-1].role}",
            "texts": "{REQUEST:messages[*].content}",
            "k": "{TOP_K}",
            "x": "{X}",
            "id": "r-{REQUEST_ID:none}" if False else "{STREAM}/{MODEL_NAME}",
        },
        "upstream_model": "up/stream",
        **ONE,
    },
    step(
        {
            **talk('say "{MODEL_NAME}" ${env:UNSEEN_KEY}'),
            "temperature": 0.5,
            "user": "a/b c",
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "top_k": 3,
            "x": [1],
        },
        call(
            "POST /v1/a%2Fb%20c/gen?s=&q=say%20%22%7BMODEL_NAME%7D%22%20%24%7Benv%3AUNSEEN_KEY%7D&n=5",
            {
                "p": 'say "{MODEL_NAME}" ${env:UNSEEN_KEY}',
                "text": "t=0.5 n=7 {NAME} {name} {YES, NO} $x {{{{",
                "typed": [7, True, "two words", "7"],
                "list": ["a", {"b": 1}],
                "object": {"a": {"b": [1]}},
                "empty": "",
                "stays": {"a": {}, "b": []},
                "tools": [{"type": "function", "function": {"name": "f"}}],
                "first": 'say "{MODEL_NAME}" ${env:UNSEEN_KEY}',
                "last": "user",
                "texts": 'say "{MODEL_NAME}" ${env:UNSEEN_KEY}',
                "k": 3,
                "x": [1],
                "id": "false/up/stream",
            },
            {"a": "ok"},
        ),
        want="ok",
    ),
)

WHOLE_REQUEST = case(
    "whole-request",
    {"req_url_template": "http://W/q", "body": {"inner": "{REQUEST}", "fixed": True}, **ONE},
    step(
        {**talk("hi"), "tools": [], "n": 1},
        call(
            "POST /q",
            {"inner": {"model": "whole-request", **talk("hi"), "tools": [], "n": 1}, "fixed": True},
            {"a": "ok"},
        ),
        want="ok",
    ),
)

PAIRS_FIRST_USER = case(
    "pairs-first-user",
    {
        "req_url_template": "http://W/q",
        "messages": {"shape": "pairs", "system": "first_user"},
        "body": {"prompt": "{USER_PROMPT}", "history": "{MESSAGES}"},
        **ONE,
    },
    step(talk("system: S.", "one"), call("POST /q", {"prompt": "S.\n\none", "history": []}, {"a": "ok"}), want="ok"),
    step(
        talk("system: S.", "one", "1", "two"),
        call("POST /q", {"prompt": "two", "history": [["S.\n\none", "1"]]}, {"a": "ok"}),
        want="ok",
    ),
)

PAIRS_SEPARATE = case(
    "pairs-separate",
    {
        "req_url_template": "http://W/q",
        "messages": {"shape": "pairs", "system": "separate"},
        "body": {"prompt": "{USER_PROMPT}", "history": "{MESSAGES}", "meta": [{"sys": "{SYSTEM_PROMPT}"}]},
        **ONE,
    },
    step(
        talk("system: S.", "one", "1", "two", "2", "three"),
        call(
            "POST /q",
            {"prompt": "three", "history": [["one", "1"], ["two", "2"]], "meta": [{"sys": "S."}]},
            {"a": "ok"},
        ),
        want="ok",
    ),
    step(talk("one"), call("POST /q", {"prompt": "one", "history": []}, {"a": "ok"}), want="ok"),
)

TEXT_ONE_ITEM = case(
    "text-one-item",
    {
        "req_url_template": "http://W/q",
        "messages": {
            "shape": "text",
            "item": "<{ROLE}>{CONTENT}</{ROLE}>\n",
            "roles": {"user": "human"},
            "system": "first_user",
        },
        "body": {"p": "{MESSAGES}"},
        **ONE,
    },
    step(
        talk("system: S.", "one", "1", "two"),
        call("POST /q", {"p": "<human>S.\n\none</human>\n<assistant>1</assistant>\n<human>two</human>\n"}, {"a": "ok"}),
        want="ok",
    ),
)

TEXT_DROP = case(
    "text-drop",
    {
        "req_url_template": "http://W/q",
        "messages": {
            "shape": "text",
            "system": "drop",
            "item": {"user": "[INST] {CONTENT} [/INST]", "assistant": " {CONTENT} </s>"},
        },
        "body": {"p": "<s>{MESSAGES}"},
        **ONE,
    },
    step(
        talk("system: S.", "one", "1", "two"),
        call("POST /q", {"p": "<s>[INST] one [/INST] 1 </s>[INST] two [/INST]"}, {"a": "ok"}),
        want="ok",
    ),
)

LIST_FIRST_USER = case(
    "list-first-user",
    {
        "req_url_template": "http://W/q",
        "messages": {
            "system": "first_user",
            "roles": {"assistant": "bot", "user": "human"},
            "item": [{"from": "{ROLE}"}, "{CONTENT}"],
        },
        "body": {"turns": "{MESSAGES}", "last": "{USER_PROMPT}"},
        **ONE,
    },
    step(
        talk("system: S.", "one", "1", "two"),
        call(
            "POST /q",
            {
                "turns": [[{"from": "human"}, "S.\n\none"], [{"from": "bot"}, "1"], [{"from": "human"}, "two"]],
                "last": "two",
            },
            {"a": "ok"},
        ),
        want="ok",
    ),
    step(
        talk("system: S.", "one"),
        call("POST /q", {"turns": [[{"from": "human"}, "S.\n\none"]], "last": "S.\n\none"}, {"a": "ok"}),
        want="ok",
    ),
)

CONDITIONS = case(
    "conditions",
    {
        **Q,
        "error": [
            {"ok": False, "why": {"not": ["busy", "warm"]}},
            {"msg": {"match": "(?i)^fatal"}},
            {"list[0].code": {"not": {"match": "^2"}}},
            {"nil": None, "must": "*"},
            {"@data": {"match": "panic"}},
            {"kind": [{"match": "^E"}, "bad"]},
        ],
        "error_extract": "deep.none|why|detail.x",
    },
    step("hi", call("POST /q", ANY, {"a": "fine", "ok": False, "why": "BUSY"}), want="fine"),
    step("hi", call("POST /q", ANY, {"a": "x", "ok": False, "why": "broken"}), want=Want("broken", status=502)),
    step("hi", call("POST /q", ANY, {"a": "x", "msg": "Fatal: no"}), want=Want("Fatal: no", status=502)),
    step("hi", call("POST /q", ANY, {"a": "fine", "list": [{"code": 204}]}), want="fine"),
    step(
        "hi",
        call("POST /q", ANY, {"a": "x", "list": [{"code": 404}], "detail": {"x": "lost"}}),
        want=Want("lost", status=502),
    ),
    step("hi", call("POST /q", ANY, {"a": "x", "nil": None, "must": 0}), want=Want('{"a": "x"', status=502)),
    step("hi", call("POST /q", ANY, {"a": "x", "kind": "Error"}), want=Want('"kind"', status=502)),
    step("hi", call("POST /q", ANY, {"a": "x", "kind": "BAD", "why": ""}), want=Want('"kind"', status=502)),
    step("hi", call("POST /q", ANY, said(b"kernel panic", 200, PLAIN)), want=Want("kernel panic", status=502))
    if False
    else step("hi", call("POST /q", ANY, {"a": "don't panic"}), want=Want("don't panic", status=502)),
)

USAGE_SUMS = case(
    "usage-sums",
    {
        **Q,
        "usage": {
            "prompt": ["u.in", "u.cache|u.cached", "u.none"],
            "completion": ["u.out[0].n", "u.out[1].n", "u.think"],
        },
        "finish_extract": "why.type|why",
    },
    step(
        "hi",
        call(
            "POST /q",
            ANY,
            {"a": "ok", "u": {"in": 1, "cached": 4, "out": [{"n": 2}, {"n": 3}], "think": 5.0}, "why": {"type": "eos"}},
        ),
        want=Want("ok", usage=(5, 10)),
    ),
    streamed(
        "hi",
        call("POST /q", ANY, {"a": "ok", "u": {"in": 1, "out": [{"n": 2}]}, "why": "limit"}),
        want=Want("ok", "length", (1, 2)),
    ),
    step("hi", call("POST /q", ANY, {"a": "ok", "why": "null"}), want="ok"),
    step("hi", call("POST /q", ANY, {"a": "", "why": "refusal"}), want=Want("", "content_filter")),
)

OVERLAY = case(
    "overlay",
    {
        "req_type": "GET",
        "req_url_template": "http://W/once",
        "req_param": {"q": "{USER_PROMPT}", "k": ["a", "{TOP_K}"], "o": {"x": "{SEED}"}, "t": "{MODEL_TEMPERATURE}"},
        "header": {"X-Mode": "once", "X-Team": "{TEAM}", "x-both": "1"},
        **ONE,
        "stream": {
            "req_type": "POST",
            "req_url_template": "http://W/more/{MODEL_NAME}",
            "req_param": {"q": "fixed", "o": {"y": True}},
            "header": {"x-mode": "stream", "Content-Type": "application/vnd.x+json"},
            "body": {"p": "{USER_PROMPT}", "s": "{STREAM}"},
            "framing": "ndjson",
            "delta_extract": "d",
            "done": "END",
        },
    },
    step(
        {**talk("a b&c=d/é+"), "team": "r&d"},
        call(
            "GET /once?k=a&q=a%20b%26c%3Dd%2F%C3%A9%2B",
            None,
            {"a": "ok"},
            x_mode="once",
            x_team="r&d",
            content_type=None,
        ),
        want="ok",
    ),
    step(
        {**talk("hi"), "top_k": 2, "seed": 1},
        call("GET /once?k=a&k=2&q=hi&o=%7B%22x%22%3A1%7D", None, {"a": "ok"}, x_team=None),
        want="ok",
    ),
    streamed(
        {**talk("hi"), "seed": 1},
        call(
            "POST /more/overlay?k=a&q=fixed&o=%7B%22x%22%3A1%2C%22y%22%3Atrue%7D",
            {"p": "hi", "s": True},
            said(b'{"d":"he"}\r\n\r\n{"d":"llo"}\r\nEND\r\n', 200, NDJSON),
            x_mode="stream",
            x_both="1",
            content_type="application/vnd.x+json",
        ),
        want="hello",
    ),
    streamed(
        "hi",
        call("POST /more/overlay?k=a&q=fixed&o=%7B%22y%22%3Atrue%7D", ANY, said(b'{"d":"he"}\n', 200, NDJSON)),
        want=Want("he", broken="without its end mark"),
    ),
)

GET_STREAM = case(
    "get-stream",
    {
        "req_url_template": "http://W/q",
        "body": {"p": "{USER_PROMPT}"},
        **ONE,
        "stream": {
            "req_type": "GET",
            "req_url_template": "http://W/sse/{USER_PROMPT}",
            "req_param": {"m": "{MODEL_NAME}"},
            "delta_extract": "",
            "done": "<eos>",
        },
    },
    step("hi", call("POST /q", {"p": "hi"}, {"a": "ok"}), want="ok"),
    streamed(
        "../x?", call("GET /sse/..%2Fx%3F?m=get-stream", None, sse("Hel", '"lo "', "you", "<eos>")), want="Hello you"
    ),
)

ALWAYS = {
    "req_url_template": "http://W/q",
    "body": {"p": "{USER_PROMPT}", "s": "{STREAM}"},
    "response_extract": "d.t",
    "is_stream": True,
}
ASKED: Any = {"p": "hi", "s": True}
ALWAYS_STREAMS = case(
    "always-streams",
    {**ALWAYS, "finish_extract": "f"},
    step(
        "hi",
        call("POST /q", ASKED, sse({"d": {"t": "hel"}}, {"d": {"t": "lo"}, "f": "length"})),
        want=Want("hello", "length"),
    ),
    streamed(
        "hi",
        call("POST /q", ASKED, lines({"d": {"t": "hel"}}, {"d": {"t": "lo"}, "f": "length"})),
        want=Want("hello", "length"),
    ),
    step("hi", call("POST /q", ASKED, {"d": {"t": "whole"}, "f": "stop"}), want="whole"),
    streamed("hi", call("POST /q", ASKED, {"d": {"t": "whole"}, "f": "stop"}), want="whole"),
    streamed("hi", call("POST /q", ASKED, sse({"d": {"t": "hel"}}, "[DONE]")), want="hel"),
)
ALWAYS_PLAIN = case(
    "always-plain",
    {**ALWAYS, "response_extract": ""},
    streamed("hi", call("POST /q", ASKED, said("h\u00e9llo\nyou".encode(), 200, PLAIN)), want="héllo\nyou"),
    step("hi", call("POST /q", ASKED, said(b"hello", 200, PLAIN)), want="hello"),
    streamed("hi", call("POST /q", ASKED, sse("hel", '"lo"')), want="hello"),
    step("hi", call("POST /q", ASKED, said(b'"bare"')), want="bare"),
    streamed(
        "hi", call("POST /q", ASKED, Said(b"hel", 200, PLAIN, cut=True)), want=Want("hel", broken="ended in the middle")
    ),
)
ALWAYS_WITH_BLOCK = case(
    "always-with-block",
    {
        **ALWAYS,
        "stream": {
            "framing": "null",
            "delta_extract": "x|@json[1]",
            "finish_extract": "f|@json[2]",
            "body": {"s": "yes"},
        },
    },
    step(
        "hi",
        call(
            "POST /q",
            {"p": "hi", "s": "yes"},
            lines({"x": "hel"}, ["t", "lo"], ["t", "!", "MAX_TOKENS"], mark="\0", content_type=PLAIN),
        ),
        want=Want("hello!", "length"),
    ),
)

ECHO = case(
    "echo",
    {
        "req_type": "GET",
        "req_url_template": "http://W/q",
        "req_param": {"inputs": "<s>{USER_PROMPT}"},
        "response_extract": "[*].t",
        "output": {"strip_prompt": True, "regex": "(?s)^\\s*(.*?)(?:###|$)"},
        "stream": {"mode": "cumulative", "delta_extract": "t"},
    },
    step("hi", call("GET /q?inputs=%3Cs%3Ehi", None, [{"t": "<s>hi there "}, {"t": "you### no"}]), want="there you"),
    streamed(
        "hi",
        call(
            "GET /q?inputs=%3Cs%3Ehi",
            None,
            sse({"t": "<s>h"}, {"t": "<s>hi"}, {"t": "<s>hi the"}, {"t": "<s>hi there###"}),
        ),
        want="there",
    ),
)
ECHO_STREAM = case(
    "echo-stream",
    {**Q, "output": {"strip_prompt": True}, "stream": {"framing": "text", "done": "<|end|>"}},
    streamed("hi ho", call("POST /q", ANY, said(b"hi ho, silver<|end|>ignored", 200, PLAIN)), want=", silver"),
    streamed("hi ho", call("POST /q", ANY, said(b"hi hi<|end|>", 200, PLAIN)), want="hi hi"),
    streamed(
        "hi ho",
        call("POST /q", ANY, said(b"hi ho, sil", 200, PLAIN)),
        want=Want(", sil", broken="without its end mark"),
    ),
    step("hi ho", call("POST /q", ANY, {"a": "hi ho, silver"}), want=", silver"),
)

FORM = case(
    "form",
    {
        "req_url_template": "http://W/q",
        "body_type": "form",
        "header": {"Accept": "text/plain"},
        "body": {
            "p": "{USER_PROMPT}",
            "stop": "{STOP}",
            "opts": {"t": "{MODEL_TEMPERATURE}", "n": "{NONE}"},
            "rows": [{"a": 1}],
            "flag": True,
            "nil": None,
            "gone": "{NONE}",
            "num": 1.5,
            "s": "{STREAM}",
        },
    },
    step(
        {**talk("a=1&b é"), "stop": ["x", "y"], "temperature": 0},
        call(
            "POST /q",
            [
                ("flag", "true"),
                ("nil", ""),
                ("num", "1.5"),
                ("opts", '{"t":0}'),
                ("p", "a=1&b é"),
                ("rows", '[{"a":1}]'),
                ("s", "false"),
                ("stop", "x"),
                ("stop", "y"),
            ],
            said(b"plain", 200, PLAIN),
            content_type="application/x-www-form-urlencoded",
        ),
        want="plain",
    ),
)
MULTIPART = case(
    "multipart",
    {
        "req_url_template": "http://W/q",
        "body_type": "multipart",
        "header": {"Content-Type": "multipart/form-data"},
        "messages": {"shape": "pairs"},
        "body": {"p": "{USER_PROMPT}", "history": "{MESSAGES}", "stop": "{STOP}", 'odd "name"': "x"},
        "response_extract": '"the.answer"["of all"]',
    },
    step(
        {**talk("one", "1", "t\r\nwo é"), "stop": ["x", "y"]},
        call(
            "POST /q",
            [("history", '[["one","1"]]'), ("odd %22name%22", "x"), ("p", "t\r\nwo é"), ("stop", "x"), ("stop", "y")],
            {"the.answer": {"of all": "ok"}},
        ),
        want="ok",
    ),
)

LIMITS = case(
    "limits",
    {
        "req_url_template": "http://W/q/{TOP_K:500}",
        "body": {
            "p": "{USER_PROMPT}",
            "max": "{MAX_TOKENS:4096}",
            "text": "max={MAX_TOKENS:4096}",
            "t": "{MODEL_TEMPERATURE:0}",
            "w": "{BEAM_WIDTH}",
            "seed": "{SEED}",
        },
        "limits": {
            "MAX_TOKENS": {"max": 100},
            "MODEL_TEMPERATURE": {"min": 0.01, "max": 0.99},
            "TOP_K": {"min": 1, "max": 50},
            "BEAM_WIDTH": {"min": 2},
            "concurrency": 2,
        },
        **ONE,
    },
    step("hi", call("POST /q/50", {"p": "hi", "max": 100, "text": "max=100", "t": 0.01}, {"a": "ok"}), want="ok"),
    step(
        {
            **talk("hi"),
            "max_completion_tokens": 7,
            "max_tokens": 9,
            "temperature": 2,
            "top_k": 0,
            "beam_width": 1,
            "seed": 0,
        },
        call("POST /q/1", {"p": "hi", "max": 7, "text": "max=7", "t": 0.99, "w": 2, "seed": 0}, {"a": "ok"}),
        want="ok",
    ),
)

AUTH_FORM = case(
    "auth-form",
    {
        "req_url_template": "http://W/t/{ACCESS_TOKEN}/q",
        "header": {"Authorization": "Token {ACCESS_TOKEN}"},
        "body": {"p": "{USER_PROMPT}", "token": "{ACCESS_TOKEN}"},
        "response_extract": "a",
        "auth": {
            "req_url_template": "http://W/login/{MODEL_NAME}",
            "header": {"X-Client": "${env:UNSEEN_NAME}"},
            "body_type": "form",
            "body": {"grant_type": "client_credentials", "scope": ["a", "b"], "client_secret": "${env:UNSEEN_KEY}"},
            "token_extract": "data[0].token|token",
        },
        "health": {"req_url_template": "http://W/alive"},
    },
    step(
        "hi",
        call(
            "POST /login/auth-form",
            [("client_secret", KEY), ("grant_type", "client_credentials"), ("scope", "a"), ("scope", "b")],
            {"data": [{"token": "t /1"}]},
            x_client="me",
            content_type="application/x-www-form-urlencoded",
        ),
        call("POST /t/t%20%2F1/q", {"p": "hi", "token": "t /1"}, {"a": "ok"}, authorization="Token t /1"),
        want="ok",
    ),
    step("hi", call("POST /t/t%20%2F1/q", ANY, {"a": "ok"}), want="ok"),
    step(
        "hi",
        call("POST /t/t%20%2F1/q", ANY, said({}, 401)),
        call("POST /login/auth-form", ANY, {"token": "t2"}),
        call("POST /t/t2/q", ANY, said({"message": "still no"}, 401)),
        want=Want("refused the credentials", status=502, code="upstream_auth_error"),
    ),
)
AUTH_GET = case(
    "auth-get",
    {
        **Q,
        "header": {"Authorization": "Bearer {ACCESS_TOKEN}"},
        "auth": {
            "req_type": "GET",
            "req_url_template": "http://W/token?k=${env:UNSEEN_KEY}",
            "token_extract": "",
            "expires_extract": "x",
        },
    },
    step(
        "hi",
        call("GET /token?k=k%2B%2F1", None, said(b"plain-token\n", 200, PLAIN)),
        call("POST /q", ANY, {"a": "ok"}, authorization="Bearer plain-token"),
        want="ok",
    ),
)
AUTH_FAILS = case(
    "auth-fails",
    {
        **Q,
        "header": {"Authorization": "Bearer {ACCESS_TOKEN}"},
        "auth": {"req_url_template": "http://W/token", "token_extract": "t"},
    },
    step(
        "hi",
        call("POST /token", None, {"error": "bad client"}),
        want=Want("bad client", status=502, code="upstream_auth_error"),
    ),
    step(
        "hi",
        call("POST /token", None, said({"error_description": "nope", "error": "invalid_client"}, 400)),
        want=Want("invalid_client", status=502, code="upstream_auth_error"),
    ),
)

RETRIES = case(
    "retries",
    {
        **Q,
        "error": {"error": "*"},
        "retry_when": [{"code": [23, "queue"]}, {"error.type": {"match": "overload"}}],
        "retry": ["502"],
    },
    step(
        "hi", call("POST /q", ANY, {"code": 23, "message": "queue full"}), call("POST /q2", ANY, {"a": "ok"}), want="ok"
    ),
    step(
        "hi",
        call("POST /q", ANY, said({"error": {"type": "overloaded_error"}}, 400)),
        call("POST /q2", ANY, {"a": "ok"}),
        want="ok",
    ),
    step(
        "hi", call("POST /q", ANY, said({"error": {"type": "bad", "message": "no"}}, 400)), want=Want("no", status=400)
    ),
    step("hi", call("POST /q", ANY, {"error": "no"}), want=Want("no", status=502)),
    step("hi", call("POST /q", ANY, said(b"", 502)), call("POST /q2", ANY, {"a": "ok"}), want="ok"),
    step("hi", call("POST /q", ANY, said(b"", 504)), want=Want("504", status=504)),
    step(
        "hi",
        call("POST /q", ANY, said({"error": "x"}, 529)),
        call("POST /q2", ANY, {"code": "QUEUE", "message": "also full"}),
        want=Want("also full", status=502),
    ),
    standbys=({"req_url_template": "http://W/q2"},),
)

REGEX = case(
    "regex",
    {**Q, "output": {"as": "text", "regex": "<answer>((?:.|\\n)*)</answer>"}},
    step("hi", call("POST /q", ANY, {"a": "well <answer>4\n2</answer>"}), want="4\n2"),
    step("hi", call("POST /q", ANY, {"a": "well"}), want=Want("no answer at 'a'", status=502)),
)

JSON_TEXT = case(
    "json-text",
    {
        "req_url_template": "http://W/q",
        "body": {"p": "{USER_PROMPT}"},
        "response_extract": "r.*|r",
        "output": {"as": "json"},
    },
    step("hi", call("POST /q", ANY, {"r": {"x": {"k": [1, "é"]}}}), want='{"k":[1,"é"]}'),
)

ARRAY_DONE = case(
    "array-done",
    {
        **Q,
        "stream": {
            "framing": "json-array",
            "delta_extract": "d[*k=t].v",
            "done_when": [{"e": True}, {"n": 3}],
            "usage": {"prompt": "u.p", "completion": "u.c"},
        },
    },
    streamed(
        "hi",
        call(
            "POST /q",
            ANY,
            said(
                json.dumps(
                    [
                        {"d": [{"k": "t", "v": "a"}, {"k": "x", "v": "!"}, {"k": "t", "v": "b]"}]},
                        {"d": [], "n": 3, "u": {"p": 1, "c": 2}},
                        {"d": [{"k": "t", "v": "never"}]},
                    ]
                ).encode(),
                200,
                "text/plain",
            ),
        ),
        want=Want("ab]", usage=(1, 2)),
    ),
    streamed(
        "hi",
        call("POST /q", ANY, said(b'\xef\xbb\xbf [ {"d":[{"k":"t","v":"a"}]} ]', 200, "text/plain")),
        want=Want("a", broken="without its end mark"),
    ),
    streamed("hi", call("POST /q", ANY, {"a": "one reply"}), want="one reply"),
)

EVENTS = case(
    "events",
    {
        **Q,
        "error": {"@event": ["error", "abort"]},
        "stream": {
            "when": [{"@event": "tok", "@json[0]": "t"}, {"kind": "text"}],
            "delta_extract": "text|@json[1]",
            "finish_extract": "stop|@json[2].stop",
            "usage": {"prompt": "[2].in", "completion": "@json[2].out"},
            "done_when": {"@event": "end"},
        },
    },
    streamed(
        "hi",
        call(
            "POST /q",
            ANY,
            sse(
                ": ping\n\n".encode(),
                ("tok", ["x", "no"]),
                ("tok", ["t", "hel"]),
                {"kind": "text", "text": "lo"},
                {"kind": "note", "text": "no", "stop": "null"},
                ("stat", ["s", "", {"stop": "limit", "in": 4, "out": 5}]),
                b"event: end\n\n",
                ("tok", ["t", "never"]),
            ),
        ),
        want=Want("hello", "length", (4, 5)),
    ),
    streamed(
        "hi",
        call("POST /q", ANY, sse(("tok", ["t", "hel"]), ("abort", "the GPU is gone"))),
        want=Want("hel", broken="the GPU is gone"),
    ),
    streamed(
        "hi",
        call(
            "POST /q",
            ANY,
            said(b'id: 1\rdata: {"kind": "text",\rdata: "text": "hi"}\r\revent: end\rdata:\r\r', 200, SSE),
        ),
        want="hi",
    ),
    streamed(
        "hi",
        call("POST /q", ANY, said(b'data: {"kind": "text", "text": "hi"}\n\nevent: end\ndata: 1\n', 200, SSE)),
        want=Want("hi", broken="without its end mark"),
    ),
)

HEADERS = case(
    "headers",
    {
        **Q,
        "header": {
            "X-Trace": "{REQUEST_ID}",
            "X-User": "{USER}",
            "X-Temp": "t={MODEL_TEMPERATURE:1}",
            "X-Team": "{REQUEST:metadata.team}",
            "X-Braces": "{{USER}} {user}",
            "Authorization": "Basic ${env:UNSEEN_KEY}",
            "Content-Type": "application/json; v={SEED:1}",
        },
    },
    step(
        {**talk("hi"), "metadata": {"team": "é"}},
        call(
            "POST /q",
            {"p": "hi"},
            {"a": "ok"},
            x_user=None,
            x_temp="t=1",
            x_team="\u00c3\u00a9",
            x_braces="{USER} {user}",
            authorization="Basic k+/1",
            content_type="application/json; v=1",
        ),
        want=Want("ok", notice=""),
    ),
    step({**talk("hi"), "user": "a\r\nX-Evil: 1"}, want=Want("X-User", status=400)),
)

HEALTHY = case(
    "healthy",
    {
        **Q,
        "header": {"X-K": "${env:UNSEEN_KEY}", "X-M": "{MODEL_NAME}"},
        "upstream_model": "a.b:1",
        "health": {
            "req_type": "POST",
            "req_url_template": "http://W/h/{MODEL_NAME}",
            "expect": [{"data[id={MODEL_NAME}].ready": True}, {"name": "{MODEL_NAME}"}],
        },
    },
    step("hi", call("POST /q", ANY, {"a": "ok"}), want="ok"),
    probe_headers={"x-k": KEY, "x-m": "a.b:1"},
    probes={"POST /h/a.b%3A1": said({"data": [{"id": "a.b:1", "ready": "true"}]}, 404)},
)

EMBED_BARE = case(
    "embed-bare",
    {
        "task": "embedding",
        "req_url_template": "http://W/pipeline/{MODEL_NAME}",
        "body": {"inputs": "{INPUT}", "options": {"wait": True, "dim": "{DIMENSIONS}"}},
        "response_extract": "",
    },
    step(
        {"input": ["a", "b"]},
        call("POST /pipeline/embed-bare", {"inputs": ["a", "b"], "options": {"wait": True}}, [[0.5, 1], [2, 3]]),
        want=Want([[0.5, 1], [2, 3]], usage=(0, 0)),
        route=EMBED,
    ),
    step(
        {"input": "a", "dimensions": 2},
        call("POST /pipeline/embed-bare", {"inputs": "a", "options": {"wait": True, "dim": 2}}, [0.5, 1]),
        want=Want([[0.5, 1]], usage=(0, 0)),
        route=EMBED,
    ),
)
EMBED_ONE = case(
    "embed-one",
    {
        "task": "embedding",
        "req_type": "GET",
        "req_url_template": "http://W/e",
        "req_param": {"text": "{USER_PROMPT}", "model": "{MODEL_NAME}"},
        "response_extract": "result.data[].values|embedding",
        "output": {"as": "json"},
        "usage": {"prompt": ["m.tokens", "m.more"]},
        "error": {"status": {"not": "ok"}},
    },
    step(
        {"input": ["a b"]},
        call(
            "GET /e?text=a%20b&model=embed-one",
            None,
            {"status": "ok", "result": {"data": [{"values": [1, 2]}]}, "m": {"tokens": 2, "more": 1}},
        ),
        want=Want([[1, 2]], usage=(3, 0)),
        route=EMBED,
    ),
    step({"input": ["a", "b"]}, want=Want("input", status=400), route=EMBED),
    step(
        {"input": "a"},
        call("GET /e?text=a&model=embed-one", None, {"status": "down", "msg": "no GPU"}),
        want=Want("no GPU", status=502),
        route=EMBED,
    ),
)

INVENTED: list[Case] = [
    *(
        TEMPLATES,
        WHOLE_REQUEST,
        PAIRS_FIRST_USER,
        PAIRS_SEPARATE,
        TEXT_ONE_ITEM,
        TEXT_DROP,
        LIST_FIRST_USER,
        CONDITIONS,
    ),
    *(
        USAGE_SUMS,
        OVERLAY,
        GET_STREAM,
        ALWAYS_STREAMS,
        ALWAYS_PLAIN,
        ALWAYS_WITH_BLOCK,
        ECHO,
        ECHO_STREAM,
        FORM,
        MULTIPART,
    ),
    *(LIMITS, AUTH_FORM, AUTH_GET, AUTH_FAILS, RETRIES, REGEX, JSON_TEXT, ARRAY_DONE, EVENTS, HEADERS, HEALTHY),
    *(EMBED_BARE, EMBED_ONE),
]
