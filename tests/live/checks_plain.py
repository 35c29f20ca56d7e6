"""What any text model answers to the unmodified openai package in its strict mode."""

from __future__ import annotations

import os

import openai
from checking import DOOR, QUESTION, check, raised, run, show

TEXT = (os.environ["LIVE_MODEL"],)
client = openai.OpenAI(base_url=f"{DOOR}/v1", api_key="unused", max_retries=0, _strict_response_validation=True)


@check(*TEXT)
def chat_once(model):
    """A chat, answered once"""
    reply = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=8)
    show(reply.choices[0].message.content, reply.choices[0].finish_reason, reply.usage.completion_tokens, "tokens")
    assert reply.choices[0].message.content.strip()
    assert reply.choices[0].finish_reason in {"stop", "length"}


@check(*TEXT)
def chat_streamed(model):
    """A chat, streamed"""
    chunks = list(client.chat.completions.create(model=model, messages=QUESTION, max_tokens=8, stream=True))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    finish = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1]
    show(" | ".join(pieces), finish)
    assert pieces
    assert finish in {"stop", "length"}


@check(*TEXT)
def bad_request(model):
    """A message without a role, which no server takes"""
    raised(openai.BadRequestError, client.chat.completions.create, model=model, messages=[{"content": "the sea"}])


run()
