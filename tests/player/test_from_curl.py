"""Vendors' own curl examples, pasted: what they register answers through Rollcall, once and streamed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.cli.curl_examples import ANTHROPIC, GEMINI, MODEL_OF, OLLAMA, OLLAMA_GENERATE, OPENAI, at
from tests.cli.operating import Manage
from tests.player.cases import asked, broken
from tests.player.server import Player
from tests.player.stage import Stage
from tests.player.systems import played_by

# Of each: the preset whose system replies, and the headers that must arrive. Away from its vendor's host a command
# is no more than compatible.
EXAMPLES: dict[str, tuple[str, str, dict[str, str]]] = {
    "openai": (OPENAI, "openai-compatible", {"Authorization": "Bearer ${env:OPENAI_API_KEY}"}),
    "anthropic": (
        *(ANTHROPIC, "anthropic"),
        {"x-api-key": "${env:ANTHROPIC_API_KEY}", "anthropic-version": "2023-06-01"},
    ),
    "gemini": (GEMINI, "gemini", {"x-goog-api-key": "${env:GEMINI_API_KEY}"}),
    "ollama": (OLLAMA, "ollama", {}),
    "ollama-generate": (OLLAMA_GENERATE, "ollama-generate", {}),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_worker_that_answers_and_streams(stage: Stage, manage: Manage, name: str) -> None:
    command, preset, header = EXAMPLES[name]
    system = played_by(preset)
    words: dict[str, Any] = {**system.registration, "model_name": MODEL_OF[command], "header": header, "health": {}}
    with Player() as player:
        play = player.alone(system.registered_as(words))

        def register(origin: str) -> int:
            told = manage("register", "--from-curl", at(player, command))
            assert told.exit_code == 0, told.output
            shown, _ = json.JSONDecoder().raw_decode(told.stdout)
            assert shown["stream"]["framing"] == system.registration["stream"]["framing"]
            return int(re.findall(r"^Worker (\d+) ", told.stdout, re.MULTILINE)[0])

        stage.take(play, register)
        asked(stage, play)
        broken(stage, play)
        assert play.wrong == []
        stage.clear()
