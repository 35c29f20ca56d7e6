"""One tree of errors: each knows its HTTP status, type and code (OpenAI's where they exist), and the field at fault.

A message is one sentence that says what is wrong and what to do. It never carries a secret or a stack trace.
"""

from __future__ import annotations


class RollcallError(Exception):
    status = 500
    type = "server_error"
    code = "internal_error"
    # Of errors that routing raises, where known: how many workers were asked, and who gave the answer reported here.
    attempts: int | None = None
    worker_id: int | None = None
    retry_after_s: float | None = None

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        status: int | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        self.should_retry = should_retry
        if status is not None:
            self.status = status
        if code is not None:
            self.code = code


class InvalidRequest(RollcallError):
    """The caller's request cannot be understood as it stands."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"


class InvalidJson(InvalidRequest):
    code = "invalid_json"


class UnsupportedByWorker(InvalidRequest):
    """The request asks for something that the registration cannot carry."""

    code = "unsupported_by_model"


class HostRefused(InvalidRequest):
    status = 403
    code = "host_not_allowed"


class OriginRefused(InvalidRequest):
    status = 403
    code = "origin_not_allowed"


class KeyRefused(InvalidRequest):
    """No API key came with the request, or none that counts."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class ScopeRefused(InvalidRequest):
    """The key is good, but not for this."""

    status = 403
    type = "permission_error"
    code = "scope_missing"


class TooManyRequests(RollcallError):
    """The key's own limit, not a worker's."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class CalledOff(RollcallError):
    """What a caller waited for ends early, and that is no failure of the worker."""


class ClientGone(CalledOff, InvalidRequest):
    """The caller left, or closed its side of the connection, before its answer was there. Nobody's failure."""

    status = 499
    code = "client_closed_request"

    def __init__(self) -> None:
        super().__init__("The caller closed its connection before the answer was there.")


class NotFound(InvalidRequest):
    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    code = "model_not_found"


class Conflict(InvalidRequest):
    status = 409
    code = "already_registered"


class BodyTooLarge(InvalidRequest):
    status = 413
    code = "request_too_large"


class WrongMediaType(InvalidRequest):
    status = 415
    code = "unsupported_media_type"


class InvalidField(InvalidRequest):
    """A registration or an operator's change with a value that cannot be taken; `field` names it."""

    status = 422
    code = "invalid_field"


class AddressRefused(InvalidField):
    """A registration with a URL that may not be called, as far as that can be told without looking its host up."""

    status = 400
    code = "address_refused"


class StorageUnavailable(RollcallError):
    status = 503
    type = "service_unavailable"
    code = "storage_unavailable"
    retry_after_s = 2.0


class NotReady(RollcallError):
    """This process has no snapshot of the fleet yet."""

    status = 503
    type = "service_unavailable"
    code = "not_ready"
    retry_after_s = 1.0


class Stopping(CalledOff):
    """This process ends: it is not ready any more, or the time for what it still had to do is over."""

    status = 503
    type = "service_unavailable"
    code = "server_stopping"
    retry_after_s = 1.0

    def __init__(self, message: str = "The server stopped before the answer was complete; ask again.") -> None:
        super().__init__(message)


class NoWorkerAvailable(RollcallError):
    status = 503
    type = "service_unavailable"
    code = "no_worker_available"


class UpstreamError(RollcallError):
    """What the caller sees when a worker failed and no other could be asked."""

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamTimeout(UpstreamError):
    status = 504
    code = "upstream_timeout"


class UpstreamRejected(UpstreamError):
    """The worker's own 4xx: the caller's answer, with the worker's status."""

    status = 400
    type = "invalid_request_error"
    code = "upstream_rejected"
