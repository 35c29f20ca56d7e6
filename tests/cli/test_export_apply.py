"""`export` and `apply`: one file that makes the registry equal to itself and gives away no secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from app.services.presets import presets
from tests.cli.operating import Manage, add, done, refused, registration

ANY = {"ROLLCALL_SECRET_ENV": "*"}
SECRETS: dict[str, Any] = {
    "req_url_template": "http://127.0.0.1:9/generate?v=2&api_key=SECRET1",
    "header": {
        "Authorization": "Bearer SECRET2",
        "X-Api-Version": "2024-10-21",
        "X-Odd": "SECRET3",
        "A": "Basic ${env:B_KEY}",
    },
    "req_param": {"token": "SECRET4", "lang": "en"},
    "body": {"messages": "{MESSAGES}", "api_key": "SECRET5"},
    "job": {
        "id_extract": "id",
        "req_url_template": "http://127.0.0.1:9/jobs/{JOB_ID}?key=SECRET6",
        "header": {"Authorization": "Bearer SECRET7"},
        "done_when": {"done": True},
        "result_extract": "text",
    },
    "auth": {
        "req_url_template": "http://127.0.0.1:9/token",
        "body": {"client_secret": "SECRET8"},
        "token_extract": "access_token",
    },
}


def exported(manage: Manage) -> list[dict[str, Any]]:
    read = yaml.safe_load(done(manage("export", **ANY)))
    assert list(read) == ["registrations"]
    entries: list[dict[str, Any]] = read["registrations"]
    return entries


def apply(manage: Manage, entries: Any, *flags: str, **environment: str) -> str:
    text = entries if isinstance(entries, str) else yaml.safe_dump({"registrations": entries})
    return done(manage("apply", "-f", "-", *flags, stdin=text, **ANY | environment))


def every_preset() -> list[dict[str, Any]]:
    return [{"preset": preset, "instance": preset} for preset in presets()]


def rows(manage: Manage) -> dict[str, dict[str, Any]]:
    return {row["model_name"]: row for row in json.loads(done(manage("list-workers", "--json")))}


def summary(told: str) -> str:
    return told.splitlines()[-1]


def test_an_export_applied_again_changes_nothing(manage: Manage) -> None:
    apply(manage, every_preset())
    entries = exported(manage)
    assert len(entries) == len(presets())
    assert summary(apply(manage, entries)) == f"0 created, 0 updated, {len(entries)} unchanged, 0 removed (offline)."


def test_an_export_of_presets_masks_nothing_so_that_it_can_be_applied_elsewhere(manage: Manage) -> None:
    """References, versions and switches are no secrets."""
    apply(manage, every_preset())
    entries = exported(manage)
    assert "***" not in json.dumps(entries)
    moved = [{**entry, "instance": f"another {entry['instance']}"} for entry in entries]
    assert summary(apply(manage, moved)).startswith(f"{len(entries)} created")


def test_secrets_are_masked_and_a_masked_value_keeps_what_is_stored(manage: Manage) -> None:
    text = json.dumps(registration(**SECRETS))
    assert manage("register", "--file", "-", stdin=text, **ANY).exit_code == 0
    text = done(manage("export", **ANY))
    assert "SECRET" not in text
    (entry,) = yaml.safe_load(text)["registrations"]
    assert entry["header"] == {
        "Authorization": "***",
        "X-Api-Version": "2024-10-21",
        "X-Odd": "***",
        "A": "Basic ${env:B_KEY}",
    }
    assert entry["req_param"] == {"token": "***", "lang": "en"}
    assert summary(apply(manage, text)).startswith("0 created, 0 updated, 1 unchanged")
    entry["weight"] = 7
    entry["header"]["X-Odd"] = "new"
    told = apply(manage, [entry])
    assert "~ updated m at" in told
    assert "weight 1 → 7" in told
    assert "header" in told
    assert "new" not in told
    shown = json.loads(done(manage("register", "--file", "-", "--dry-run", stdin=json.dumps(registration()))))
    assert shown["request"]
    assert exported(manage)[0]["weight"] == 7
    assert summary(apply(manage, [entry])).startswith("0 created, 0 updated, 1 unchanged")


def test_list_workers_shows_no_secret_either(manage: Manage) -> None:
    text = json.dumps(registration(**SECRETS))
    assert manage("register", "--file", "-", stdin=text, **ANY).exit_code == 0
    assert "SECRET" not in done(manage("list-workers", "--json"))


def test_a_masked_value_with_nothing_stored_is_named(manage: Manage) -> None:
    entry = registration(header={"Authorization": "***"})
    sentence = refused(manage("apply", "-f", "-", stdin=yaml.safe_dump([entry])))
    assert sentence.startswith("registrations[0] (m): header.Authorization is masked")
    assert rows(manage) == {}


def test_three_asterisks_in_a_text_are_no_mask(manage: Manage) -> None:
    entry = registration(body={"messages": "{MESSAGES}", "rule": "write ***bold*** words"})
    assert summary(apply(manage, [entry])).startswith("1 created")


def test_what_is_created_updated_and_pruned_is_shown(manage: Manage) -> None:
    add(manage, model_name="stays")
    add(manage, model_name="goes")
    entries = [registration(model_name="stays", weight=4), registration(model_name="comes"), {"preset": "ollama"}]
    dry = apply(manage, entries, "--prune", "--dry-run")
    assert dry.splitlines() == [
        "~ updated stays at http://127.0.0.1:9/generate: weight 1 → 4",
        "+ created comes at http://127.0.0.1:9/generate",
        "+ created llama3.2 at http://localhost:11434/api/chat",
        "- removed goes at http://127.0.0.1:9/generate",
        "Dry run, nothing is stored: 2 created, 1 updated, 0 unchanged, 1 removed (offline).",
    ]
    assert set(rows(manage)) == {"stays", "goes"}
    assert summary(apply(manage, entries)).endswith(
        "0 removed (offline); 1 not in the file stay as they are (--prune: offline)."
    )
    assert rows(manage)["goes"]["admin"] == "enabled"
    assert summary(apply(manage, entries, "--prune")) == "0 created, 0 updated, 3 unchanged, 1 removed (offline)."
    assert rows(manage)["goes"]["admin"] == "offline"
    assert summary(apply(manage, entries, "--prune")) == "0 created, 0 updated, 3 unchanged, 0 removed (offline)."


def test_who_comes_back_into_the_file_is_enabled_again(manage: Manage) -> None:
    add(manage)
    apply(manage, [], "--prune")
    assert "admin offline → enabled" in apply(manage, [registration()])
    assert rows(manage)["m"]["admin"] == "enabled"


def test_an_admin_state_in_the_file_is_kept(manage: Manage) -> None:
    worker = add(manage)
    done(manage("drain", str(worker)))
    (entry,) = exported(manage)
    assert entry["admin"] == "draining"
    assert "admin draining → offline" in apply(manage, [{**entry, "admin": "offline"}])
    assert "1 unchanged" in apply(manage, exported(manage))


def test_registrations_with_a_time_limit_are_left_alone(manage: Manage) -> None:
    add(manage, ttl_s=60)
    result = manage("export")
    assert yaml.safe_load(result.stdout) == {"registrations": []}
    assert "Left out: 1 with a time limit" in result.stderr
    assert summary(apply(manage, [], "--prune")) == "0 created, 0 updated, 0 unchanged, 0 removed (offline)."


def test_one_fault_and_nothing_is_stored(manage: Manage) -> None:
    entries = [registration(model_name="good"), registration(model_name="bad", body={"x": "{USER_PROMPT"})]
    sentence = refused(manage("apply", "-f", "-", stdin=yaml.safe_dump(entries)))
    assert sentence.startswith("registrations[1] (bad): body.x")
    assert rows(manage) == {}


def test_a_version_is_no_date_and_a_number_no_name(manage: Manage) -> None:
    text = """
registrations:
- model_name: m
  req_url_template: http://h/x
  header: {X-Version: 2023-06-01}
  body: {messages: "{MESSAGES}", nodes: {3: {a: 1}}}
"""
    apply(manage, text)
    (entry,) = exported(manage)
    assert entry["header"] == {"X-Version": "2023-06-01"}
    assert entry["body"]["nodes"] == {"3": {"a": 1}}


LAUGHS = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("a: [", "no YAML"),
        ("registrations: 3", "a list under `registrations`"),
        ("- 3", "registrations[0]"),
        ("a: 1\na: 2", "'a' stands twice"),
        (LAUGHS, "more than 300000"),
        ("a: &a [*a]", "alias inside"),
        ("- model_name: !!python/object/apply:os.system [ls]", "no YAML"),
        ("- !!timestamp 2020-01-01", "JSON does not know"),
        ("- .inf", "JSON does not know"),
        ("[" * 3000, "nested too deep"),
        ("a: \x00", "no YAML"),
    ],
)
def test_what_is_no_list_of_registrations_is_one_sentence(manage: Manage, text: str, says: str) -> None:
    assert says in refused(manage("apply", "-f", "-", stdin=text))


def test_the_same_worker_twice(manage: Manage) -> None:
    text = yaml.safe_dump([registration(), registration(weight=3)])
    assert "twice" in refused(manage("apply", "-f", "-", stdin=text))
