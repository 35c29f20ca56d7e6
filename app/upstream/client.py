"""Requests to workers, over pooled connections; no redirects, proxies, retries or `.netrc`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from urllib3 import Retry

from app.core.caller import current
from app.core.conversation import UpstreamRequest
from app.core.errors import CalledOff
from app.core.version import VERSION
from app.settings import Settings
from app.upstream.dialing import Network
from app.upstream.failure import SendFailure, reply_failure
from app.upstream.gate import Gate
from app.upstream.pools import Pools
from app.upstream.reply import UpstreamReply, UpstreamStream
from app.upstream.response import Response
from app.upstream.watchdog import WireCall

__all__ = ["Client", "Download", "SendFailure", "UpstreamReply", "UpstreamStream"]

NEVER = Retry(False, redirect=False)
USER_AGENT = f"rollcall/{VERSION}"
TOO_LONG = "no answer within the time allowed"
DOWNLOAD_IDLE_S = 30.0


@dataclass(frozen=True, slots=True)
class Download:
    """`size` counts the bytes that the sink got: none of a reply with another status than 2xx."""

    status: int
    content_type: str
    size: int


class Client:
    """Thread-safe. `deadline` is a time of time.monotonic().

    Calls are for the caller of the thread that makes them: all raise ClientGone when it leaves.
    """

    def __init__(self, settings: Settings, network: Network | None = None) -> None:
        self.settings = settings
        self.network = network or Network(check=Gate(settings.targets).check)
        self.watchdog = self.network.watchdog
        self._pools = Pools(settings.idle_connection_s, self.network)
        self._connect_s = settings.connect_timeout_s
        self._cap = settings.max_reply_bytes
        self._defaults = {"user-agent": USER_AGENT, "accept-encoding": "identity"}

    def close_idle(self) -> None:
        """Connections that nobody would use again."""
        self._pools.sweep(time.monotonic())

    def forget(self, url: str) -> None:
        """Keep no idle connection to this origin: whoever is there waits for the open requests to end."""
        self._pools.forget(url)

    def send(self, request: UpstreamRequest, *, deadline: float) -> UpstreamReply:
        """The whole reply, whatever its status. Raises SendFailure."""
        stream = self.open_stream(request, deadline=deadline, idle_s=float("inf"))
        return UpstreamReply(stream.status, stream.headers, stream.read_all())

    def download(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        deadline: float,
        cap_bytes: int,
        sink: Callable[[bytes], object],
        idle_s: float = DOWNLOAD_IDLE_S,
    ) -> Download:
        """GET a file, piece by piece into `sink`; redirects are not followed. Raises SendFailure, and what `sink` does.

        With SendFailure "too_large" the sink has got no more than `cap_bytes`.
        """
        request = UpstreamRequest("GET", url, headers, None)
        stream = self.open_stream(request, deadline=deadline, idle_s=idle_s, cap=cap_bytes)
        size = 0
        try:
            if 200 <= stream.status < 300:
                for piece in stream.chunks(capped=True):
                    sink(piece)
                    size += len(piece)
        finally:
            stream.close()
        return Download(stream.status, stream.headers.get("content-type", ""), size)

    def open_stream(
        self, request: UpstreamRequest, *, deadline: float, idle_s: float, cap: int | None = None
    ) -> UpstreamStream:
        """Returns when status and headers are there. `idle_s`: the longest silence. Raises SendFailure.

        `cap`: the bytes that a reply may have where it is capped, by default as the settings say.
        """
        pool, target = self._pools.find(request.url)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise SendFailure("timeout", "no time was left to ask it", sent=False)
        connection = pool.take()
        try:
            head = connection.exchange(
                request.method,
                target,
                request.body,
                self._headers(request.headers),
                call=WireCall(current(), deadline, self.watchdog),
                connect_s=min(self._connect_s, remaining),
                idle_s=idle_s,
            )
        except (SendFailure, CalledOff):
            raise
        except ValueError as error:
            message = (
                "a header of its registration cannot be sent: line breaks and letters beyond Latin-1 are not allowed"
            )
            raise SendFailure("protocol", message, sent=False) from error
        except Exception as error:
            waiting = TOO_LONG if remaining <= idle_s else f"silent for {idle_s:g} s"
            raise reply_failure(error, waiting, reused=connection.idle_since > connection.born) from error
        response = Response(head, connection, pool.give_back)
        return UpstreamStream(response, deadline, idle_s, self._cap if cap is None else cap)

    def _headers(self, named: Mapping[str, str]) -> dict[str, str]:
        present = {name.lower() for name in named}
        missing = {name: value for name, value in self._defaults.items() if name not in present}
        return {**named, **missing}
