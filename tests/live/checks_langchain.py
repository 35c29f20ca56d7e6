"""The unmodified langchain-openai package, on the older openai package of its environment."""

from __future__ import annotations

import asyncio
import os
from typing import Literal

import openai
from checking import DOOR, LONG, check, finish, raised, run, show
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from models import EMBEDDING, OPENAI, TEXT
from pydantic import BaseModel

os.environ["OPENAI_API_KEY"] = "unused"
QUESTION = "Tell me about the sea."


def chat(model: str, **words: object) -> ChatOpenAI:
    return ChatOpenAI(model=model, base_url=f"{DOOR}/v1", max_retries=0, temperature=0, **words)


@check(*TEXT)
def invoke(model):
    """invoke"""
    reply = chat(model, max_tokens=8).invoke(QUESTION)
    show(reply.content, reply.response_metadata["finish_reason"], reply.usage_metadata["output_tokens"], "tokens")
    assert reply.content.strip()
    assert reply.response_metadata["finish_reason"] == finish(model)
    assert reply.usage_metadata["output_tokens"] == 8


@check(*TEXT)
def stream(model):
    """stream"""
    once = chat(model, max_tokens=8).invoke(QUESTION)
    chunks = list(chat(model, max_tokens=8, stream_usage=True).stream(QUESTION))
    pieces = [chunk.content for chunk in chunks if chunk.content]
    whole = sum(chunks[1:], chunks[0])
    show(" | ".join(pieces), whole.response_metadata["finish_reason"], whole.usage_metadata["output_tokens"], "tokens")
    assert "".join(pieces) == once.content
    assert len(pieces) > 2
    assert whole.usage_metadata["output_tokens"] == 8


@check(TEXT[0])
def many(model):
    """Twenty at a time, by its async side"""
    replies = asyncio.run(chat(model, max_tokens=4).abatch([QUESTION] * 20))
    show(f"{len(replies)} replies, {len({reply.content for reply in replies})} different")
    assert all(reply.content.strip() for reply in replies)


class Tide(BaseModel):
    """The tide of a port."""

    port: Literal["Brest", "Dover"]


@check(OPENAI)
def structured(model):
    """with_structured_output by a tool call"""
    answer = chat(model).with_structured_output(Tide, method="function_calling").invoke(QUESTION)
    show(answer)
    assert isinstance(answer, Tide)


@check(EMBEDDING)
def embeddings(model):
    """OpenAIEmbeddings"""
    embedder = OpenAIEmbeddings(model=model, base_url=f"{DOOR}/v1", check_embedding_ctx_length=False, max_retries=0)
    vectors = embedder.embed_documents(["the sea", "a hand"])
    show(f"{len(vectors)} vectors of {len(vectors[0])}: {vectors[0][:2]}")
    assert len(vectors) == 2
    assert vectors[0] != vectors[1]
    assert len(embedder.embed_query("the sea")) == len(vectors[0])


@check()
def errors():
    """Too long a prompt, and a model that nobody registered"""
    raised(openai.BadRequestError, chat(TEXT[0], max_tokens=4).invoke, input=LONG[0]["content"])
    raised(openai.NotFoundError, chat("moby").invoke, input=QUESTION)


run()
