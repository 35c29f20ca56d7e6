"""The unmodified openai package in its strict mode, which refuses any reply that its own types do not describe."""

from __future__ import annotations

import json

import openai
from checking import DOOR, LONG, QUESTION, check, finish, raised, run, show
from models import EMBEDDING, OPENAI, TEXT

# Its own types refuse two of its own replies: pieces of a completion without a finish reason, and base64.
lenient = openai.OpenAI(base_url=f"{DOOR}/v1", api_key="unused", max_retries=0)
client = openai.OpenAI(base_url=f"{DOOR}/v1", api_key="unused", max_retries=0, _strict_response_validation=True)
OTHERS = tuple(name for name in TEXT if name != OPENAI)


@check(*TEXT)
def chat_once(model):
    """A chat, answered once"""
    reply = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=8, temperature=0)
    choice, usage = reply.choices[0], reply.usage
    show(choice.message.content, choice.finish_reason, f"{usage.prompt_tokens}+{usage.completion_tokens} tokens")
    assert choice.message.content.strip()
    assert reply.model == model
    assert choice.finish_reason == finish(model)
    assert usage.completion_tokens == 8
    assert usage.total_tokens == usage.prompt_tokens + 8


@check(*TEXT)
def chat_streamed(model):
    """A chat, streamed, with the count of tokens at its end"""
    once = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=8, temperature=0)
    chunks = list(
        client.chat.completions.create(
            model=model,
            messages=QUESTION,
            max_tokens=8,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    ending = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1]
    usage = chunks[-1].usage
    show(" | ".join(pieces), ending, f"{usage.prompt_tokens}+{usage.completion_tokens} tokens")
    assert "".join(pieces) == once.choices[0].message.content
    assert len(pieces) > 2
    assert ending == finish(model)
    assert usage.completion_tokens == 8


@check(*TEXT)
def conversation(model):
    """A conversation of several turns costs more tokens than its last turn alone"""
    turns = [
        {"role": "system", "content": "You are a sailor."},
        {"role": "user", "content": "Where are you?"},
        {"role": "assistant", "content": "On the water."},
    ]
    short = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=2)
    long = client.chat.completions.create(model=model, messages=turns + QUESTION, max_tokens=2)
    show(f"{short.usage.prompt_tokens} tokens alone, {long.usage.prompt_tokens} with the turns before")
    assert long.usage.prompt_tokens > short.usage.prompt_tokens + 10


@check(*TEXT)
def completion(model):
    """/v1/completions, once and streamed"""
    words = {"model": model, "prompt": "Tell me about the sea.", "max_tokens": 6, "temperature": 0}
    once = client.completions.create(**words)
    streamed = [chunk for chunk in lenient.completions.create(**words, stream=True) if chunk.choices]
    show(once.choices[0].text, once.choices[0].finish_reason, f"{once.usage.completion_tokens} tokens")
    assert "".join(chunk.choices[0].text for chunk in streamed) == once.choices[0].text
    assert streamed[-1].choices[0].finish_reason == once.choices[0].finish_reason == finish(model)


@check(OPENAI)
def stop_sequence(model):
    """A stop sequence that the worker honours"""
    whole = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=8, temperature=0)
    word = whole.choices[0].message.content.split()[2]
    cut = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=8, temperature=0, stop=[word])
    show(f"stop={word!r}:", cut.choices[0].message.content, cut.choices[0].finish_reason)
    assert cut.choices[0].finish_reason == "stop"
    assert word not in cut.choices[0].message.content.split()


TOOL = {
    "type": "function",
    "function": {
        "name": "tide",
        "parameters": {
            "type": "object",
            "properties": {"port": {"type": "string", "enum": ["Brest", "Dover"]}},
            "required": ["port"],
            "additionalProperties": False,
        },
    },
}


@check(OPENAI)
def tool_call(model):
    """A tool call, which the worker's grammar makes, once and streamed"""
    words = {"model": model, "messages": QUESTION, "tools": [TOOL], "tool_choice": "required", "temperature": 0}
    call = client.chat.completions.create(**words).choices[0]
    chunks = [chunk.choices[0] for chunk in client.chat.completions.create(**words, stream=True) if chunk.choices]
    deltas = [each.function for chunk in chunks for each in chunk.delta.tool_calls or []]
    show(call.message.tool_calls[0].function.name, call.message.tool_calls[0].function.arguments, call.finish_reason)
    show("streamed:", deltas[0].name, "".join(each.arguments or "" for each in deltas), chunks[-1].finish_reason)
    assert call.finish_reason == chunks[-1].finish_reason == "tool_calls"
    assert call.message.tool_calls[0].function.name == deltas[0].name == "tide"
    assert '"port"' in call.message.tool_calls[0].function.arguments


@check(*OTHERS)
def tools_refused(model):
    """Tools, at a worker whose dialect cannot carry them"""
    error = raised(openai.BadRequestError, client.chat.completions.create, model=model, messages=QUESTION, tools=[TOOL])
    assert error.param == "tools"


@check(OPENAI)
def json_schema(model):
    """An answer in JSON after a schema, which the worker's grammar keeps to"""
    schema = {"name": "tide", "strict": True, "schema": TOOL["function"]["parameters"]}
    reply = client.chat.completions.create(
        model=model, messages=QUESTION, temperature=0, response_format={"type": "json_schema", "json_schema": schema}
    )
    show(json.loads(reply.choices[0].message.content), reply.choices[0].finish_reason)
    assert set(json.loads(reply.choices[0].message.content)) == {"port"}


@check(OPENAI)
def logprobs(model):
    """Fields that an OpenAI-shaped worker knows go through: logprobs, seed"""
    words = {"model": model, "messages": QUESTION, "max_tokens": 3, "logprobs": True, "top_logprobs": 2, "seed": 7}
    rows = client.chat.completions.create(**words).choices[0].logprobs.content
    show(*[f"{row.token} {row.logprob:.2f}" for row in rows])
    assert len(rows) == 3
    assert len(rows[0].top_logprobs) == 2


@check(EMBEDDING)
def embeddings(model):
    """Embeddings as numbers and as base64, which the package unpacks"""
    words = {"model": model, "input": ["the sea", "a hand"]}
    numbers = client.embeddings.create(**words, encoding_format="float")
    packed = lenient.embeddings.create(**words)
    raw = json.loads(lenient.embeddings.with_raw_response.create(**words, encoding_format="base64").text)
    text = raw["data"][0]["embedding"]
    show(f"{len(numbers.data)} vectors of {len(numbers.data[0].embedding)}, {numbers.usage.prompt_tokens} tokens")
    show(f"float {numbers.data[0].embedding[:2]}, base64 {text[:16]}…")
    assert [row.index for row in numbers.data] == [0, 1]
    assert isinstance(text, str)
    for one, other in zip(numbers.data, packed.data, strict=True):
        assert max(abs(a - b) for a, b in zip(one.embedding, other.embedding, strict=True)) < 1e-6


@check(*TEXT)
def too_long(model):
    """More than the model's context holds"""
    error = raised(openai.BadRequestError, client.chat.completions.create, model=model, messages=LONG, max_tokens=4)
    assert error.status_code == 400


@check()
def wrong_model():
    """A model that nobody registered"""
    error = raised(openai.NotFoundError, client.chat.completions.create, model="moby", messages=QUESTION)
    assert error.code == "model_not_found"


@check()
def wrong_task():
    """A chat with the embedding model, and embeddings of a text model"""
    for error in (
        raised(openai.BadRequestError, client.chat.completions.create, model=EMBEDDING, messages=QUESTION),
        raised(openai.BadRequestError, client.embeddings.create, model=TEXT[0], input="the sea"),
    ):
        assert error.code == "wrong_task"


@check()
def models():
    """The models"""
    names = [model.id for model in client.models.list()]
    show(names)
    assert set(names) == {*TEXT, EMBEDDING}


run()
