"""What a command becomes: after a known system where it looks like one, by the names of its fields elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.curl.command import parse_curl
from app.core.curl.draft import Draft, draft
from app.core.curl.shell import CurlError
from app.core.registration import parse_registration
from app.services.presets import presets
from tests.core.registered import asked, sent

ANSWERED = "choices[].message.content"


def drafted(command: str, **given: Any) -> Draft:
    done = draft(parse_curl(command), presets().values(), given)
    parse_registration(done.registration, lambda name: True)
    return done


def unlike(body: str, url: str = "http://h/v2/ask", more: str = "") -> dict[str, Any]:
    done = drafted(f"curl {url} -d '{body}' {more}", model_name="m")
    assert done.like is None
    assert not done.answer_known
    return done.registration


def test_another_host_of_a_known_shape_has_its_answer_words_and_none_of_its_health() -> None:
    done = drafted(
        "curl http://gpu-7:9000/team/v1/chat/completions -H 'Authorization: Bearer sk-123456' "
        '-d \'{"model": "llama", "messages": [{"role": "user", "content": "hi"}], "top_k": 5, "temperature": 0.2}\''
    )
    raw = done.registration
    assert done.answer_known
    assert done.like == "openai-compatible", "the dialect is named, not one of those who speak it"
    assert (raw["model_name"], raw["response_extract"]) == ("llama", ANSWERED)
    assert raw["req_url_template"] == "http://gpu-7:9000/team/v1/chat/completions"
    assert raw["stream"]["done"] == "[DONE]"
    assert "health" not in raw
    assert raw["header"] == {"Authorization": "Bearer ${env:GPU_7_API_KEY}"}
    assert sent(raw, asked("hello")) == {
        "model": "llama",
        "messages": [{"role": "user", "content": "hello"}],
        "top_k": 5,
        "temperature": 0.2,
        "stream": False,
    }
    assert sent(raw, asked("hello", temperature=0.9, max_tokens=7))["temperature"] == 0.9


def test_another_path_of_a_known_host_has_its_health_and_no_field_for_a_model_that_its_path_names() -> None:
    done = drafted(
        'curl -s -X POST -H "Authorization: Bearer $REPLICATE_API_TOKEN" -H "Prefer: wait" '
        '-d $\'{"input": {"prompt": "An astronaut"}}\' '
        "https://api.replicate.com/v1/models/black-forest-labs/flux-schnell/predictions",
        model_name="flux",
    )
    assert sent(done.registration, asked("a fox")) == {"input": {"prompt": "a fox"}}
    assert done.registration["health"]["req_url_template"] == "https://api.replicate.com/v1/account"
    assert done.registration["job"]["req_url_template"] == "{RESP:urls.get}"


def test_the_streaming_example_is_the_same_worker() -> None:
    done = drafted(
        "curl 'https://generativelanguage.googleapis.com/v1beta/models/gemini-x:streamGenerateContent?alt=sse&key=AIzaX'"
        ' -d \'{"contents": [{"parts": [{"text": "hi"}]}]}\''
    )
    raw = done.registration
    assert raw["req_url_template"].endswith("/models/{MODEL_NAME}:generateContent")
    assert raw["req_param"] == {"key": "${env:GEMINI_API_KEY}"}
    assert raw["model_name"] == "gemini-x"
    assert "health" not in raw  # its probe would go without the key


def test_headers_and_constants_of_the_stream_alone_stay_there() -> None:
    done = drafted(
        "curl https://dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation"
        " -H 'X-DashScope-SSE: enable'"
        ' -H "Authorization: Bearer $K" -d \'{"model": "qwen-plus", "input": {"messages": [{"role": "user", "content":'
        ' "hi"}]}, "parameters": {"incremental_output": true}}\''
    )
    raw = done.registration
    assert raw["header"] == {"Authorization": "Bearer ${env:K}"}
    assert raw["body"]["parameters"]["result_format"] == "message"
    assert "incremental_output" not in raw["body"]["parameters"]


def test_a_field_of_another_name_takes_the_place_of_the_presets() -> None:
    done = drafted(
        'curl https://api.openai.com/v1/chat/completions -d \'{"model": "m", "max_tokens": 9,'
        ' "messages": [{"role": "user", "content": "hi"}]}\''
    )
    assert sent(done.registration, asked("hi", max_tokens=3))["max_tokens"] == 3
    assert "max_completion_tokens" not in done.registration["body"]


def test_jobs_poll_with_the_calls_key() -> None:
    done = drafted(
        'curl https://api.dev.runwayml.com/v1/text_to_video -H "Authorization: Bearer $MINE"'
        ' -d \'{"model": "gen4.5", "promptText": "a cat", "ratio": "1280:720", "duration": 5}\''
    )
    assert done.registration["job"]["header"]["Authorization"] == "Bearer ${env:MINE}"


def test_names_of_fields_tell_what_they_are() -> None:
    raw = unlike(
        '{"query": "what?", "modelId": "x-1", "stream": true, "params": {"maxTokens": 50, "topP": 0.9}, "v": 2}'
    )
    assert raw["body"] == {
        "query": "{USER_PROMPT}",
        "modelId": "{MODEL_NAME}",
        "stream": "{STREAM}",
        "params": {"maxTokens": "{MAX_TOKENS:50}", "topP": "{TOP_P:0.9}"},
        "v": 2,
    }
    assert raw["upstream_model"] == "x-1"


@pytest.mark.parametrize(
    ("body", "item", "roles"),
    [
        ('{"messages": [{"role": "user", "content": "hi"}]}', None, None),
        (
            '{"chat": {"turns": [{"role": "USER", "message": "a"}, {"role": "CHATBOT", "message": "b"}]}}',
            {"role": "{ROLE}", "message": "{CONTENT}"},
            {"user": "USER", "assistant": "CHATBOT"},
        ),
        (
            '{"messages": [{"role": "user", "content": [{"image": {"url": "x"}}, {"text": "hi"}]}]}',
            {"role": "{ROLE}", "content": [{"text": "{CONTENT}"}]},
            None,
        ),
        (
            '{"items": [{"parts": [{"text": "hi"}]}]}',
            {"role": "{ROLE}", "parts": [{"text": "{CONTENT}"}]},
            {"assistant": "model"},
        ),
    ],
)  # fmt: skip
def test_conversations(body: str, item: Any, roles: Any) -> None:
    messages = unlike(body).get("messages") or {}
    assert messages.get("item") == item
    assert messages.get("roles") == roles


def test_a_system_prompt_beside_the_conversation() -> None:
    raw = unlike('{"system": "be brief", "messages": [{"role": "user", "content": "hi"}]}')
    assert raw["messages"]["system"] == "separate"
    assert raw["body"]["system"] == "{SYSTEM_PROMPT}"


def test_a_history_beside_the_prompt_is_pairs() -> None:
    raw = unlike('{"prompt": "hi", "history": []}')
    assert raw["messages"] == {"shape": "pairs", "system": "first_user"}
    assert raw["body"] == {"prompt": "{USER_PROMPT}", "history": "{MESSAGES}"}


def test_a_list_of_texts_and_the_model_in_the_path() -> None:
    raw = drafted('curl http://h/engines/abc/embed -d \'{"inputs": ["text"]}\'').registration
    assert raw["body"] == {"inputs": ["{INPUT}"]}
    assert (raw["task"], raw["model_name"]) == ("embedding", "abc")
    assert raw["req_url_template"] == "http://h/engines/{MODEL_NAME}/embed"


def test_a_get_request_and_a_form() -> None:
    raw = drafted("curl -G http://h/q --data-urlencode 'q=hello world' -d lang=en", model_name="m").registration
    assert (raw["req_type"], raw["req_param"]) == ("GET", {"q": "{USER_PROMPT}", "lang": "en"})
    raw = drafted("curl http://h/q -d text=hi -d lang=en", model_name="m").registration
    assert (raw["body_type"], raw["body"]) == ("form", {"text": "{USER_PROMPT}", "lang": "en"})


def test_placeholders_that_the_operator_wrote_are_kept() -> None:
    assert unlike('{"weird": "{USER_PROMPT}", "prompt": "x"}')["body"] == {"weird": "{USER_PROMPT}", "prompt": "x"}


@pytest.mark.parametrize(
    ("option", "name", "value"),
    [
        ("-H 'Authorization: Bearer YOUR_KEY'", "Authorization", "Bearer ${env:ACME_API_KEY}"),
        ("-H 'x-api-key: abc'", "x-api-key", "${env:ACME_API_KEY}"),
        ("-H \"x-api-key: $MY_KEY\"", "x-api-key", "${env:MY_KEY}"),
        ("-u me:pw", "Authorization", "Basic ${env:ACME_BASIC}"),
        ("-H \"Authorization: Basic $B\"", "Authorization", "Basic ${env:B}"),
        ("-b session=abc", "Cookie", "${env:ACME_API_KEY}"),
        ("-H 'X-Version: 3'", "X-Version", "3"),
    ],
)  # fmt: skip
def test_keys_become_references(option: str, name: str, value: str) -> None:
    assert unlike('{"prompt": "hi"}', "https://api.acme.com/v2/ask", option)["header"][name] == value


def test_no_key_of_the_command_is_left_anywhere() -> None:
    raw = unlike(
        '{"prompt": "hi", "api_key": "SECRET1"}', "'https://h.acme.com/v2/ask?token=SECRET2'", "-H 'key: SECRET3'"
    )
    assert "SECRET" not in json.dumps(raw)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("curl http://h/q -d '{\"a\": 1}'", "USER_PROMPT"),
        ('curl http://h/q -d \'{"prompt": "x"}\'', "--model"),
        ("curl http://h/q", "USER_PROMPT"),
    ],
)
def test_what_is_missing_is_said(command: str, names: str) -> None:
    with pytest.raises(CurlError, match=names):
        draft(parse_curl(command), presets().values(), {})
