"""The gate to the outside: no connection is made to an address that the rules refuse, whoever wants it."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from app.core.addresses import faces
from app.core.targets import Refusal, Targets
from app.upstream.failure import SendFailure


class Gate:
    """Thread-safe. `check` is asked before each connect, with the very address that is then connected to."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    def listens_on(self, ports: Iterable[int]) -> None:
        """This server itself: ports that the settings do not tell, because the system chose them."""
        self._targets = self._targets.listening(ports)

    def check(self, address: str, host: str, port: int) -> None:
        """Raises SendFailure `address_refused`."""
        targets = self._targets
        refusal = targets.refusal(address, host, port)
        if refusal is None and port in targets.ports and any(_is_here(str(face.ip)) for face in faces(address)):
            refusal = Refusal("own-port")
        if refusal is not None:
            raise SendFailure("address_refused", refusal.clause, sent=False)


def _is_here(address: str) -> bool:
    """Is it one of this machine's own? Only then the system lets a socket have it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
