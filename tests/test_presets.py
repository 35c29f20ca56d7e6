"""The presets that ship: each is an ordinary registration, with its source and date; no code knows its name."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest

from app.api.schemas import registration
from app.core.dialect import compile_dialect
from app.core.preset import Preset
from app.core.registration import parse_registration
from app.services.presets import FOLDER, find, import_formats, import_table, presets
from app.services.preview import SAMPLE_PROMPT, preview

ALL = list(presets().values())
SEED = {
    *("vllm", "llama-cpp", "baichuan2", "chatglm", "chatglm-openai", "fastchat", "fastchat-worker", "llmserver"),
    *("openai", "gemini", "anthropic", "dashscope", "ernie", "cohere", "mistral", "deepseek", "zhipu", "baichuan"),
    *("midjourney-proxy", "a1111", "comfyui", "stability", "stablediffusion-proxy", "runway", "text2video"),
}


def name_of(preset: Preset) -> str:
    return preset.name


@pytest.mark.parametrize("preset", ALL, ids=name_of)
def test_a_preset_is_an_ordinary_registration(preset: Preset) -> None:
    raw = registration({"preset": preset.name})
    wanted = parse_registration(raw, lambda name: True)
    assert wanted.model_name == preset.registration["model_name"]
    compile_dialect(wanted.spec)
    assert json.loads(wanted.spec).get("task", "text") == preset.task


@pytest.mark.parametrize("preset", ALL, ids=name_of)
def test_a_dry_run_shows_the_prompt_and_no_key(preset: Preset) -> None:
    wanted = parse_registration(registration({"preset": preset.name}), lambda name: True)
    shown = json.dumps(preview(wanted, lambda kind, name: "the-key"))
    assert SAMPLE_PROMPT in shown
    assert "the-key" not in shown


@pytest.mark.parametrize("preset", ALL, ids=name_of)
def test_it_says_where_its_facts_are_from(preset: Preset) -> None:
    assert preset.summary
    assert preset.source
    assert date.fromisoformat(preset.date) <= date.today()


@pytest.mark.parametrize("preset", ALL, ids=name_of)
def test_it_holds_no_key_and_its_keys_can_be_named(preset: Preset) -> None:
    file = (FOLDER / f"{preset.name}.json").read_text(encoding="utf-8")
    assert not re.search(r"\bsk-|hf_[A-Za-z0-9]{5}", file)
    headers: list[dict[str, Any]] = [preset.registration.get("header") or {}, dict(preset.key)]
    for name, value in ((name, value) for header in headers for name, value in header.items()):
        if re.search(r"auth|key|secret", name, re.IGNORECASE):
            assert "${env:" in value
    if preset.key:
        assert "${env:MY_KEY}" in json.dumps(dict(preset.with_key("env:MY_KEY").under({})))


@pytest.mark.parametrize(
    "preset", [each for each in ALL if "https://" in each.registration["req_url_template"]], ids=name_of
)
def test_a_commercial_service_is_not_probed_each_two_seconds(preset: Preset) -> None:
    assert preset.registration["health"]["interval_s"] == 60


@pytest.mark.parametrize("preset", ALL, ids=name_of)
def test_one_url_moves_it_to_another_host(preset: Preset) -> None:
    raw = registration({"preset": preset.name, "req_url_template": "http://127.0.0.1:7"})
    own = re.match(r"[a-z]+://[^/]+", preset.registration["req_url_template"])
    assert own is not None
    assert own[0] not in json.dumps({word: value for word, value in raw.items() if word != "body"})
    parse_registration(raw, lambda name: True)


def test_every_system_of_the_seed_is_there() -> None:
    assert set(presets()) >= SEED


def test_import_tables_name_presets_that_there_are() -> None:
    for name in import_formats():
        table = import_table(name)
        named = [
            *table["compatible"].values(),
            *(p for each in table["providers"].values() for p in each.get("presets", {}).values()),
        ]
        for preset in named:
            find(preset)
        known = {*table["providers"], *table["unmapped"]}
        assert set(table["bare"].values()) <= known
