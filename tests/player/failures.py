"""What a worker's failure is to the caller when no other worker can be asked."""

from __future__ import annotations

from tests.player.play import Play

ERROR_STATUS = {200: 502, 400: 400, 401: 502, 422: 422, 429: 429, 500: 502, 503: 503}
RETRIED_STATUS = {200: 502, 400: 502, 401: 502, 422: 502, 429: 429, 500: 502, 503: 503}


def statuses(play: Play) -> list[tuple[int, int]]:
    """The worker's, and the caller's. Where another worker was worth asking, and there is none, the fault is ours."""
    return list((RETRIED_STATUS if play.system.err_retried else ERROR_STATUS).items())
