"""The one exception that leaves this room, and how the failures below it are told apart."""

from __future__ import annotations

import os
import ssl
from http.client import BadStatusLine, HTTPException, IncompleteRead
from typing import Literal

from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    LocationParseError,
    ProtocolError,
    ReadTimeoutError,
)

Kind = Literal["dns", "connect", "refused", "address_refused", "tls", "reset", "timeout", "too_large", "protocol"]


class SendFailure(Exception):
    """A worker gave no (whole) answer. `message` is a clause that says what happened, without URL, header or secret.

    `sent`: the worker may have seen the whole request, so that a model call may have run.
    `stale`: a connection that was used before was found closed, which is no failure of the worker.
    """

    def __init__(self, kind: Kind, message: str, *, sent: bool, stale: bool = False) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.sent = sent
        self.stale = stale


def connect_failure(error: Exception) -> SendFailure:
    """What went wrong before the first byte of the request was sent."""
    kind, message = _before_sending(error)
    return SendFailure(kind, message, sent=False)


def _before_sending(error: Exception) -> tuple[Kind, str]:
    if isinstance(error, LocationParseError | UnicodeError):
        return "dns", "the name of its host is not valid"
    if isinstance(error, TimeoutError):
        return "tls", "the TLS handshake took too long"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls", f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return "tls", f"TLS failed: {(error.reason or 'no reason given').replace('_', ' ').lower()}"
    if isinstance(error, OSError):
        return _connecting(error)
    return "connect", "no connection"


def _connecting(error: OSError) -> tuple[Kind, str]:
    if isinstance(error, ConnectionRefusedError):
        return "refused", "connection refused"
    if error.errno is None:
        return "connect", "no connection"
    return "connect", os.strerror(error.errno).lower()


def reply_failure(error: Exception, waiting: str, *, reused: bool = False) -> SendFailure:
    """What went wrong after the request was sent; `waiting` says how long an answer was waited for.

    `reused`: the connection had served before, and nothing of the reply came.
    """
    kind, message = _after_sending(error, waiting)
    return SendFailure(kind, message, sent=True, stale=reused and isinstance(error, ConnectionError))


def _after_sending(error: Exception, waiting: str) -> tuple[Kind, str]:
    if isinstance(error, ReadTimeoutError | TimeoutError):
        return "timeout", waiting
    if isinstance(error, DecodeError):
        return "protocol", "the reply's compression is broken"
    cause = error.args[-1] if isinstance(error, ProtocolError) and error.args else error
    if isinstance(cause, IncompleteRead):
        return "reset", "the connection ended in the middle of the reply"
    if isinstance(cause, BadStatusLine) and not isinstance(cause, ConnectionError):
        return "protocol", "the reply is not HTTP"
    if isinstance(cause, TimeoutError):
        return "timeout", "it did not take the whole request in time"
    if isinstance(cause, OSError):
        return "reset", "the connection was closed before the reply was complete"
    if isinstance(cause, HTTPException | HTTPError):
        return "protocol", "the reply breaks the rules of HTTP"
    return "reset", "the connection broke"
