"""A model server as someone writes one in an afternoon: POST /api/generate {"input"} gives a JSON text.

usage: model_server.py [PORT]     (else $PORT)

`input` may be an order: `exit 3` ends it, `hold FILE` answers once the file is gone. With --stubborn it says
that it heard SIGTERM, and stays; with --child it starts a process of its own first. It writes `pid PID`, `child PID`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({"status": "ok"})

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        order, _, argument = text.partition(" ")
        if order == "exit":
            os._exit(int(argument))
        if order == "hold":
            file = Path(argument)
            file.with_suffix(".held").touch()
            while file.exists():
                time.sleep(0.02)
        self._answer(f"echo: {text}")

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main(*words: str) -> None:
    if "--stubborn" in words:
        signal.signal(signal.SIGTERM, lambda number, frame: print("heard TERM", flush=True))
    if "--child" in words:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(f"child {child.pid}", flush=True)
    ports = [word for word in words if word.isdigit()] or [os.environ["PORT"]]
    print(f"pid {os.getpid()}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", int(ports[0])), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
