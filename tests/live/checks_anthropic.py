"""The unmodified anthropic package in its strict mode, asking workers of every dialect in Anthropic's shape."""

from __future__ import annotations

import anthropic
from checking import DOOR, LONG, QUESTION, check, finish, raised, run, show
from models import OPENAI, TEXT

client = anthropic.Anthropic(base_url=DOOR, api_key="unused", max_retries=0, _strict_response_validation=True)
COLD = {"temperature": 0}  # a word of the API that this version of the package has no argument for
ENDS = {"length": "max_tokens", "stop": "end_turn"}
OTHERS = tuple(name for name in TEXT if name != OPENAI)


@check(*TEXT)
def message_once(model):
    """A message, answered once"""
    reply = client.messages.create(model=model, messages=QUESTION, system="Be brief.", max_tokens=8, extra_body=COLD)
    usage = reply.usage
    show(reply.content[0].text, reply.stop_reason, f"{usage.input_tokens}+{usage.output_tokens} tokens")
    assert reply.content[0].text.strip()
    assert reply.stop_reason == ENDS[finish(model)]
    assert usage.output_tokens == 8


@check(*TEXT)
def message_streamed(model):
    """A message, streamed: the events in their order, and the text that the package puts together"""
    once = client.messages.create(model=model, messages=QUESTION, max_tokens=8, extra_body=COLD)
    with client.messages.stream(model=model, messages=QUESTION, max_tokens=8, extra_body=COLD) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    show(" | ".join(pieces), final.stop_reason, f"{final.usage.input_tokens}+{final.usage.output_tokens} tokens")
    assert "".join(pieces) == once.content[0].text == final.content[0].text
    assert len(pieces) > 2
    assert final.stop_reason == ENDS[finish(model)]
    assert final.usage.output_tokens == 8


@check(TEXT[0])
def events(model):
    """The events of the stream"""
    kinds = [event.type for event in client.messages.create(model=model, messages=QUESTION, max_tokens=2, stream=True)]
    show(", ".join(kinds))
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


TOOL = {
    "name": "tide",
    "input_schema": {
        "type": "object",
        "properties": {"port": {"type": "string", "enum": ["Brest", "Dover"]}},
        "required": ["port"],
        "additionalProperties": False,
    },
}


@check(OPENAI)
def tool_use(model):
    """A tool call and its result, there and back through an OpenAI-shaped worker"""
    words = {"model": model, "tools": [TOOL], "max_tokens": 1500, "extra_body": COLD}
    call = client.messages.create(**words, messages=QUESTION, tool_choice={"type": "any"})
    with client.messages.stream(**words, messages=QUESTION, tool_choice={"type": "any"}) as stream:
        streamed = stream.get_final_message()
    block = call.content[-1]
    show(block.type, block.name, block.input, call.stop_reason)
    show("streamed:", streamed.content[-1].name, streamed.content[-1].input, streamed.stop_reason)
    assert call.stop_reason == streamed.stop_reason == "tool_use"
    assert set(block.input) == set(streamed.content[-1].input) == {"port"}
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "High water at six."}
    turns = [*QUESTION, {"role": "assistant", "content": call.content}, {"role": "user", "content": [result]}]
    after = client.messages.create(
        model=model, messages=turns, max_tokens=4, tools=[TOOL], tool_choice={"type": "none"}
    )
    show("after the result:", after.content[0].text, after.stop_reason)
    assert after.content[0].type == "text"


@check(*OTHERS)
def tools_refused(model):
    """Tools, at a worker whose dialect cannot carry them"""
    create = client.messages.create
    error = raised(anthropic.BadRequestError, create, model=model, messages=QUESTION, max_tokens=4, tools=[TOOL])
    assert error.body["error"]["type"] == "invalid_request_error"


@check(*TEXT)
def too_long(model):
    """More than the model's context holds"""
    error = raised(anthropic.BadRequestError, client.messages.create, model=model, messages=LONG, max_tokens=4)
    assert error.body["error"]["type"] == "invalid_request_error"


@check()
def wrong_model():
    """A model that nobody registered"""
    error = raised(anthropic.NotFoundError, client.messages.create, model="moby", messages=QUESTION, max_tokens=4)
    assert error.body["error"]["type"] == "not_found_error"


run()
