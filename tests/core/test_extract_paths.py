"""Every form of a path, what it finds, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.extract import LanguageError, compile_path

REPLY = {
    "a": {"b": [{"c": 1}, {"c": 2}], "empty": [], "text": "t", "null": None, "zero": 0, "no": False, "": "blank"},
    "grid": [[1, 2], [3, 4]],
    "parts": [{"text": "hel"}, {"thought": True}, {"text": "lo"}, {"text": None}],
    "mixed": [{"v": "x"}, {"v": 1}],
    "models": [
        {"name": "llama3.2:1b", "n": 1},
        {"name": "llama3.2:latest", "n": 2},
        {"name": "llama3.2:latest", "n": 3},
    ],
    "content": [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "hel", "on": True, "i": 1},
        {"type": "text", "text": "lo", "on": False, "i": 2},
    ],
    "quoted.key": {"x.y": [5]},
    "odd keys": {'[k="v"]': 1, "a|b": 2, "{JOB}": 3},
    "b3f0-1": {"outputs": {"9": {"images": [{"filename": "f.png"}]}}},
    "kv": [{"k": 'say "x"]', "v": 1}, {"k": 'say "y"', "v": 2}, {"k": "a|b.c", "v": 3}, {"k": "", "v": 4}],
    "@json": [7],
    "项目": "中文",
}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("a.b[].c", 1),
        ("a.b[0].c", 1),
        ("a.b[1].c", 2),
        ("a.b[-1].c", 2),
        ("a.b[-2].c", 1),
        ("a.b[2].c", None),
        ("a.b[-3].c", None),
        ("a.b[*].c", [1, 2]),
        ("a.b[]", {"c": 1}),
        ("a.empty", []),
        ("a.empty[]", None),
        ("a.empty[*]", None),
        ("a.text", "t"),
        ("a.text[]", None),
        ("a.text.x", None),
        ("a[]", None),
        ("a[*]", None),
        ("a.null", None),
        ("a.null.x[]", None),
        ("a.zero", 0),
        ("a.no", False),
        ('a.""', "blank"),
        ("a.missing", None),
        ("missing.b[].c", None),
        ("grid[1][0]", 3),
        ("grid[][]", 1),
        ("grid[*][*]", [1, 2, 3, 4]),
        ("grid[*][1]", [2, 4]),
        ("parts[*].text", "hello"),
        ("parts[*].missing", None),
        ("parts[1].text", None),
        ("mixed[*].v", ["x", 1]),
        ("models[name=llama3.2:latest].n", 2),
        ("models[*name=llama3.2:latest].n", [2, 3]),
        ("models[name=LLAMA3.2:LATEST].n", None),
        ("models[n=3].name", "llama3.2:latest"),
        ("models[name=none]", None),
        ("models[*name=none].n", None),
        ("content[*type=text].text", "hello"),
        ("content[type=text].text", "hel"),
        ("content[on=true].text", "hel"),
        ("content[on=false].text", "lo"),
        ("content[i=2].text", "lo"),
        ("content[ type = text ].text", "hel"),
        ('content[type="text"].text', "hel"),
        ('content["type"=text].text', "hel"),
        ("a[type=text]", None),
        ("grid[type=text]", None),
        ('"quoted.key"."x.y"[]', 5),
        ('["quoted.key"]["x.y"][0]', 5),
        ('"odd keys"."[k=\\"v\\"]"', LanguageError),
        ('"odd keys"."a|b"', 2),
        ('"odd keys"."{JOB}"', 3),
        ("odd keys", REPLY["odd keys"]),
        ("b3f0-1.outputs.9.images[].filename", "f.png"),
        ("b3f0-1.*.9.images[].filename", "f.png"),
        ("b3f0-1.*.*.*.*.filename", "f.png"),
        ("*.b[1].c", 2),
        ("a.empty.*", None),
        ("a.text.*", None),
        ("grid.*.*", 1),
        ('kv[k="say "x"]"].v', LanguageError),
        ('kv[k=say "y"].v', 2),
        ("kv[k=a|b.c].v", 3),
        ("kv[k=].v", 4),
        ('kv[k="a|b.c"].v|a.text', 3),
        ("@json[0]", 7),
        ("项目", "中文"),
        ("missing|a.text", "t"),
        ("a.null|a.zero|a.text", 0),
        ("a.text|missing", "t"),
        ("missing|nothing", None),
        ("parts[*].missing|parts[*].text", "hello"),
        ("missing | a.text ", "t"),
        (" a.b[] | x", {"c": 1}),
        ("a.empty|a.text", []),
    ],
)
def test_what_a_path_finds(path: str, wanted: Any) -> None:
    if wanted is LanguageError:
        with pytest.raises(LanguageError):
            compile_path(path)
        return
    found = compile_path(path).find(REPLY)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize("text", ["", "  "])
@pytest.mark.parametrize("value", [REPLY, [], "bare", 5, None, False])
def test_an_empty_path_is_the_whole_value(text: str, value: Any) -> None:
    assert compile_path(text).find(value) is value


def test_a_reply_may_be_a_list() -> None:
    path = compile_path("generated_text|[0].generated_text")
    assert path.find([{"generated_text": "hi"}]) == "hi"
    assert path.find({"generated_text": "hi"}) == "hi"
    assert compile_path("[*].x").find([{"x": "a"}, {}, {"x": "b"}]) == "ab"
    assert compile_path("[-1]").find([1, 2]) == 2


def test_a_path_knows_its_text() -> None:
    assert compile_path("a.b[].c").text == "a.b[].c"
    assert compile_path("a") == compile_path("a")
    assert compile_path("a") != compile_path("b")
    assert "a.b" in repr(compile_path("a.b"))


@pytest.mark.parametrize(
    ("path", "position", "says"),
    [
        ("a..b", 2, "the name of a key is missing"),
        (".a", 0, "the name of a key is missing"),
        ("a.", 2, "the name of a key is missing"),
        ("a|", 2, "the name of a key is missing"),
        ("|a", 0, "the name of a key is missing"),
        ("a||b", 2, "the name of a key is missing"),
        ("a. |b", 2, "the name of a key is missing"),
        ("a.[0]", 2, "the name of a key is missing"),
        ("]", 0, "the name of a key is missing"),
        ("a[", 1, "a bracket of the path must hold"),
        ("a[b", 1, "a bracket of the path must hold"),
        ("a[b]", 1, "a bracket of the path must hold"),
        ("a[1.5]", 1, "a bracket of the path must hold"),
        ("a[ ]", 1, "a bracket of the path must hold"),
        ("a[=x]", 1, "a bracket of the path must hold"),
        ("a[**]", 1, "a bracket of the path must hold"),
        ("a[9999999999]", 1, "a bracket of the path must hold"),
        ("a[k={JOB_ID}]", 4, "{JOB_ID} has a value in the job block only"),
        ("a[]b", 3, "a dot, a bracket or a bar is expected"),
        ("a]", 1, "a dot, a bracket or a bar is expected"),
        ("a [0]", 2, "a dot, a bracket or a bar is expected"),
        ("a[0] [1]", 5, "a dot, a bracket or a bar is expected"),
        ('"a"b', 3, "a dot, a bracket or a bar is expected"),
        ('a"b"', 1, "a dot, a bracket or a bar is expected"),
        ('"a', 0, "a quoted key of the path does not close"),
        ('a."b', 2, "a quoted key of the path does not close"),
        ("{JOB_ID}.status", 0, "{JOB_ID} has a value in the job block only"),
        ("a.{x}", 2, "a key with a brace in it is written in double quotes"),
        ("a" * 1001, 1000, "a path has at most 1000 characters"),
        ("a}b", 1, "a dot, a bracket or a bar is expected"),
    ],
)
def test_a_path_that_does_not_parse_is_refused_with_its_position(path: str, position: int, says: str) -> None:
    with pytest.raises(LanguageError) as caught:
        compile_path(path)
    assert says in caught.value.message
    assert (caught.value.position, caught.value.where) == (position, "")
    assert str(caught.value).endswith(f"(at position {position})")
