"""Is a port free? Asked before a server is started, so that the answer is one sentence and not a log."""

from __future__ import annotations

import socket

from app.cli.refusal import Refused


def free_port(host: str, port: int, remedy: str) -> int:
    """`port`, or one of the system's choice for 0. Raises Refused, ending with `remedy`."""
    address = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does: old connections do not count
        try:
            trial.bind((address, port))
            return int(trial.getsockname()[1])
        except OSError as error:
            raise Refused(f"Port {port} on {host} cannot be used ({error.strerror}): {remedy}") from error
