"""What the tests with the openai package ask, and what workers saw of it."""

from __future__ import annotations

from typing import Any

from tests.fakes import FakeUpstream, Request

HI: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
TOOLS: Any = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}]
STREAM = {"framing": "sse", "done": "[DONE]", "body": {"stream": True}}


def posts(worker: FakeUpstream) -> list[Request]:
    """What it was asked, without the probes."""
    return [request for request in worker.requests if request.method == "POST"]
