"""The player: one real server that replies like every model service it has a sample of."""

from __future__ import annotations

from tests.fakeexchange import Exchange
from tests.fakes import FakeUpstream, json_answer
from tests.player.play import Play
from tests.player.systems import System


class Player(FakeUpstream):
    """A system is put on the stage below a path of its own, so that requests of one never count as another's."""

    def __init__(self) -> None:
        self._plays: dict[str, Play] = {}
        super().__init__(self._perform)

    def stage(self, system: System) -> Play:
        return self._put(system, f"/play-{len(self._plays) + 1}")

    def alone(self, system: System) -> Play:
        """It has the whole host, as registrations want that are told no more than a host."""
        return self._put(system, "")

    def _put(self, system: System, path: str) -> Play:
        play = self._plays[path] = Play(system.hurried(), path, self.origin)
        return play

    def _perform(self, exchange: Exchange) -> None:
        play = self._plays.get("/" + exchange.request.path.split("/")[1], self._plays.get(""))
        if play is not None:
            play.answer(exchange)
        else:
            # A probe of a worker that says nothing about its health: any answer will do.
            json_answer({"error": "nobody plays here"}, 404)(exchange)
