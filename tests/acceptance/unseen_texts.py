"""Text systems of the world that no preset or sample of this project is a copy of."""

from __future__ import annotations

from typing import Any

from tests.acceptance.unseen import (
    ANY,
    PLAIN,
    Case,
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
TURNS = talk("system: Be brief.", "one", "1", "two")


def openai(text: str | None, finish: str = "stop", **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        **more,
    }


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

TGI = case(
    "tgi-compat",
    {
        "req_url_template": "http://W/",
        "body": {
            "inputs": "{USER_PROMPT}",
            "parameters": {"max_new_tokens": "{MAX_TOKENS:20}", "temperature": "{MODEL_TEMPERATURE}", "details": True},
        },
        "limits": {"MODEL_TEMPERATURE": {"min": 0.01}},
        "response_extract": "[].generated_text|generated_text",
        "finish_extract": "[].details.finish_reason|details.finish_reason",
        "usage": {
            "completion": "[].details.generated_tokens|details.generated_tokens",
            "prompt": "[].details.prefill_tokens",
        },
        "error": {"error": "*"},
        "stream": {
            "req_url_template": "http://W/generate_stream",
            "framing": "sse",
            "when": {"token.special": False},
            "delta_extract": "token.text",
            "finish_extract": "details.finish_reason",
            "usage": {"prompt": "details.input_length", "completion": "details.generated_tokens"},
        },
    },
    step(
        {**talk("hi"), "temperature": 0},
        call(
            "POST /",
            {"inputs": "hi", "parameters": {"max_new_tokens": 20, "temperature": 0.01, "details": True}},
            [
                {
                    "generated_text": "hello",
                    "details": {"finish_reason": "eos_token", "generated_tokens": 2, "prefill_tokens": 3},
                }
            ],
        ),
        want=Want("hello", usage=(3, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /generate_stream",
            ANY,
            sse(
                b'data:{"token":{"text":"hel","special":false}}\n\n',
                {"token": {"text": "lo", "special": False}},
                {
                    "token": {"text": "</s>", "special": True},
                    "generated_text": "hello",
                    "details": {"finish_reason": "length", "generated_tokens": 3, "input_length": 4},
                },
            ),
        ),
        want=Want("hello", "length", (4, 3)),
    ),
    streamed(
        "hi",
        call(
            "POST /generate_stream",
            ANY,
            sse(
                {"token": {"text": "hel", "special": False}}, {"error": "Input is too long", "error_type": "validation"}
            ),
        ),
        want=Want("hel", broken="Input is too long"),
    ),
    step(
        "hi",
        call("POST /", ANY, said({"error": "`inputs` must be short", "error_type": "validation"}, 422)),
        want=Want("`inputs` must be short", status=422, code="upstream_rejected"),
    ),
    step(
        "hi",
        call("POST /", ANY, said({"error": "Model is overloaded", "error_type": "overloaded"}, 429, retry_after="7")),
        want=Want("Model is overloaded", status=429, code="upstream_rate_limited"),
    ),
)

SGLANG = case(
    "sglang",
    {
        "req_url_template": "http://W/generate",
        "messages": {
            "shape": "text",
            "item": {
                "system": "<|sys|>{CONTENT}<|end|>",
                "user": "<|user|>{CONTENT}<|end|>",
                "assistant": "<|assistant|>{CONTENT}<|end|>",
                "end": "<|assistant|>",
            },
        },
        "body": {
            "text": "{MESSAGES}",
            "sampling_params": {
                "max_new_tokens": "{MAX_TOKENS}",
                "temperature": "{MODEL_TEMPERATURE}",
                "stop": "{STOP}",
            },
            "stream": "{STREAM}",
        },
        "response_extract": "text",
        "finish_extract": "meta_info.finish_reason.type",
        "usage": {"prompt": "meta_info.prompt_tokens", "completion": "meta_info.completion_tokens"},
        "error": {"error": "*"},
        "retry_when": {"error.retryable": True},
        "stream": {"framing": "sse", "mode": "cumulative", "delta_extract": "text", "done": "[DONE]"},
    },
    step(
        {**TURNS, "stop": ["x", "y"]},
        call(
            "POST /generate",
            {
                "text": "<|sys|>Be brief.<|end|><|user|>one<|end|><|assistant|>1<|end|><|user|>two<|end|><|assistant|>",
                "sampling_params": {"stop": ["x", "y"]},
                "stream": False,
            },
            {
                "text": "2",
                "meta_info": {
                    "finish_reason": {"type": "length", "length": 1},
                    "prompt_tokens": 9,
                    "completion_tokens": 1,
                },
            },
        ),
        want=Want("2", "length", (9, 1)),
    ),
    streamed(
        "hi",
        call(
            "POST /generate",
            {"text": "<|user|>hi<|end|><|assistant|>", "stream": True},
            sse(
                {"text": "h", "meta_info": {"finish_reason": None, "prompt_tokens": 2, "completion_tokens": 1}},
                {"text": "hé", "meta_info": {"finish_reason": None, "prompt_tokens": 2, "completion_tokens": 2}},
                {
                    "text": "héllo",
                    "meta_info": {"finish_reason": {"type": "stop"}, "prompt_tokens": 2, "completion_tokens": 3},
                },
                "[DONE]",
            ),
        ),
        want=Want("héllo", usage=(2, 3)),
    ),
    streamed(
        "hi",
        call("POST /generate", ANY, sse({"text": "h"}, {"error": {"message": "aborted", "retryable": False}})),
        want=Want("h", broken="aborted"),
    ),
)

VLLM_LEGACY = case(
    "vllm-legacy",
    {
        "req_url_template": "http://W/generate",
        "body": {"prompt": "Q: {USER_PROMPT}\nA:", "max_tokens": "{MAX_TOKENS:16}", "stream": "{STREAM}"},
        "response_extract": "text[]",
        "output": {"strip_prompt": True},
        "stream": {"framing": "ndjson", "mode": "cumulative", "delta_extract": "text[]"},
    },
    step(
        "hi",
        call("POST /generate", {"prompt": "Q: hi\nA:", "max_tokens": 16, "stream": False}, {"text": ["Q: hi\nA: yes"]}),
        want=" yes",
    ),
    streamed(
        "hi",
        call(
            "POST /generate",
            ANY,
            lines(
                *({"text": ["Q: hi\nA:" + tail]} for tail in ("", " y", " yes", " yes")),
                content_type="application/octet-stream",
            ),
        ),
        want=" yes",
    ),
    streamed(
        "hi",
        call("POST /generate", ANY, lines({"text": ["Q: hi\nA: y"]}, {"text": ["Q: hi\nA: yes"]}, cut=True)),
        want=Want(" yes", broken="ended in the middle"),
    ),
)

FASTCHAT = case(
    "fastchat-worker",
    {
        "req_url_template": "http://W/worker_generate",
        "upstream_model": "vicuna-7b-v1.5",
        "messages": {
            "shape": "text",
            "item": {
                "system": "{CONTENT} ",
                "user": "{ROLE}: {CONTENT} ",
                "assistant": "{ROLE}: {CONTENT}</s>",
                "end": "{ROLE}:",
            },
            "roles": {"user": "USER", "assistant": "ASSISTANT"},
        },
        "body": {
            "model": "{MODEL_NAME}",
            "prompt": "{MESSAGES}",
            "temperature": "{MODEL_TEMPERATURE:0.7}",
            "max_new_tokens": "{MAX_TOKENS:256}",
            "stop": "{STOP:</s>}",
            "echo": False,
        },
        "response_extract": "text",
        "finish_extract": "finish_reason",
        "usage": {"prompt": "usage.prompt_tokens", "completion": "usage.completion_tokens"},
        "error": {"error_code": {"not": 0}},
        "error_extract": "text",
        "stream": {"req_url_template": "http://W/worker_generate_stream", "framing": "null", "mode": "cumulative"},
    },
    step(
        TURNS,
        call(
            "POST /worker_generate",
            {
                "model": "vicuna-7b-v1.5",
                "prompt": "Be brief. USER: one ASSISTANT: 1</s>USER: two ASSISTANT:",
                "temperature": 0.7,
                "max_new_tokens": 256,
                "stop": "</s>",
                "echo": False,
            },
            {"text": "2", "error_code": 0, "finish_reason": "stop", "usage": USAGE},
        ),
        want=Want("2", usage=(3, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /worker_generate_stream",
            ANY,
            lines(
                {"text": "", "error_code": 0, "finish_reason": None},
                {"text": "hel", "error_code": 0},
                {"text": "hello", "error_code": 0, "finish_reason": "length", "usage": USAGE},
                mark="\0",
                content_type="application/octet-stream",
            ),
        ),
        want=Want("hello", "length", (3, 2)),
    ),
    step(
        "hi",
        call("POST /worker_generate", ANY, {"text": "CUDA out of memory", "error_code": 50002}),
        want=Want("CUDA out of memory", status=502, code="upstream_error"),
    ),
    streamed(
        "hi",
        call("POST /worker_generate_stream", ANY, lines({"text": "NETWORK ERROR", "error_code": 50001}, mark="\0")),
        want=Want("NETWORK ERROR", status=502),
    ),
)

XINFERENCE = case(
    "xinference",
    {
        "req_url_template": "http://W/v1/chat/completions",
        "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}"},
        "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "max_tokens": "{MAX_TOKENS}", "stream": "{STREAM}"},
        "response_extract": "choices[0].message.content",
        "error_extract": "detail",
        "stream": {"framing": "sse", "delta_extract": "choices[0].delta.content", "done": "[DONE]"},
    },
    step(
        {**TURNS, "max_completion_tokens": 5, "logprobs": True, "frequency_penalty": 1},
        call(
            "POST /v1/chat/completions",
            {
                "model": "xinference",
                "messages": TURNS["messages"],
                "max_tokens": 5,
                "stream": False,
                "logprobs": True,
                "frequency_penalty": 1,
            },
            openai("2", usage=USAGE),
            authorization="Bearer " + KEY,
        ),
        want=Want("2", usage=(3, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /v1/chat/completions",
            {"model": "xinference", "messages": [{"role": "user", "content": "hi"}], "stream": True},
            sse(chunk("hel"), chunk("lo"), chunk(finish="stop"), "[DONE]", end="\r\n"),
        ),
        want="hello",
    ),
    step(
        "hi",
        call("POST /v1/chat/completions", ANY, said({"detail": "Model not found"}, 404)),
        want=Want("Model not found", status=404),
    ),
    streamed(
        "hi",
        call("POST /v1/chat/completions", ANY, sse(chunk("hel"), chunk("lo"))),
        want=Want("hello", broken="ended in the middle"),
    ),
)

AZURE = case(
    "azure",
    {
        "req_url_template": "http://W/openai/deployments/gpt-4o/chat/completions",
        "req_param": {"api-version": "2024-10-21"},
        "header": {"api-key": "${env:UNSEEN_KEY}"},
        "body": {"messages": "{MESSAGES}", "max_completion_tokens": "{MAX_TOKENS}", "stream": "{STREAM}"},
        "response_extract": "choices[].message.content",
        "stream": {
            "delta_extract": "choices[].delta.content",
            "done": "[DONE]",
            "body": {"stream_options": {"include_usage": True}},
        },
        "health": {"req_url_template": "http://W/openai/models?api-version=2024-10-21"},
    },
    step(
        {**talk("hi"), "max_tokens": 7},
        call(
            "POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            {"messages": talk("hi")["messages"], "max_completion_tokens": 7, "stream": False},
            openai("hello"),
            api_key=KEY,
        ),
        want="hello",
    ),
    streamed(
        "hi",
        call(
            "POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
            {"messages": talk("hi")["messages"], "stream": True, "stream_options": {"include_usage": True}},
            sse(
                {"choices": [], "prompt_filter_results": []},
                chunk("hello"),
                chunk(finish="content_filter"),
                {"choices": [], "usage": USAGE},
                "[DONE]",
            ),
        ),
        want=Want("hello", "content_filter", (3, 2)),
    ),
    step(
        "hi",
        call(
            "POST /openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", ANY, openai(None, "tool_calls")
        ),
        want=Want("", "tool_calls"),
    ),
    probes={"GET /openai/models?api-version=2024-10-21": said({"data": []})},
)

RESPONSES = case(
    "responses",
    {
        "req_url_template": "http://W/v1/responses",
        "messages": {
            "system": "separate",
            "item": {"role": "{ROLE}", "content": [{"type": "input_text", "text": "{CONTENT}"}]},
        },
        "body": {
            "model": "{MODEL_NAME}",
            "input": "{MESSAGES}",
            "instructions": "{SYSTEM_PROMPT}",
            "max_output_tokens": "{MAX_TOKENS}",
            "stream": "{STREAM}",
            "store": False,
        },
        "response_extract": "output[type=message].content[*type=output_text].text",
        "finish_extract": "incomplete_details.reason|status",
        "usage": {"prompt": "usage.input_tokens", "completion": "usage.output_tokens"},
        "error": [{"error": "*"}, {"response.error": "*"}, {"@event": "error"}],
        "error_extract": "error.message|response.error.message|message",
        "stream": {
            "when": {"@event": "response.output_text.delta"},
            "delta_extract": "delta",
            "finish_extract": "response.incomplete_details.reason",
            "usage": {"prompt": "response.usage.input_tokens", "completion": "response.usage.output_tokens"},
            "done_when": {"type": ["response.completed", "response.incomplete"]},
        },
    },
    step(
        TURNS,
        call(
            "POST /v1/responses",
            {
                "model": "responses",
                "input": [
                    {"role": role, "content": [{"type": "input_text", "text": text}]}
                    for role, text in (("user", "one"), ("assistant", "1"), ("user", "two"))
                ],
                "instructions": "Be brief.",
                "stream": False,
                "store": False,
            },
            {
                "status": "completed",
                "error": None,
                "output": [
                    {"type": "reasoning", "content": [{"type": "output_text", "text": "no"}]},
                    {
                        "type": "message",
                        "content": [
                            {"type": "output_text", "text": "2"},
                            {"type": "refusal"},
                            {"type": "output_text", "text": "!"},
                        ],
                    },
                ],
                "usage": {"input_tokens": 7, "output_tokens": 2},
            },
        ),
        want=Want("2!", usage=(7, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /v1/responses",
            ANY,
            sse(
                ("response.created", {"type": "response.created", "response": {"error": None}}),
                ("response.output_text.delta", {"type": "response.output_text.delta", "delta": "hel"}),
                ("response.output_text.delta", {"delta": "lo"}),
                (
                    "response.incomplete",
                    {
                        "type": "response.incomplete",
                        "response": {
                            "incomplete_details": {"reason": "max_output_tokens"},
                            "usage": {"input_tokens": 1, "output_tokens": 2},
                        },
                    },
                ),
            ),
        ),
        want=Want("hello", "length", (1, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /v1/responses",
            ANY,
            sse(
                ("response.output_text.delta", {"delta": "hel"}),
                ("error", {"type": "error", "code": "server_error", "message": "boom"}),
            ),
        ),
        want=Want("hel", broken="boom"),
    ),
)

COHERE = case(
    "cohere",
    {
        "req_url_template": "http://W/v2/chat",
        "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}", "X-Client-Name": "${env:UNSEEN_NAME}"},
        "body": {"model": "command-a", "messages": "{MESSAGES}", "p": "{TOP_P}", "k": "{TOP_K}", "stream": "{STREAM}"},
        "response_extract": "message.content[*type=text].text",
        "finish_extract": "finish_reason",
        "usage": {"prompt": "usage.tokens.input_tokens", "completion": "usage.tokens.output_tokens"},
        "stream": {
            "when": {"type": "content-delta"},
            "delta_extract": "delta.message.content.text",
            "finish_extract": "delta.finish_reason",
            "usage": {"prompt": "delta.usage.tokens.input_tokens", "completion": "delta.usage.tokens.output_tokens"},
            "done_when": {"type": "message-end"},
        },
    },
    step(
        {**TURNS, "top_p": 0.5, "top_k": 4},
        call(
            "POST /v2/chat",
            {"model": "command-a", "messages": TURNS["messages"], "p": 0.5, "k": 4, "stream": False},
            {
                "finish_reason": "MAX_TOKENS",
                "message": {"content": [{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "2"}]},
                "usage": {"tokens": {"input_tokens": 5.0, "output_tokens": 1.0}},
            },
            x_client_name="me",
        ),
        want=Want("2", "length", (5, 1)),
    ),
    streamed(
        "hi",
        call(
            "POST /v2/chat",
            ANY,
            sse(
                ("message-start", {"type": "message-start"}),
                ("content-delta", {"type": "content-delta", "delta": {"message": {"content": {"text": "hello"}}}}),
                (
                    "message-end",
                    {
                        "type": "message-end",
                        "delta": {
                            "finish_reason": "COMPLETE",
                            "usage": {"tokens": {"input_tokens": 5, "output_tokens": 1}},
                        },
                    },
                ),
            ),
        ),
        want=Want("hello", usage=(5, 1)),
    ),
    step(
        "hi",
        call("POST /v2/chat", ANY, {"finish_reason": "ERROR", "message": {"content": [{"type": "text", "text": "h"}]}}),
        want=Want("ERROR", status=502),
    ),
)

DASHSCOPE = case(
    "dashscope-cumulative",
    {
        "req_url_template": "http://W/api/v1/services/aigc/text-generation/generation",
        "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}"},
        "body": {
            "model": "{MODEL_NAME}",
            "input": {"messages": "{MESSAGES}"},
            "parameters": {"result_format": "message", "seed": "{SEED}", "top_k": "{TOP_K}"},
        },
        "response_extract": "output.choices[].message.content|output.text",
        "finish_extract": "output.choices[].finish_reason|output.finish_reason",
        "usage": {"prompt": "usage.input_tokens", "completion": "usage.output_tokens"},
        "error": {"code": "*"},
        "stream": {
            "header": {"x-dashscope-sse": "enable"},
            "body": {"parameters": {"enable_search": False}},
            "mode": "cumulative",
            "finish_extract": "output.choices[].finish_reason",
        },
    },
    step(
        "hi",
        call(
            "POST /api/v1/services/aigc/text-generation/generation",
            {"model": "dashscope-cumulative", "input": talk("hi"), "parameters": {"result_format": "message"}},
            {"output": {"text": "hello", "finish_reason": "length"}, "usage": {"input_tokens": 1, "output_tokens": 2}},
            x_dashscope_sse=None,
        ),
        want=Want("hello", "length", (1, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /api/v1/services/aigc/text-generation/generation",
            {
                "model": "dashscope-cumulative",
                "input": talk("hi"),
                "parameters": {"result_format": "message", "enable_search": False},
            },
            sse(
                b'id:1\nevent:result\n:HTTP_STATUS/200\ndata:{"output":{"choices":[{"finish_reason":"null","message":{"content":"\xe4\xbd\xa0"}}]},"usage":{"input_tokens":1,"output_tokens":1}}\n\n',
                (
                    "result",
                    {
                        "output": {"choices": [{"finish_reason": "stop", "message": {"content": "你好"}}]},
                        "usage": {"input_tokens": 1, "output_tokens": 2},
                    },
                ),
            ),
            x_dashscope_sse="enable",
            authorization="Bearer " + KEY,
        ),
        want=Want("你好", usage=(1, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /api/v1/services/aigc/text-generation/generation",
            ANY,
            sse(("error", {"code": "Throttling", "message": "Requests rate limit exceeded"})),
        ),
        want=Want("Requests rate limit exceeded", status=502),
    ),
)

ERNIE = case(
    "ernie-v1",
    {
        "req_url_template": "http://W/rpc/2.0/ai_custom/v1/wenxinworkshop/chat/eb-instant",
        "req_param": {"access_token": "{ACCESS_TOKEN}"},
        "messages": {"system": "separate"},
        "body": {
            "messages": "{MESSAGES}",
            "system": "{SYSTEM_PROMPT}",
            "max_output_tokens": "{MAX_TOKENS}",
            "stream": "{STREAM}",
        },
        "response_extract": "result",
        "finish_extract": "finish_reason",
        "usage": {"prompt": "usage.prompt_tokens", "completion": "usage.completion_tokens"},
        "error": {"error_code": "*"},
        "auth": {
            "req_url_template": "http://W/oauth/2.0/token",
            "req_param": {
                "grant_type": "client_credentials",
                "client_id": "${env:UNSEEN_NAME}",
                "client_secret": "${env:UNSEEN_KEY}",
            },
            "token_extract": "access_token",
            "expires_extract": "expires_in",
        },
        "stream": {"delta_extract": "result", "done_when": {"is_end": True}},
    },
    step(
        TURNS,
        call(
            "POST /oauth/2.0/token?grant_type=client_credentials&client_id=me&client_secret=k%2B%2F1",
            None,
            {"access_token": "24.a/b", "expires_in": "2592000"},
        ),
        call(
            "POST /rpc/2.0/ai_custom/v1/wenxinworkshop/chat/eb-instant?access_token=24.a%2Fb",
            {"messages": talk("one", "1", "two")["messages"], "system": "Be brief.", "stream": False},
            {"result": "2", "usage": USAGE},
        ),
        want=Want("2", usage=(3, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /rpc/2.0/ai_custom/v1/wenxinworkshop/chat/eb-instant?access_token=24.a%2Fb",
            ANY,
            sse({"result": "hel", "is_end": False}, {"result": "lo", "is_end": True, "usage": USAGE}),
        ),
        want=Want("hello", usage=(3, 2)),
    ),
    step(
        "hi",
        call(
            "POST /rpc/2.0/ai_custom/v1/wenxinworkshop/chat/eb-instant?access_token=24.a%2Fb",
            ANY,
            {"error_code": 336003, "error_msg": "messages must be odd"},
        ),
        want=Want("messages must be odd", status=502),
    ),
    step(
        "hi",
        call(
            "POST /rpc/2.0/ai_custom/v1/wenxinworkshop/chat/eb-instant?access_token=24.a%2Fb",
            ANY,
            said({"error_msg": "token expired"}, 401),
        ),
        call(
            "POST /oauth/2.0/token?grant_type=client_credentials&client_id=me&client_secret=k%2B%2F1",
            None,
            {"access_token": "new"},
        ),
        call("POST /rpc/2.0/ai_custom/v1/wenxinworkshop/chat/eb-instant?access_token=new", ANY, {"result": "again"}),
        want="again",
    ),
)

BEDROCK = case(
    "bedrock-converse",
    {
        "req_url_template": "http://W/model/{MODEL_NAME}/converse",
        "upstream_model": "us.anthropic.claude-v2:1",
        "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}"},
        "messages": {"system": "separate", "item": {"role": "{ROLE}", "content": [{"text": "{CONTENT}"}]}},
        "body": {
            "messages": "{MESSAGES}",
            "system": [{"text": "{SYSTEM_PROMPT}"}],
            "inferenceConfig": {"maxTokens": "{MAX_TOKENS}", "temperature": "{MODEL_TEMPERATURE}", "topP": "{TOP_P}"},
        },
        "response_extract": "output.message.content[*].text",
        "finish_extract": "stopReason",
        "usage": {"prompt": "usage.inputTokens", "completion": "usage.outputTokens"},
    },
    step(
        "hi",
        call(
            "POST /model/us.anthropic.claude-v2%3A1/converse",
            {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
            {
                "output": {"message": {"content": [{"text": "hel"}, {"toolUse": {}}, {"text": "lo"}]}},
                "stopReason": "model_context_window_exceeded",
                "usage": {"inputTokens": 3, "outputTokens": 2},
            },
        ),
        want=Want("hello", "length", (3, 2)),
    ),
    streamed(
        {**TURNS, "max_tokens": 4},
        call(
            "POST /model/us.anthropic.claude-v2%3A1/converse",
            {
                "messages": [
                    {"role": role, "content": [{"text": text}]}
                    for role, text in (("user", "one"), ("assistant", "1"), ("user", "two"))
                ],
                "system": [{"text": "Be brief."}],
                "inferenceConfig": {"maxTokens": 4},
            },
            {
                "output": {"message": {"content": [{"text": "2"}]}},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 3, "outputTokens": 2},
            },
        ),
        want=Want("2", usage=(3, 2)),
    ),
    step(
        "hi",
        call(
            "POST /model/us.anthropic.claude-v2%3A1/converse",
            ANY,
            said({"message": "The model ID is not supported"}, 400),
        ),
        want=Want("The model ID is not supported", status=400),
    ),
)

GEMINI_ARRAY = case(
    "gemini-array",
    {
        "req_url_template": "http://W/v1beta/models/{MODEL_NAME}:generateContent?key=${env:UNSEEN_KEY}",
        "messages": {
            "system": "separate",
            "roles": {"assistant": "model"},
            "item": {"role": "{ROLE}", "parts": [{"text": "{CONTENT}"}]},
        },
        "body": {
            "contents": "{MESSAGES}",
            "systemInstruction": {"parts": [{"text": "{SYSTEM_PROMPT}"}]},
            "generationConfig": {"stopSequences": "{STOP}", "candidateCount": "{N}"},
        },
        "response_extract": "candidates[].content.parts[*].text",
        "finish_extract": "candidates[].finishReason",
        "usage": {
            "prompt": "usageMetadata.promptTokenCount",
            "completion": ["usageMetadata.candidatesTokenCount", "usageMetadata.thoughtsTokenCount"],
        },
        "error": [{"error": "*"}, {"promptFeedback.blockReason": "*"}],
        "error_extract": "error.message|promptFeedback.blockReason",
        "stream": {
            "req_url_template": "http://W/v1beta/models/{MODEL_NAME}:streamGenerateContent?key=${env:UNSEEN_KEY}",
            "framing": "json-array",
            "finish_extract": "candidates[].finishReason",
        },
    },
    step(
        "hi",
        call(
            "POST /v1beta/models/gemini-array:generateContent?key=k%2B%2F1",
            {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
            {
                "candidates": [{"content": {"parts": [{"text": "hel"}, {"text": "lo"}]}, "finishReason": "MAX_TOKENS"}],
                "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 3, "thoughtsTokenCount": 4},
            },
        ),
        want=Want("hello", "length", (2, 7)),
    ),
    streamed(
        TURNS,
        call(
            "POST /v1beta/models/gemini-array:streamGenerateContent?key=k%2B%2F1",
            {
                "contents": [
                    {"role": role, "parts": [{"text": text}]}
                    for role, text in (("user", "one"), ("model", "1"), ("user", "two"))
                ],
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
            },
            said(
                b'[{"candidates":[{"content":{"parts":[{"text":"h\xc3\xa9]}\\""}]},"finishReason":"STOP"}]}\r\n,\r\n{"candidates":[{"content":{"parts":[{"text":"o"}]},"finishReason":"SAFETY"}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3}}\n]',
                200,
                "application/json; charset=UTF-8",
            ),
        ),
        want=Want('hé]}"o', "content_filter", (2, 3)),
    ),
    step(
        "hi",
        call(
            "POST /v1beta/models/gemini-array:generateContent?key=k%2B%2F1",
            ANY,
            {"promptFeedback": {"blockReason": "SAFETY"}},
        ),
        want=Want("SAFETY", status=502),
    ),
    streamed(
        "hi",
        call(
            "POST /v1beta/models/gemini-array:streamGenerateContent?key=k%2B%2F1",
            ANY,
            said(b'[{"error":{"code":503,"message":"overloaded"}}]', 200),
        ),
        want=Want("overloaded", status=502),
    ),
    streamed(
        "hi",
        call(
            "POST /v1beta/models/gemini-array:streamGenerateContent?key=k%2B%2F1",
            ANY,
            said(b'[{"candidates":[{"content":{"parts":[{"text":"h"}]}}]}', 200, "application/json; charset=UTF-8"),
        ),
        want=Want("h", broken="ended in the middle"),
    ),
    streamed(
        "hi",
        call(
            "POST /v1beta/models/gemini-array:streamGenerateContent?key=k%2B%2F1",
            ANY,
            said([{"error": {"code": 400, "message": "API key not valid"}}], 400),
        ),
        want=Want("API key not valid", status=400),
    ),
)

OLLAMA = case(
    "ollama-generate",
    {
        "req_url_template": "http://W/api/generate",
        "messages": {"system": "separate"},
        "body": {
            "model": "{MODEL_NAME}",
            "prompt": "{USER_PROMPT}",
            "system": "{SYSTEM_PROMPT}",
            "stream": "{STREAM}",
            "options": {"temperature": "{MODEL_TEMPERATURE}", "num_predict": "{MAX_TOKENS}", "mirostat": "{MIROSTAT}"},
        },
        "response_extract": "response",
        "finish_extract": "done_reason",
        "usage": {"prompt": "prompt_eval_count", "completion": "eval_count"},
        "error": {"error": "*"},
        "stream": {"framing": "ndjson", "done_when": {"done": True}},
        "health": {"req_url_template": "http://W/api/tags", "expect": {"models[name={MODEL_NAME}].name": "*"}},
    },
    step(
        {**TURNS, "mirostat": 2},
        call(
            "POST /api/generate",
            {
                "model": "ollama-generate",
                "prompt": "two",
                "system": "Be brief.",
                "stream": False,
                "options": {"mirostat": 2},
            },
            {"response": "2", "done": True, "done_reason": "length", "prompt_eval_count": 4, "eval_count": 1},
        ),
        want=Want("2", "length", (4, 1), notice="conversation not carried"),
    ),
    streamed(
        "hi",
        call(
            "POST /api/generate",
            ANY,
            lines(
                {"response": "hel", "done": False},
                {"response": "lo", "done": False},
                {"response": "", "done": True, "done_reason": "stop", "prompt_eval_count": 4, "eval_count": 2},
            ),
        ),
        want=Want("hello", usage=(4, 2)),
    ),
    streamed(
        "hi",
        call(
            "POST /api/generate",
            ANY,
            lines({"response": "hel", "done": False}, {"error": "an error was encountered while running the model"}),
        ),
        want=Want("hel", broken="an error was encountered"),
    ),
    probes={"GET /api/tags": said({"models": [{"name": "other"}, {"name": "ollama-generate"}]})},
)

LITSERVE = case(
    "litserve",
    {
        "req_url_template": "http://W/predict",
        "body": {"input": "{USER_PROMPT}"},
        "response_extract": "output",
        "is_stream": False,
        "health": {"req_url_template": "http://W/health", "interval_s": 1},
    },
    step("hi", call("POST /predict", {"input": "hi"}, {"output": "hello"}), want="hello"),
    streamed("hi", call("POST /predict", {"input": "hi"}, {"output": "hello"}), want="hello"),
    step(
        TURNS,
        call("POST /predict", {"input": "two"}, {"output": "2"}),
        want=Want("2", notice="conversation not carried, only the last user message"),
    ),
    step(
        "hi",
        call("POST /predict", ANY, said(b"Internal Server Error", 500, PLAIN)),
        want=Want("Internal Server Error", status=502),
    ),
    probes={"GET /health": said(b"ok", 200, PLAIN)},
)

REPLICATE_TEXT = case(
    "replicate-stream",
    {
        "req_url_template": "http://W/v1/predictions",
        "header": {"Authorization": "Bearer ${env:UNSEEN_KEY}"},
        "messages": {"shape": "text"},
        "body": {"version": "v", "input": {"prompt": "{MESSAGES}"}, "stream": True},
        "error": [{"detail": "*"}, {"@event": "error"}],
        "stream": {"when": {"@event": "output"}, "delta_extract": "@data"},
        "job": {
            "id_extract": "id",
            "req_url_template": "{RESP:urls.stream}",
            "header": {"Accept": "text/event-stream", "Authorization": "Bearer ${env:UNSEEN_KEY}"},
            "framing": "sse",
            "done_when": {"@event": "done"},
            "failed_when": {"@event": "error"},
        },
    },
    streamed(
        "hi",
        call(
            "POST /v1/predictions",
            {"version": "v", "input": {"prompt": "User: hi\nAssistant:"}, "stream": True},
            {"id": "p1", "urls": {"stream": "http://W/s/p1?x=%20a"}, "error": None},
        ),
        call(
            "GET /s/p1?x=%20a",
            None,
            sse(("output", "Hel"), ("output", "lo"), b"event: output\ndata:\ndata: 1\n\n", ("done", {})),
            accept="text/event-stream",
            authorization="Bearer " + KEY,
        ),
        want="Hello\n1",
    ),
    step(
        "hi",
        call("POST /v1/predictions", ANY, {"id": "p1", "urls": {"stream": "http://W/s/p1"}}),
        call("GET /s/p1", None, sse(("output", "Hel"), ("error", "CUDA out of memory"))),
        want=Want("CUDA out of memory", status=502),
    ),
    step(
        "hi",
        call(
            "POST /v1/predictions", ANY, said({"title": "Unauthenticated", "detail": "bad token", "status": 401}, 401)
        ),
        want=Want("refused the credentials", status=502, code="upstream_auth_error"),
    ),
    step("hi", call("POST /v1/predictions", ANY, {"id": "p1", "urls": {}}), want=Want("leads to no URL", status=502)),
)

ZHIPU_ASYNC = case(
    "zhipu-async-chat",
    {
        "req_url_template": "http://W/api/paas/v4/async/chat/completions",
        "body": {"model": "{MODEL_NAME}", "messages": "{MESSAGES}", "temperature": "{MODEL_TEMPERATURE}"},
        "limits": {"MODEL_TEMPERATURE": {"min": 0.01, "max": 0.99}},
        "response_extract": "choices[].message.content",
        "finish_extract": "choices[].finish_reason",
        "usage": {"prompt": "usage.prompt_tokens", "completion": "usage.completion_tokens"},
        "error": {"error": "*"},
        "job": {
            "id_extract": "id",
            "req_url_template": "http://W/api/paas/v4/async-result/{JOB_ID}",
            "done_when": {"task_status": "SUCCESS"},
            "failed_when": {"task_status": "FAIL"},
            "interval_s": 0.05,
        },
    },
    step(
        {**TURNS, "temperature": 1},
        call(
            "POST /api/paas/v4/async/chat/completions",
            {"model": "zhipu-async-chat", "messages": TURNS["messages"], "temperature": 0.99},
            {"id": "a b/1", "task_status": "PROCESSING"},
        ),
        call("GET /api/paas/v4/async-result/a%20b%2F1", None, {"task_status": "PROCESSING"}),
        call(
            "GET /api/paas/v4/async-result/a%20b%2F1", None, openai("2", "length", task_status="SUCCESS", usage=USAGE)
        ),
        want=Want("2", "length", (3, 2)),
    ),
    streamed(
        "hi",
        call("POST /api/paas/v4/async/chat/completions", ANY, {"id": 7}),
        call("GET /api/paas/v4/async-result/7", None, openai("hello", task_status="success", usage=USAGE)),
        want=Want("hello", usage=(3, 2)),
    ),
    step(
        "hi",
        call("POST /api/paas/v4/async/chat/completions", ANY, {"id": "x"}),
        call("GET /api/paas/v4/async-result/x", None, {"task_status": "FAIL", "error": None, "message": "no luck"}),
        want=Want("no luck", status=502),
    ),
    step(
        "hi",
        call("POST /api/paas/v4/async/chat/completions", ANY, {"request_id": "x"}),
        want=Want("no id of its job at 'id'", status=502),
    ),
)

TEXTS: list[Case] = [
    TGI,
    SGLANG,
    VLLM_LEGACY,
    FASTCHAT,
    XINFERENCE,
    AZURE,
    RESPONSES,
    COHERE,
    DASHSCOPE,
    ERNIE,
    BEDROCK,
    GEMINI_ARRAY,
    OLLAMA,
    LITSERVE,
    REPLICATE_TEXT,
    ZHIPU_ASYNC,
]
