"""The conversation in every shape, and where the system's words go in each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.shapes import pairs
from tests.core.registered import PLAIN, asked, refusal, sent

SYSTEM = {"role": "system", "content": "be brief"}
TALK = ("q1", "a1", "q2", "a2", "q3")
BOTH = {"prompt": "{USER_PROMPT}", "history": "{MESSAGES}", "system": "{SYSTEM_PROMPT}"}
ITEM = {"system": "<<{CONTENT}>>", "user": "U:{CONTENT} ", "assistant": "A:{CONTENT};", "end": "A:"}


def asks(messages: dict[str, Any], *turns: Any, body: dict[str, Any] = BOTH) -> Any:
    return sent({**PLAIN, "messages": messages, "body": body}, asked(*turns))


@pytest.mark.parametrize(
    ("system", "wanted"),
    [
        ("first_user", {"prompt": "q3", "history": [["be brief\n\nq1", "a1"], ["q2", "a2"]]}),
        ("inline", {"prompt": "q3", "history": [["be brief\n\nq1", "a1"], ["q2", "a2"]]}),
        ("separate", {"prompt": "q3", "history": [["q1", "a1"], ["q2", "a2"]], "system": "be brief"}),
        ("drop", {"prompt": "q3", "history": [["q1", "a1"], ["q2", "a2"]]}),
    ],
)
def test_pairs(system: str, wanted: dict[str, Any]) -> None:
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(TALK)]
    assert asks({"shape": "pairs", "system": system}, SYSTEM, *turns) == wanted


def test_the_only_question_takes_the_systems_words_along() -> None:
    question = {"role": "user", "content": "q"}
    assert asks({"shape": "pairs", "system": "first_user"}, SYSTEM, question) == {
        "prompt": "be brief\n\nq",
        "history": [],
    }
    assert asks({"shape": "pairs", "system": "drop"}, SYSTEM, question) == {"prompt": "q", "history": []}


@pytest.mark.parametrize(
    ("turns", "wanted"),
    [
        ([], []),
        ([("user", "q")], []),
        ([("user", "q1"), ("user", "q2")], [["q1", ""]]),
        ([("assistant", "hello"), ("user", "q")], [["", "hello"]]),
        ([("user", "q"), ("assistant", "a"), ("assistant", "b"), ("user", "r")], [["q", "a\n\nb"]]),
        ([("user", "q"), ("assistant", "begun")], []),
    ],
)
def test_turns_that_do_not_alternate(turns: list[tuple[str, str]], wanted: list[list[str]]) -> None:
    assert pairs(turns) == wanted


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(min_size=1, max_size=3)), max_size=8))
def test_nothing_before_the_last_question_is_lost(turns: list[tuple[str, str]]) -> None:
    asked_at = [i for i, (role, _) in enumerate(turns) if role == "user"]
    before = turns[: asked_at[-1]] if asked_at else turns
    assert "".join(q + a.replace("\n\n", "") for q, a in pairs(turns)) == "".join(text for _, text in before) or any(
        "\n" in text for _, text in before
    )


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        ({"item": ITEM}, "<<be brief>>U:q1 A:a1;U:q2 A:"),
        ({"item": ITEM, "system": "first_user"}, "U:be brief\n\nq1 A:a1;U:q2 A:"),
        ({"item": ITEM, "system": "drop"}, "U:q1 A:a1;U:q2 A:"),
        ({"item": {**ITEM, "system": None}}, None),
        ({"item": {"user": "[{CONTENT}]"}}, "[be brief\n\nq1]a1\n[q2]"),
        ({"item": "{ROLE}={CONTENT}|", "roles": {"assistant": "bot"}}, "system=be brief|user=q1|bot=a1|user=q2|"),
        ({}, "be brief\nUser: q1\nAssistant: a1\nUser: q2\nAssistant:"),
    ],
)
def test_text(messages: dict[str, Any], wanted: str | None) -> None:
    turns = [SYSTEM, *({"role": ("user", "assistant")[i % 2], "content": t} for i, t in enumerate(("q1", "a1", "q2")))]
    raw = {"shape": "text", **messages}
    if wanted is None:
        assert refusal({**PLAIN, "messages": raw})[0] == "messages.item"
        return
    assert asks(raw, *turns, body={"p": "{MESSAGES}"}) == {"p": wanted}


def test_what_a_user_writes_is_no_template() -> None:
    assert asks({"shape": "text", "item": ITEM}, "{CONTENT} {ROLE}", body={"p": "{MESSAGES}"}) == {
        "p": "U:{CONTENT} {ROLE} A:"
    }


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"shape": "text", "item": ["x"]}, "messages.item"),
        ({"shape": "text", "item": {"user": "x"}}, "messages.item.user"),
        ({"shape": "text", "item": {"assistant": "{CONTENT}"}}, "messages.item"),
        ({"shape": "text", "item": {"user": "{CONTENT}", "tool": "{CONTENT}"}}, "messages.item.tool"),
        ({"shape": "text", "item": {"user": "{CONTENT} ${env:A_KEY}"}}, "messages.item.user"),
        ({"shape": "text", "item": {"user": "{CONTENT} {SEED}"}}, "messages.item.user"),
        ({"shape": "text", "item": {"user": "{CONTENT"}}, "messages.item.user"),
    ],
)
def test_shapes_that_are_refused(words: dict[str, Any], field: str) -> None:
    assert refusal({**PLAIN, "messages": words, "body": {"p": "{MESSAGES}"}})[0] == field


def test_pairs_without_the_question_would_lose_it() -> None:
    field, message = refusal({**PLAIN, "messages": {"shape": "pairs"}, "body": {"h": "{MESSAGES}"}})
    assert field == "messages.shape"
    assert "{USER_PROMPT}" in message
