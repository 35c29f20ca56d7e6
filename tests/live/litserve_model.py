"""The smallest LitServe model that speaks OpenAI's dialect; used where llama-cpp-python cannot be built."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import litserve as ls


class Echo(ls.LitAPI):
    def setup(self, device: str) -> None:
        pass

    def predict(self, prompt: list[dict[str, str]]) -> Iterator[str]:
        yield from ("You", " said: ", prompt[-1]["content"])


if __name__ == "__main__":
    server = ls.LitServer(Echo(spec=ls.OpenAISpec()), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
