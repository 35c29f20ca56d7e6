"""Rollcall with one system of the player registered at a time: several bear the name of the same model."""

from __future__ import annotations

from collections.abc import Callable

from tests.player.play import Play
from tests.player.scenes import Scene
from tests.player.server import Player
from tests.player.systems import System
from tests.serving import Server

PROMPT = 'say "hi" to {MODEL_NAME}, 你好\n'


class Stage:
    def __init__(self, server: Server, player: Player) -> None:
        self.server = server
        self.player = player
        self._play: Play | None = None
        self._worker = 0

    def on(self, system: System) -> Play:
        """The play of this system, registered over HTTP."""
        if self._play is None or self._play.system.id != system.id:
            play = self.player.stage(system)
            return self.take(play, lambda origin: self.server.register(**play.system.registration))
        self._play.set(Scene(), PROMPT)
        self._play.wrong.clear()
        return self._play

    def take(self, play: Play, register: Callable[[str], int]) -> Play:
        """This play in place of the one before. `register` is told where it is, and gives the worker's id."""
        self.clear()
        self._worker = register(play.origin)
        self._play = play
        play.set(Scene(), PROMPT)
        return play

    def clear(self) -> None:
        if self._play is not None:
            answer = self.server.ask("DELETE", f"/api/server/workers/{self._worker}")
            assert answer.status == 200, answer
            self._play = None
