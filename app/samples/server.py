"""One toy model service on a loopback port: its shape's path, and GET /health."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from app.samples.openai_shape import OpenAIShape
from app.samples.seed_shape import SeedShape
from app.samples.shape import BadCall, Body, Shape

SHAPES: Mapping[str, Shape] = {"openai": OpenAIShape(), "seed": SeedShape()}
_BODY_CAP = 2_000_000


class ToyServer(ThreadingHTTPServer):
    """Listens at once; `serve_forever()` answers. `port` 0 takes a free one. Raises OSError when the port is taken."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name: str, shape: Shape, port: int) -> None:
        self.name = name
        self.shape = shape
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{self.shape.path}"

    def server_bind(self) -> None:
        """HTTPServer would look its own name up, which can take seconds on a machine with a slow DNS."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is no news."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60
    server: ToyServer

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200, {"status": "ok", "model": self.server.name, "toy": True})
        else:
            self._fail(404, f"This toy answers POST {self.server.shape.path} and GET /health.")

    def do_POST(self) -> None:
        shape = self.server.shape
        try:
            body = self._body()
            if self.path.partition("?")[0] != shape.path:
                return self._fail(404, f"This toy answers POST {shape.path} and GET /health.")
            events = shape.stream(self.server.name, body)
            if events is None:
                return self._send(200, shape.answer(self.server.name, body))
        except BadCall as error:
            return self._fail(400, str(error))
        return self._stream(events)

    def log_message(self, format: str, *args: Any) -> None:
        """Toys keep quiet; the server in front of them has the log."""

    def _body(self) -> Body:
        text = self.headers.get("Content-Length") or ""
        length = int(text) if text.isdecimal() else 0
        if not 0 < length <= _BODY_CAP:
            self.close_connection = True
            raise BadCall("The request needs a JSON body with a Content-Length.")
        try:
            body = json.loads(self.rfile.read(length))
        except (ValueError, RecursionError):
            raise BadCall("The body is no JSON.") from None
        if not isinstance(body, dict):
            raise BadCall("The body must be a JSON object.")
        return body

    def _fail(self, status: int, message: str) -> None:
        self._send(status, self.server.shape.error(message))

    def _send(self, status: int, body: Body) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
