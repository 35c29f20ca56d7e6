"""The README's table of systems: each command runs as it stands, and the model it registers answers through Rollcall.

The command's host is the player's, which replies as the system does.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.services.presets import presets
from tests.cli.operating import Manage
from tests.player.cases import asked
from tests.player.play import Play
from tests.player.server import Player
from tests.player.stage import Stage
from tests.player.systems import PLAYED_BY, System, played_by, secret_of
from tests.serving import ROOT

TABLE = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- systems -->\n")[1].split("\n\n")[0]
ROWS = re.findall(r"^\| (.+?) \| `(.+?)` \|$", TABLE, re.MULTILINE)
SEED = (
    *("Llama", "Baichuan", "ChatGLM", "Vicuna", "ChatGPT", "Gemini (once Bard)", "Claude", "Midjourney"),
    *("Stable Diffusion", "Gen-2", "zeroscope", "text-to-video", "llmserver", "Qwen", "ERNIE", "Mistral"),
)
# A row shows what a person waits for; a test does not wait.
HURRY = json.dumps({"job": {"interval_s": 0.05}})


@pytest.mark.parametrize(("system", "command"), ROWS, ids=[row[0] for row in ROWS])
def test_the_command_runs_and_the_model_answers(stage: Stage, manage: Manage, system: str, command: str) -> None:
    words = shlex.split(command)
    assert words[:3] == ["python", "manage.py", "register"]
    as_it_stands = manage(*words[2:], "--dry-run")
    assert (as_it_stands.exit_code, as_it_stands.stderr) == (0, ""), as_it_stands.output
    flags = dict(zip(words[3::2], words[4::2], strict=True))
    preset = presets()[flags["--preset"]]
    hurried = "job" in preset.registration

    def register(origin: str) -> int:
        told = manage(*at(words[2:], origin), *(["--file", "-"] if hurried else []), stdin=HURRY if hurried else None)
        assert told.exit_code == 0, told.output
        return int(re.findall(r"^Worker (\d+) ", told.stdout)[0])

    with alone(stage, played_by(preset.name).registered_as(expected(flags)), register) as play:
        asked(stage, play)
        assert play.wrong == []
    if "--key" in flags:
        assert secret_of(flags["--key"].removeprefix("env:")) in str(dict(play.requests[0].headers))


@contextmanager
def alone(stage: Stage, system: System, register: Callable[[str], int]) -> Iterator[Play]:
    """On a host of its own: presets are told no more than that."""
    with Player() as player:
        yield stage.take(player.alone(system), register)
        stage.clear()


def expected(flags: dict[str, str]) -> dict[str, Any]:
    """What the row's words make of the preset."""
    preset = presets()[flags["--preset"]]
    names = {"--model": "model_name", "--upstream-model": "upstream_model", "--url": "req_url_template"}
    given = {names[flag]: value for flag, value in flags.items() if flag in names}
    return (preset.with_key(flags["--key"]) if "--key" in flags else preset).under(given)


def at(words: list[str], origin: str) -> list[str]:
    if "--url" not in words:
        return [*words, "--url", origin]
    place = words.index("--url") + 1
    path = re.sub(r"^https?://[^/]+", "", words[place])
    return [*words[:place], origin + path, *words[place + 1 :]]


def test_every_system_of_the_seed_has_a_row() -> None:
    systems = " ".join(system for system, _ in ROWS)
    assert [name for name in SEED if name not in systems] == []


OTHERS = sorted(set(presets()) - {shlex.split(command)[4] for _, command in ROWS})


@pytest.mark.parametrize("name", OTHERS)
def test_presets_without_a_row_answer_too(stage: Stage, name: str) -> None:
    """Registered over HTTP, under the preset's own words."""
    words = dict(presets()[name].registration)
    hurry = json.loads(HURRY) if "job" in words else {}

    def register(origin: str) -> int:
        given = {"preset": name, "model_name": words["model_name"], "req_url_template": origin, **hurry}
        return stage.server.register(**given)

    with alone(stage, played_by(name).registered_as(words), register) as play:
        asked(stage, play)
        assert play.wrong == []


def test_the_player_knows_every_preset() -> None:
    assert sorted(PLAYED_BY) == sorted(presets())


def test_the_table_of_urls_in_the_page_on_presets_is_true() -> None:
    page = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\S+)` \| `(\S+)` \| `(\S+)` \|$", page, re.MULTILINE)
    assert len(rows) == 4
    for given, main, models in rows:
        words = presets()["openai-compatible"].under({"req_url_template": given})
        assert (words["req_url_template"], words["health"]["req_url_template"]) == (main, models)
