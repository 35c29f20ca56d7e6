"""{MESSAGES}, {USER_PROMPT} and {SYSTEM_PROMPT} in the shapes that registrations ask for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.registered import OPENAI, PLAIN, asked, sent

SYSTEM = {"role": "system", "content": "Be brief."}
DEVELOPER = {"role": "developer", "content": [{"type": "text", "text": "In "}, {"type": "text", "text": "French."}]}
ASK = {"role": "user", "content": "one"}
ANSWER = {"role": "assistant", "content": "two"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "thr"}, {"type": "text", "text": "ee"}]}
TALK = (SYSTEM, ASK, DEVELOPER, ANSWER, PARTS)


def filled(messages: dict[str, Any] | None, *turns: dict[str, Any]) -> dict[str, Any]:
    body = {"m": "{MESSAGES}", "p": "{USER_PROMPT}", "s": "{SYSTEM_PROMPT}"}
    result: dict[str, Any] = sent({**PLAIN, "body": body, "messages": messages}, asked(*turns))
    return result


def says(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def test_inline_is_the_default() -> None:
    assert filled(None, *TALK) == {
        "m": [
            says("system", "Be brief."),
            says("user", "one"),
            says("system", "In French."),
            says("assistant", "two"),
            says("user", "three"),
        ],
        "p": "three",
    }


def test_separate() -> None:
    assert filled({"system": "separate"}, *TALK) == {
        "m": [says("user", "one"), says("assistant", "two"), says("user", "three")],
        "p": "three",
        "s": "Be brief.\n\nIn French.",
    }


def test_separate_without_a_system_message_is_absent() -> None:
    assert filled({"system": "separate"}, ASK) == {"m": [says("user", "one")], "p": "one"}


def test_drop() -> None:
    assert filled({"system": "drop"}, *TALK)["m"] == [
        says("user", "one"),
        says("assistant", "two"),
        says("user", "three"),
    ]


def test_first_user() -> None:
    got = filled({"system": "first_user"}, *TALK)
    assert got["m"][0] == says("user", "Be brief.\n\nIn French.\n\none")
    assert got["p"] == "three"


def test_first_user_when_it_is_the_only_one_becomes_the_prompt() -> None:
    got = filled({"system": "first_user"}, SYSTEM, ASK)
    assert got == {"m": [says("user", "Be brief.\n\none")], "p": "Be brief.\n\none"}


def test_roles_and_item() -> None:
    plan = {
        "system": "separate",
        "roles": {"assistant": "model"},
        "item": {"role": "{ROLE}", "parts": [{"text": "{CONTENT}"}]},
    }
    assert filled(plan, *TALK)["m"] == [
        {"role": "user", "parts": [{"text": "one"}]},
        {"role": "model", "parts": [{"text": "two"}]},
        {"role": "user", "parts": [{"text": "three"}]},
    ]


def test_what_a_caller_types_is_never_expanded() -> None:
    typed = 'say {MODEL_NAME} ${env:A_KEY} "quoted" {{X}}'
    item = {"item": {"c": "<{CONTENT}>"}}
    assert filled(item, says("user", typed)) == {"m": [{"c": f"<{typed}>"}], "p": typed}


def test_an_openai_shaped_worker_gets_the_messages_as_they_came() -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}], "name": "ann"}
    tool = {"role": "tool", "tool_call_id": "1", "content": "4"}
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
    turns = (DEVELOPER, image, call, tool)
    assert sent(OPENAI, asked(*turns))["messages"] == list(turns)


def test_an_openai_shaped_worker_with_roles_keeps_all_else() -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:x"}}], "name": "ann"}
    raw = {**OPENAI, "messages": {"system": "first_user", "roles": {"assistant": "bot"}}}
    assert sent(raw, asked(SYSTEM, image, ANSWER))["messages"] == [
        {**image, "content": [{"type": "text", "text": "Be brief.\n\n"}, *image["content"]]},
        {"role": "bot", "content": "two"},
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [("a", "a"), ("", ""), (None, ""), ([{"type": "input_text", "text": "a"}], "a"), ([{"type": "text"}, 3], "")],
)
def test_content_as_text(content: Any, text: str) -> None:
    assert filled(None, {"role": "user", "content": content})["p"] == text


def test_the_callers_messages_are_never_changed() -> None:
    request = asked(SYSTEM, ASK)
    before = [dict(message) for message in request.messages]
    sent({**PLAIN, "body": {"m": "{MESSAGES}"}, "messages": {"system": "first_user"}}, request)
    assert [dict(message) for message in request.messages] == before
