"""Stands in for whatever model server a document starts: it finds its port and answers in a few shapes."""

from __future__ import annotations

import os
import re
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import model_server


class Handler(model_server.Handler):
    def do_GET(self) -> None:
        self._answer({"status": "ok", "models": [{"name": "any"}], "data": [{"id": "any"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "here I am"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {"message": message, "done": True, "done_reason": "stop", "choices": [choice]}
        self._answer("here I am" if self.path == "/api/generate" else whole)


if __name__ == "__main__":
    told = re.search(r"--port (\d+)", " ".join(sys.argv)) or re.search(r":(\d+)$", os.environ.get("OLLAMA_HOST", ""))
    port = int(told[1] if told else os.environ["PORT"])
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
