"""Sound bodies for each surface of callers, to be spoiled, and what is no body at all."""

from __future__ import annotations

from typing import Any

HI = [{"role": "user", "content": "hi"}]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TOOL = {"type": "function", "function": {"name": "add", "description": "d", "parameters": {"type": "object"}}}
CALLED = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
CHAT = {
    "model": "shaped",
    "messages": [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
        *HI,
    ],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "function": {"name": "add"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "temperature": 0.5,
    "top_p": 1,
    "max_tokens": 9,
    "max_completion_tokens": 9,
    "stop": ["a"],
    "seed": 1,
    "n": 1,
    "stream": False,
    "stream_options": {"include_usage": True},
    "logprobs": True,
    "top_logprobs": 2,
    "user": "u",
    "metadata": {"a": "b"},
}
MESSAGES = {
    "model": "shaped",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
            ],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "3"}]}],
        },
    ],
    "tools": [{"name": "add", "description": "d", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "tool", "name": "add"},
    "stop_sequences": ["a"],
    "temperature": 0.5,
    "top_k": 3,
    "top_p": 1,
    "metadata": {"user_id": "u"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"format": {"type": "json_schema", "schema": {}}},
    "stream": False,
}
BODIES: dict[str, tuple[str, str, list[Any]]] = {
    "chat": (
        "/v1/chat/completions",
        "openai",
        [CHAT, CHAT | {"stream": True}, {"model": "many", "messages": HI, "top_k": 3, "seed": 1, "size": "1x1"}],
    ),
    "small": (
        "/api/v1/chat/completions",
        "either",
        [{"model_name": "many", "input": "hi", "top_k": 1}, {"model_name": "image", "input": "hi"}],
    ),
    "messages": ("/v1/messages", "anthropic", [MESSAGES, MESSAGES | {"stream": True}, {**MESSAGES, "model": "many"}]),
    "completions": (
        "/v1/completions",
        "openai",
        [
            {"model": "shaped", "prompt": "hi", "max_tokens": 3, "logprobs": 1, "n": 1, "best_of": 1, "suffix": None},
            {"model": "many", "prompt": ["hi"], "echo": True, "stream": True, "stop": ["a"], "temperature": 1},
        ],
    ),
    "embeddings": (
        "/v1/embeddings",
        "openai",
        [
            {"model": "embedding", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 2, "user": "u"},
            {"model": "embedding", "input": [[1, 2], [3]], "encoding_format": "float"},
        ],
    ),
    "images": (
        "/v1/images/generations",
        "openai",
        [
            {"model": "image", "prompt": "a", "n": 2, "size": "64x64", "response_format": "url", "quality": "hd"},
            {"model": "binary", "prompt": "a", "n": 1, "response_format": "b64_json", "seed": 1, "stream": False},
        ],
    ),
    "videos": (
        "/v1/videos",
        "openai",
        [
            {
                "model": "video",
                "prompt": "a",
                "seconds": "4",
                "size": "64x64",
                "input_reference": {"image_url": PIXEL},
                "n": 1,
            }
        ],
    ),
}

RAW: list[tuple[bytes, int]] = [
    (b"", 400),
    (b"{", 400),
    (b"[]", 400),
    (b"null", 400),
    (b"1", 400),
    (b'"x"', 400),
    (b'{"model": "\xff"}', 400),
    (b'{"model": NaN}', 400),
    (b'{"model": "m"' + b"[" * 10_000, 400),
    (b'{"a":' * 10_000, 400),
    (b"{}", 400),
    (b'{"model": "nobody", "model": 1}', 400),
]
