"""What a failed attempt means: may another worker be asked, and what does the caller hear when none is left?

Pure decisions over the failures of one request. A model call may have run and been billed as soon as the request
was sent, so what happened after that is tried again only where the worker's registration allows it by name.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from app.core.errors import RollcallError, UpstreamError, UpstreamRejected, UpstreamTimeout

Kind = Literal[
    "config", "dns", "connect", "refused", "tls", "status", "fault", "reset", "timeout", "too_large", "protocol"
]

CREDENTIALS: Final = (401, 403)
BACKPRESSURE: Final = (429, 503, 529)
DEFAULT_RETRY_AFTER_S: Final = 1.0
LONGEST_RETRY_AFTER_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that gave no answer.

    `message` is what the worker said ("status", "fault") or what happened (other kinds); it may be empty.
    `sent`: the worker may have seen the whole request. `retry_matched`: the registration's `retry_when` holds.
    `error` is set for kind "config", a worker whose request could not even be made.
    """

    worker_id: int
    kind: Kind
    message: str
    sent: bool = True
    status: int | None = None
    retry_after_s: float | None = None
    retry_matched: bool = False
    error: RollcallError | None = None


def may_fail_over(failure: Failure, earlier: Sequence[Failure], opted: Container[str]) -> bool:
    """May another worker be asked after this failure? `opted`: the `retry` kinds of the worker that failed."""
    if failure.retry_matched or not failure.sent:
        return True
    status = failure.status
    if status is None:
        return failure.kind in ("reset", "timeout") and failure.kind in opted
    if status < 400 or status in CREDENTIALS or status in BACKPRESSURE:
        return True
    if status == 500:
        return all(other.status != 500 for other in earlier)
    return str(status) in opted


def verdict(failures: Sequence[Failure]) -> RollcallError:
    """The caller's error once no (other) worker is asked; at least one failure.

    The last worker that answered decides: it says more than one that could not be reached after it.
    SDKs repeat such errors by themselves, which would multiply the load, so they are told not to; but for
    backpressure, where waiting helps.
    """
    final = next((failure for failure in reversed(failures) if failure.sent), failures[-1])
    error = _error(final, _sentence(final, len(failures)))
    if error.retry_after_s is None:
        error.should_retry = False
    error.attempts, error.worker_id = len(failures), final.worker_id
    return error


def _error(final: Failure, sentence: str) -> RollcallError:
    status = final.status
    if final.error is not None:
        return final.error
    if final.kind == "timeout" or status == 504:
        return UpstreamTimeout(sentence)
    if status in BACKPRESSURE:
        code = "upstream_rate_limited" if status == 429 else "upstream_overloaded"
        wait = DEFAULT_RETRY_AFTER_S if final.retry_after_s is None else final.retry_after_s
        return UpstreamError(sentence, status=status, code=code, retry_after_s=wait)
    if status in CREDENTIALS:
        return UpstreamError(sentence, code="upstream_auth_error")
    if status is not None and 400 <= status < 500 and not final.retry_matched:
        return UpstreamRejected(final.message or sentence, status=status)
    return UpstreamError(sentence)


def _sentence(final: Failure, attempts: int) -> str:
    said = f": {final.message}" if final.message else ""
    if final.status in CREDENTIALS:
        what = f"refused the credentials of its registration (HTTP {final.status})"
    elif final.status is not None and final.status < 400 and final.kind == "status":
        what = (
            f"answered with a redirect (HTTP {final.status}), which is not followed: register the address it leads to"
        )
    elif final.kind == "status":
        what = f"answered HTTP {final.status}{said}"
    elif final.kind == "fault":
        what = f"gave no usable answer{said}"
    elif final.sent:
        what = f"failed after the request was sent{said}"
    else:
        what = f"could not be asked{said}"
    asked = f" ({attempts} workers were asked)" if attempts > 1 else ""
    return f"Worker {final.worker_id} {what}{asked}."


def retry_after_s(value: str | None, now: float) -> float | None:
    """Seconds to wait that a Retry-After header names, as a number or a date; None where it names none.

    `now` is UTC seconds since 1970. Never negative, never more than LONGEST_RETRY_AFTER_S.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    # A comparison with NaN is false, so NaN falls to the floor.
    return min(seconds, LONGEST_RETRY_AFTER_S) if seconds > 0 else 0.0
