"""One try on one worker: ask it, and tell an answer from a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from app.core.conversation import ChatRequest, Event, Reply, UpstreamRequest
from app.core.dialect import Dialect
from app.core.errors import UpstreamError
from app.core.gather import as_events, gather
from app.core.reading import WorkerFault
from app.core.retry import verdict
from app.core.template import Secrets
from app.core.worker import Worker
from app.services.contact import AttemptFailed, Contact
from app.services.slots import Slot
from app.services.verdicts import Verdicts
from app.upstream.client import SendFailure, UpstreamReply, UpstreamStream

__all__ = ["Attempt", "AttemptFailed", "OpenAnswer"]

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """The events of an answer, and what ends it early. `close` may be called at any time, more than once."""

    events: Iterator[Event]
    close: Callable[[], None]


def _nothing() -> None:
    """What there is to close of an answer that came whole."""


@dataclass(slots=True)
class Attempt:
    """`number` counts from 1. `slot` is held until the answer is whole, closed or failed.

    `verdicts` hear how it ends, but for what AttemptFailed tells: whoever catches it judges that. `began` is of
    time.monotonic().

    Raises AttemptFailed, and InvalidRequest where the caller's values cannot be sent.
    """

    contact: Contact
    request: ChatRequest
    number: int
    slot: Slot | None
    verdicts: Verdicts
    began: float

    @property
    def worker(self) -> Worker:
        return self.contact.worker

    @property
    def dialect(self) -> Dialect:
        return self.contact.dialect

    def reply(self) -> Reply:
        return self.whole(self._gathered if self.dialect.only_streams else self._whole)

    def stream(self) -> OpenAnswer:
        """Returns once the first event came; the events raise UpstreamError for what breaks after it."""
        if not self.dialect.streams:
            return OpenAnswer(iter(as_events(self.reply())), _nothing)
        return self.opened(self._streaming)

    def whole(self, ask: Callable[[], Given]) -> Given:
        """What `ask` gives; then this attempt is over."""
        try:
            given = ask()
        except (SendFailure, WorkerFault, UpstreamError) as error:
            self._free()
            raise AttemptFailed(self.contact.failure(error)) from error
        except AttemptFailed:
            self._free()
            raise
        except BaseException:
            self._leave()
            raise
        if self.slot is not None:
            self.slot.release()
        if self.verdicts.live:
            self.verdicts.succeeded(self.worker, self.began)
        return given

    def opened(self, begin: Callable[[], tuple[UpstreamStream, Iterator[Event]]]) -> OpenAnswer:
        """The stream that `begin` opens, once its first event came."""
        try:
            upstream, events = begin()
            try:
                first = next(events, None)
            except BaseException:
                upstream.close()
                raise
        except (SendFailure, WorkerFault, UpstreamError) as error:
            self._free()
            raise AttemptFailed(self.contact.failure(error)) from error
        except AttemptFailed:
            self._free()
            raise
        except BaseException:
            self._leave()
            raise
        return OpenAnswer(self._from(first, events, upstream), partial(self._close, upstream))

    def send(self) -> UpstreamReply:
        """The whole reply of HTTP 2xx to the request, unstreamed."""
        return self.contact.send(self._request)

    def part(self, request: ChatRequest) -> Attempt:
        """Another call of the same attempt, to the same worker; it holds no slot and decides nothing."""
        return replace(self, request=request, slot=None, verdicts=Verdicts())

    def _whole(self) -> Reply:
        contact = self.contact
        reply = contact.send(self._request)
        reader = contact.dialect.reader(stream=False, request=self.request)
        return reader.reply(reply.status, reply.body, reply.headers.get("content-type", ""))

    def _gathered(self) -> Reply:
        upstream = self.contact.open(self._stream_request)
        try:
            reply = gather(self._events(upstream, gathering=True))
            upstream.finish()
            return reply
        finally:
            upstream.close()

    def _streaming(self) -> tuple[UpstreamStream, Iterator[Event]]:
        upstream = self.contact.open(self._stream_request)
        return upstream, self._events(upstream)

    def _events(self, upstream: UpstreamStream, *, gathering: bool = False) -> Iterator[Event]:
        """What is kept until its end is capped; a stream of events passes through and may be as long as it likes."""
        content_type = upstream.headers.get("content-type", "")
        capped = gathering or "event-stream" not in content_type.lower()
        return self.dialect.reader(stream=True, request=self.request).events(
            upstream.chunks(capped=capped), content_type
        )

    def _from(self, first: Event | None, events: Iterator[Event], upstream: UpstreamStream) -> Iterator[Event]:
        try:
            if first is not None:
                yield first
            yield from events
            upstream.finish()
            if self.verdicts.live:
                self.verdicts.succeeded(self.worker, self.began)
        except (SendFailure, WorkerFault) as error:
            failure = self.contact.failure(error)
            self.verdicts.judged(self.worker, failure, self.began)
            broken = verdict([failure])
            broken.attempts = self.number
            raise broken from None
        finally:
            self._close(upstream)

    def _close(self, upstream: UpstreamStream) -> None:
        upstream.close()
        self._leave()

    def _free(self) -> None:
        if self.slot is not None:
            self.slot.release()

    def _leave(self) -> None:
        """It is over, and says nothing about the worker unless that was said before."""
        self._free()
        if self.verdicts.live:
            self.verdicts.left(self.worker, self.began)

    def _request(self, secrets: Secrets, token: str | None) -> UpstreamRequest:
        contact = self.contact
        return contact.dialect.request(contact.worker, self.request, stream=False, secrets=secrets, access_token=token)

    def _stream_request(self, secrets: Secrets, token: str | None) -> UpstreamRequest:
        contact = self.contact
        return contact.dialect.request(contact.worker, self.request, stream=True, secrets=secrets, access_token=token)
