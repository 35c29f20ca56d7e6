"""Which braces are placeholders, which are text, which are refused and where; secrets."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.template import LanguageError, compile_tree

VALUES = {"USER_PROMPT": "hi", "MODEL_NAME": "llama", "N": 2}


def no_secrets(kind: str, name: str) -> str:
    raise AssertionError(f"no secret was asked for: {kind}:{name}")


def render(node: Any) -> Any:
    return compile_tree(node).render(VALUES, no_secrets)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{USER_PROMPT}}", "{USER_PROMPT}"),
        ("say {{MODEL_NAME}} now", "say {MODEL_NAME} now"),
        ("{{MAX_TOKENS:5}}", "{MAX_TOKENS:5}"),
        ("{{REQUEST:tools}}", "{REQUEST:tools}"),
        ("{{ANYTHING}}", "{ANYTHING}"),
        ("{{{USER_PROMPT}}}", "{{USER_PROMPT}}"),
        ("{{USER_PROMPT}", "{hi"),
        ("{USER_PROMPT}}", "hi}"),
        ('{"a":{"b":{USER_PROMPT}}}', '{"a":{"b":hi}}'),
        ("{lower}", "{lower}"),
        ("{{ name }}", "{{ name }}"),
        ("{{name}}", "{{name}}"),
        ("{% if x %}{Hello}{% endif %}", "{% if x %}{Hello}{% endif %}"),
        ("{USER_PROMPTs}", "{USER_PROMPTs}"),
        ("{User_Prompt}", "{User_Prompt}"),
        ("{_PRIVATE}", "{_PRIVATE}"),
        ("{1}", "{1}"),
        ("{}", "{}"),
        ("{", "{"),
        ("}", "}"),
        ("}{", "}{"),
        ("", ""),
        ("choose {YES, NO}", "choose {YES, NO}"),
        ("{ÉTÉ}", "{ÉTÉ}"),
        ("{Aé}", "{Aé}"),
        ("$ {lower} ${lower} $", "$ {lower} ${lower} $"),
        ("${USER_PROMPT}", "$hi"),
        ("{env:KEY}", "{env:KEY}"),
    ],
)
def test_braces(text: str, wanted: str) -> None:
    assert render(text) == wanted


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("{USER_PROMPT", 0, "{USER_PROMPT does not close"),
        ("ask {USER_PROMPT now", 4, "does not close"),
        ("{UNKNOWN", 0, "{UNKNOWN does not close"),
        ("{{USER_PROMPT", 1, "does not close"),
        ("{A", 0, "{A does not close"),
        ("{YES, NO", 0, "does not close"),
        ("} {YES, NO", 2, "does not close"),
        ("{USER_PROMPT }", 0, "does not close"),
        ("{USER_PROMPT, {N}}", 0, "does not close"),
        ("{MAX_TOKENS:1024", 0, "{MAX_TOKENS: does not close"),
        ("{MAX_TOKENS:{N}}", 12, "a default is JSON or text without braces"),
        ("{MAX_TOKENS:${env:KEY}}", 13, "a default is JSON or text without braces"),
        ("{MAX_TOKENS:" + "[" * 150 + "]" * 150 + "}", 12, "nested too deep"),
        ("{MAX_TOKENS:" + "9" * 1001 + "}", 12, "a default has at most 1000 characters"),
        ("{REQUEST:tools", 0, "{REQUEST: does not close"),
        ('{REQUEST:"tools}', 0, "does not close"),
        ("{REQUEST:a..b}", 11, "the name of a key is missing"),
        ("x {RESP:a[}", 2, "does not close"),
        ("x {RESP:a[b]}", 9, "a bracket of the path must hold"),
        ("hi {USER_PROMT}", 3, "{USER_PROMT} looks like a typing error of {USER_PROMPT}"),
        ("{MAX_TOKEN:5}", 0, "{MAX_TOKENS}"),
        ("${env:}", 0, "a secret is written ${env:NAME}"),
        ("a${env:KEY", 1, "a secret is written ${env:NAME}"),
        ("${env:A B}", 0, "a secret is written ${env:NAME}"),
        ("${ENV:KEY}", 0, "a secret is written ${env:NAME}, in lower case"),
        ("${secret:}", 0, "a secret is written ${secret:NAME}"),
    ],
)
def test_a_template_that_does_not_parse_is_refused_with_its_place(text: str, position: int, says: str) -> None:
    with pytest.raises(LanguageError) as caught:
        compile_tree({"messages": [{"content": text}]}, "body")
    assert says in caught.value.message
    assert caught.value.position == position
    assert caught.value.where == "body.messages[0].content"
    assert str(caught.value).endswith(f"(at body.messages[0].content, position {position})")


@pytest.mark.parametrize(
    ("tree", "where", "place"),
    [
        ({"a.b": ["{USER_PROMPT"]}, "body", 'body["a.b"][0]'),
        ({"": "{USER_PROMPT"}, "body", 'body[""]'),
        ({"anthropic-version": "{USER_PROMPT"}, "header", "header.anthropic-version"),
        ([["{USER_PROMPT"]], "body", "body[0][0]"),
        ({"q": "{USER_PROMPT"}, "", "q"),
        ("{USER_PROMPT", "", ""),
    ],
)
def test_the_place_inside_the_tree_is_named(tree: Any, where: str, place: str) -> None:
    with pytest.raises(LanguageError) as caught:
        compile_tree(tree, where)
    assert caught.value.where == place


def nested(levels: int, leaf: Any = "{USER_PROMPT}") -> Any:
    node = leaf
    for i in range(levels):
        node = {"a": node} if i % 2 else [node]
    return node


def test_a_tree_of_a_hundred_levels_is_taken() -> None:
    rendered = render(nested(100))
    for _ in range(100):
        rendered = rendered["a"] if isinstance(rendered, dict) else rendered[0]
    assert rendered == "hi"


@pytest.mark.parametrize("levels", [101, 900, 100_000])
@pytest.mark.parametrize("leaf", ["{USER_PROMPT}", 1])
def test_a_deeper_tree_is_refused(levels: int, leaf: Any) -> None:
    with pytest.raises(LanguageError, match="nested deeper than 100 levels"):
        compile_tree(nested(levels, leaf), "body")


def test_at_most_500_placeholders_in_one_template() -> None:
    assert compile_tree([["{N}"] * 250, "{N}" * 249, "${env:KEY}"]).secrets == {("env", "KEY")}
    with pytest.raises(LanguageError, match="at most 500 placeholders") as caught:
        compile_tree([["{N}"] * 250, "{N}" * 251], "body")
    assert (caught.value.where, caught.value.position) == ("body[1]", 750)


def test_secrets_are_read_at_each_call_and_typed_as_text() -> None:
    answers = iter(["one", "two"])
    asked = []

    def secrets(kind: str, name: str) -> str:
        asked.append((kind, name))
        return next(answers)

    template = compile_tree({"Authorization": "Bearer ${env:OPENAI_API_KEY}"})
    assert asked == []
    assert template.render({}, secrets) == {"Authorization": "Bearer one"}
    assert template.render({}, secrets) == {"Authorization": "Bearer two"}
    assert asked == [("env", "OPENAI_API_KEY")] * 2


def test_a_secret_is_a_value_beside_what_has_none() -> None:
    template = compile_tree(["${secret:a-b.c}", "${env:KEY}{SEED}"])
    assert template.render({}, lambda kind, name: f"<{kind} {name}>") == ["<secret a-b.c>", "<env KEY>"]


def test_what_a_secret_or_a_value_holds_is_never_read_again() -> None:
    template = compile_tree(["${env:KEY}", "{USER_PROMPT}", "a {USER_PROMPT} b"])
    text = "{MODEL_NAME} ${env:OTHER} {{N}}"
    values = VALUES | {"USER_PROMPT": text}
    assert template.render(values, lambda kind, name: text) == [text, text, f"a {text} b"]


def test_a_failing_secret_fails_the_render() -> None:
    with pytest.raises(AssertionError, match="env:KEY"):
        compile_tree("${env:KEY}").render({}, no_secrets)
