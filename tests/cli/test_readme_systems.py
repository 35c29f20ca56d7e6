"""The README's table of systems: each command runs as it stands, and the model it registers answers.

The command's host is replaced by a server that replies as the system does, from the samples that it is known by.
"""

from __future__ import annotations

import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from app.core.conversation import ChatRequest
from app.core.dialect import dialect_of
from app.services.presets import presets
from tests.api.management import management
from tests.cli.operating import Manage
from tests.core.registered import SAMPLES
from tests.fakeexchange import Exchange
from tests.fakes import PATIENCE_S, FakeUpstream, json_answer

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- systems -->\n")[1].split("\n\n")[0]
ROWS = re.findall(r"^\| (.+?) \| `(.+?)` \|$", TABLE, re.MULTILINE)
SEED = (
    *("Llama", "Baichuan", "ChatGLM", "Vicuna", "ChatGPT", "Gemini (once Bard)", "Claude", "Midjourney"),
    *("Stable Diffusion", "Gen-2", "zeroscope", "text-to-video", "llmserver", "Qwen", "ERNIE", "Mistral"),
)
KEY = "the-key-of-the-vendor"
SAMPLE_OF = {
    "ollama": "ollama-chat",
    "baichuan2": "baichuan2-OpenAI_api.py",
    "chatglm": "chatglm-api.py",
    "gemini": "gemini",
    "fastchat-worker": "fastchat-worker",
    "anthropic": "anthropic",
    "midjourney-proxy": "midjourney-proxy",
    "a1111": "a1111",
    "comfyui": "comfyui",
    "stablediffusion-proxy": "sdproxy",
    "runway": "runway",
    "text2video": "text2video-main_prod",
    "llmserver": "seed-llmserver",
}
"""Of the presets that the table names; whatever else it names is OpenAI-shaped, or stands in OTHERS."""
CHOICE = {"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
OTHERS: dict[str, Any] = {
    "dashscope": {"output": {"choices": [CHOICE]}},
    "cohere": {"message": {"content": [{"type": "text", "text": "hello"}]}, "finish_reason": "COMPLETE"},
    "stability": {"image": "aGk=", "finish_reason": "SUCCESS", "seed": 1},
}


def sample_of(preset: str) -> dict[str, Any]:
    wanted = SAMPLE_OF.get(preset, "vllm")
    return next(sample for sample in SAMPLES if sample["id"] == wanted)


def replies(preset: str) -> Any:
    """What the system answers: a submit or the whole reply, and to a GET of a job that it is done."""
    sample = sample_of(preset)
    job = sample["job"]
    whole = json.dumps(OTHERS[preset]) if preset in OTHERS else job["submit"] if job else sample["sample"]
    done = next(poll for poll, state in job["polls"] if state == "done") if job else "{}"

    def behave(exchange: Exchange) -> None:
        json_answer(json.loads(done if exchange.request.method == "GET" else whole))(exchange)

    return behave


@pytest.mark.parametrize(("system", "command"), ROWS, ids=[row[0] for row in ROWS])
def test_the_command_runs_and_the_model_answers(
    manage: Manage, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, command: str
) -> None:
    words = shlex.split(command)
    assert words[:3] == ["python", "manage.py", "register"]
    preset = presets()[words[words.index("--preset") + 1]]
    key = next((word.removeprefix("env:") for word in words if word.startswith("env:")), "UNUSED_API_KEY")
    monkeypatch.setenv(key, KEY)
    monkeypatch.setenv("ROLLCALL_SECRET_ENV", "*_API_KEY")
    as_it_stands = manage(*words[2:], "--dry-run")
    assert as_it_stands.exit_code == 0, as_it_stands.output
    assert as_it_stands.stderr == ""
    with FakeUpstream(replies(preset.name)) as worker:
        done = manage(*at(words[2:], worker.origin))
        assert done.exit_code == 0, done.output
        with management(sqlite_url, tmp_path, ROLLCALL_SECRET_ENV="*_API_KEY") as api:
            api.rollcall.fleet.refresh()
            model = words[words.index("--model") + 1]
            if preset.task == "text":
                told = api.post(
                    "/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "hi"}]}
                )
                assert told.status_code == 200, told.text
                assert told.json["choices"][0]["message"]["content"]
            else:
                assert made(api.rollcall, model, preset.task)
        if "--key" in words:
            assert KEY in str(worker.requests[0].headers.values())


def at(words: list[str], origin: str) -> list[str]:
    if "--url" not in words:
        return [*words, "--url", origin]
    place = words.index("--url") + 1
    path = re.sub(r"^https?://[^/]+", "", words[place])
    return [*words[:place], origin + path, *words[place + 1 :]]


def made(rollcall: Any, model: str, task: Any) -> Any:
    """The images or videos of a request, a job being asked about once."""
    message = {"role": "user", "content": "a cat"}
    request = ChatRequest(model, (message,), {"model": model, "prompt": "a cat"}, False, "request-1", task)
    if not rollcall.router.works_by_job(request):
        return rollcall.router.result(request).result.items
    submitted = rollcall.router.submit(request)
    plan = dialect_of(submitted.worker).job
    poll = plan.poll(submitted.worker, submitted.job_id, submitted.reply, request, rollcall.settings.secret)
    reply = rollcall.client.send(poll, deadline=time.monotonic() + PATIENCE_S)
    return plan.read(reply.status, reply.body, "application/json", submitted.job_id, request).items


def test_every_system_of_the_seed_has_a_row() -> None:
    systems = " ".join(system for system, _ in ROWS)
    assert [name for name in SEED if name not in systems] == []


def test_the_table_of_urls_in_the_page_on_presets_is_true() -> None:
    page = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\S+)` \| `(\S+)` \| `(\S+)` \|$", page, re.MULTILINE)
    assert len(rows) == 4
    for given, main, models in rows:
        words = presets()["openai-compatible"].under({"req_url_template": given})
        assert (words["req_url_template"], words["health"]["req_url_template"]) == (main, models)
