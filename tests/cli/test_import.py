"""`import`: a model list as its proxy's documents show it becomes registrations; nothing is dropped in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from app.services.model_weights import weighed
from tests.cli.operating import Manage, done, refused

AWS = "amazonaws.com"
ANY = {"ROLLCALL_SECRET_ENV": "*"}

LIST = """
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
      rpm: 600
      temperature: 0.2
      max_tokens: 500
      timeout: 30
      stream_timeout: 5
  - model_name: gpt-4o
    litellm_params:
      model: azure/my-deployment
      api_base: https://res.openai.azure.com/
      api_key: os.environ/AZURE_API_KEY
      api_version: "2025-01-01"
      rpm: 300
    model_info: {id: azure-eu, base_model: gpt-4o}
  - model_name: claude
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_key: sk-literal-key
      weight: 2
      max_parallel_requests: 4
      extra_headers: {anthropic-beta: x-1}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: os.environ/OTHER_KEY, weight: 1}
  - model_name: local
    litellm_params: {model: openai/llama-3, api_base: "http://gpu-7:8000/v1", extra_body: {top_k: 5}}
  - model_name: vllm
    litellm_params: {model: hosted_vllm/meta-llama/Llama-3-8B, api_base: http://gpu-8:8000/v1}
  - model_name: ollama
    litellm_params: {model: ollama/llama3.2, api_base: http://box:11434}
  - model_name: fast
    litellm_params: {model: groq/llama-3.3-70b-versatile, api_key: os.environ/GROQ_API_KEY}
  - model_name: plain
    litellm_params: {model: gpt-5-mini}
  - model_name: embed
    litellm_params: {model: text-embedding-3-small}
  - model_name: deepinfra
    litellm_params: {model: deepinfra/meta/llama, api_key: k}
  - model_name: bedrock
    litellm_params: {model: bedrock/converse/amazon.nova-lite-v1:0, aws_region_name: eu-west-1, aws_access_key_id: os.environ/X}
  - model_name: from-env
    litellm_params: {model: openai/m, api_base: os.environ/MY_BASE}
  - model_name: signed
    litellm_params: {model: sagemaker/x}
  - model_name: unheard
    litellm_params: {model: some/thing}
  - model_name: spoken
    litellm_params: {model: openai/whisper-1}
    model_info: {mode: audio_transcription}
router_settings: {routing_strategy: least-busy}
litellm_settings: {drop_params: true}
"""  # noqa: E501


def imported(manage: Manage, text: str = LIST, **environment: str) -> tuple[list[dict[str, Any]], str]:
    """What a dry run prints, and what it says."""
    result = manage("import", "-", "--dry-run", stdin=text, **ANY | environment)
    assert result.exit_code == 0, result.output
    entries: list[dict[str, Any]] = yaml.safe_load(result.stdout)["registrations"]
    return entries, result.stderr


def by_url(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {entry["req_url_template"]: entry for entry in entries}


def test_providers_become_presets_at_their_addresses(manage: Manage) -> None:
    entries, _ = imported(manage, MY_BASE="http://env-host:1/v1")
    shown = [(entry["model_name"], entry["req_url_template"], entry.get("upstream_model")) for entry in entries]
    assert shown == [
        ("gpt-4o", "https://api.openai.com/v1/chat/completions", None),
        ("gpt-4o", "https://res.openai.azure.com/openai/deployments/{MODEL_NAME}/chat/completions", "my-deployment"),
        ("claude", "https://api.anthropic.com/v1/messages", "claude-sonnet-4-5"),
        ("claude", "https://api.anthropic.com/v1/messages", "claude-sonnet-4-5"),
        ("local", "http://gpu-7:8000/v1/chat/completions", "llama-3"),
        ("vllm", "http://gpu-8:8000/v1/chat/completions", "meta-llama/Llama-3-8B"),
        ("ollama", "http://box:11434/api/chat", "llama3.2"),
        ("fast", "https://api.groq.com/openai/v1/chat/completions", "llama-3.3-70b-versatile"),
        ("plain", "https://api.openai.com/v1/chat/completions", "gpt-5-mini"),
        ("embed", "https://api.openai.com/v1/embeddings", "text-embedding-3-small"),
        ("deepinfra", "https://api.deepinfra.com/v1/openai/chat/completions", "meta/llama"),
        ("bedrock", f"https://bedrock-runtime.eu-west-1.{AWS}/model/{{MODEL_NAME}}/converse", "amazon.nova-lite-v1:0"),
        ("from-env", "http://env-host:1/v1/chat/completions", "m"),
    ]  # fmt: skip


def test_parameters_become_words(manage: Manage) -> None:
    entries, _ = imported(manage)
    gpt, azure, claude, other, local, vllm, *_ = entries
    assert gpt["header"] == {"Authorization": "Bearer ${env:OPENAI_API_KEY}"}
    assert (gpt["weight"], gpt["timeout_s"]) == (600, 30)
    assert gpt["body"]["temperature"] == "{MODEL_TEMPERATURE:0.2}"
    assert gpt["body"]["max_completion_tokens"] == "{MAX_TOKENS:500}"
    assert (azure["instance"], azure["weight"]) == ("azure-eu", 300)
    assert azure["header"] == {"api-key": "${env:AZURE_API_KEY}"}
    assert azure["req_param"] == {"api-version": "2025-01-01"}
    assert (claude["weight"], other["weight"], other["instance"]) == (2, 1, "2")
    assert claude["limits"] == {"MODEL_TEMPERATURE": {"max": 1}, "concurrency": 4}
    assert claude["header"]["Authorization"] == "***"  # a key in the file, not shown
    assert other["header"]["Authorization"] == "Bearer ${env:OTHER_KEY}"
    assert local["body"]["top_k"] == 5
    assert "header" not in local  # nobody's key goes to another host
    assert vllm["health"]["req_url_template"] == "http://gpu-8:8000/health"


def test_what_has_no_counterpart_is_named(manage: Manage) -> None:
    _, said = imported(manage)
    for line in (
        "Left out of model_list[0] (gpt-4o): stream_timeout.",
        "Left out of model_list[1] (gpt-4o): model_info.base_model.",
        "Left out of model_list[11] (bedrock): aws_access_key_id.",
        "Not imported: model_list[12] (from-env): its address is in the environment variable MY_BASE, which is not set",
        "Not imported: model_list[13] (signed): the provider sagemaker cannot be mapped: it wants signed requests",
        "Not imported: model_list[14] (unheard): no preset is known for the provider some.",
        "Not imported: model_list[15] (spoken): no preset is known for its mode audio_transcription.",
        "Left out of the file: litellm_settings, router_settings.",
        "12 of 16 deployments have a registration.",
    ):
        assert line in said


def test_importing_again_changes_nothing(manage: Manage) -> None:
    first = manage("import", "-", stdin=LIST, **ANY)
    assert first.stdout.count(": created.") == 12
    assert "sk-literal-key" not in first.output
    again = manage("import", "-", stdin=LIST, **ANY)
    assert again.stdout.count(": unchanged.") == 12
    assert len(json.loads(done(manage("list-workers", "--json")))) == 12


def test_a_dry_run_stores_nothing_and_can_be_applied(manage: Manage) -> None:
    text = LIST.replace("sk-literal-key", "os.environ/K").replace("api_key: k", "api_key: os.environ/K")
    text = text.replace("anthropic-beta: x-1", "anthropic-beta: true")
    result = manage("import", "-", "--dry-run", stdin=text, **ANY)
    assert done(manage("list-workers")) == "No worker is registered.\n"
    assert "12 created" in done(manage("apply", "-f", "-", stdin=result.stdout, **ANY))
    assert manage("import", "-", stdin=text, **ANY).stdout.count(": unchanged.") == 12


def test_a_key_that_may_not_be_read_is_named(manage: Manage) -> None:
    result = manage("import", "-", stdin=LIST)
    assert (
        "Not imported: model_list[0] (gpt-4o): header.Authorization: ${env:OPENAI_API_KEY} may not be read"
        in result.stderr
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model_list: 3", "no list under model_list"),
        ("a: 1", "no list under model_list"),
        ("- 1", "no list under model_list"),
        ("", "is empty"),
    ],
)
def test_what_is_no_model_list_is_one_sentence(manage: Manage, text: str, says: str) -> None:
    assert says in refused(manage("import", "-", stdin=text))


@pytest.mark.parametrize(
    "row",
    [
        "3",
        "{model_name: x}",
        "{model_name: 3, litellm_params: {model: gpt-4o}}",
        "{model_name: x, litellm_params: {model: 3}}",
        "{model_name: x, litellm_params: {model: openai/x, api_base: [1]}}",
        "{model_name: x, litellm_params: {model: azure/x}}",
        "{model_name: x, litellm_params: {model: custom_openai/x}}",
        "{model_name: 'anthropic/*', litellm_params: {model: 'anthropic/*'}}",
        "{model_name: x, litellm_params: {model: '*'}}",
    ],
)
def test_a_row_that_cannot_be_read_is_named(manage: Manage, row: str) -> None:
    result = manage("import", "-", stdin=f"model_list: [{row}]", **ANY)
    assert result.exit_code == 1
    assert "Not imported: model_list[0]" in result.stderr
    assert "0 of 1 deployments" in result.stderr


def test_values_of_another_kind_are_left_out_by_name(manage: Manage) -> None:
    words = "model: gpt-4o, extra_headers: 3, timeout: soon, weight: much, organization: [1]"
    _, said = imported(manage, f"model_list: [{{model_name: x, litellm_params: {{{words}}}}}]")
    assert "Left out of model_list[0] (x): extra_headers, timeout, weight, organization." in said


def test_wrong_usage(manage: Manage) -> None:
    assert manage("import", "-", "--format", "nobody", stdin=LIST).exit_code == 2
    assert manage("import", "/nowhere.yaml").exit_code == 2


@pytest.mark.parametrize(
    ("rows", "weights"),
    [
        ([("a", 3, None), ("a", 1, None)], [3, 1]),
        ([("a", 0.9, None), ("a", 0.1, None)], [9, 1]),
        ([("a", None, 6000), ("a", None, 3000)], [2, 1]),
        ([("a", None, 10_007), ("a", None, 1)], [1000, 1]),
        ([("a", 2, 50), ("a", None, 70)], [2, None]),
        ([("a", 5, None), ("b", None, 7), ("c", None, None)], [5, 7, None]),
        ([("a", 0, None), ("a", 4000, None)], [0, 1]),
        ([("a", "x", True)], [None]),
    ],
)
def test_weights(rows: Any, weights: Any) -> None:
    assert weighed(rows) == weights
