"""Conditions: keys all, objects any, `*`, not, match, text without case, frames."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.extract import LanguageError, compile_condition

REPLY = {
    "status": "Ok",
    "code": 200,
    "ratio": 0.5,
    "whole": 200.0,
    "done": True,
    "failed": False,
    "error": None,
    "empty": "",
    "zero": 0,
    "list": [],
    "object": {},
    "msg": "folder /1 was existed!",
    "null_word": "null",
    "data": [{"id": "a"}, {"id": "b"}],
    "detail": [{"msg": "overloaded"}],
    "half": "\ud800 x",
}


@pytest.mark.parametrize(
    ("test", "holds_for"),
    [
        (
            "*",
            {
                "status",
                "code",
                "ratio",
                "whole",
                "done",
                "zero",
                "list",
                "object",
                "msg",
                "null_word",
                "data",
                "detail",
                "half",
            },
        ),
        ("ok", {"status"}),
        ("OK", {"status"}),
        (200, {"code", "whole"}),
        ("200", {"code", "whole"}),
        (200.0, {"code", "whole"}),
        (0.5, {"ratio"}),
        (True, {"done"}),
        ("TRUE", {"done"}),
        (False, {"failed"}),
        ("false", {"failed"}),
        (0, {"zero"}),
        (1, set()),
        ("", {"empty"}),
        (None, {"error", "missing"}),
        ("null", {"null_word"}),
        ([200, "ok"], {"status", "code", "whole"}),
        ([], set()),
        ({"match": "was exist"}, {"msg"}),
        ({"match": "^[0-9]+$"}, {"code", "zero"}),
        ({"match": "overloaded"}, {"detail"}),
        ({"match": "OK"}, set()),
        ({"match": "(?i)OK"}, {"status"}),
        ({"match": "x$"}, {"half"}),
        ([{"match": "^fold"}, 0.5, {"not": {"match": "."}}], {"msg", "ratio", "empty"}),
    ],
)
def test_which_values_pass_a_test(test: Any, holds_for: set[str]) -> None:
    condition = {key: compile_condition({key: test}) for key in [*REPLY, "missing"]}
    assert {key for key, each in condition.items() if each.holds(REPLY)} == holds_for


@pytest.mark.parametrize("test", ["*", "ok", 200, True, "", ["ok", 200], {"match": "exist"}])
def test_not_is_the_opposite_but_false_where_the_path_finds_nothing(test: Any) -> None:
    for key, value in [*REPLY.items(), ("missing", None)]:
        plain = compile_condition({key: test}).holds(REPLY)
        negated = compile_condition({key: {"not": test}}).holds(REPLY)
        assert negated is (value is not None and not plain)


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({"status": "ok", "code": 200}, True),
        ({"status": "ok", "code": 201}, False),
        ([{"status": "ok", "code": 201}, {"done": True}], True),
        ([{"status": "no"}, {"done": False}], False),
        ({"data[].id": "a"}, True),
        ({"data[-1].id": "a"}, False),
        ({"data[*].id": "ab"}, True),
        ({"missing|status": "ok"}, True),
        ({"data[id=b]": "*"}, True),
        ({"data[id=c]": "*"}, False),
        ({"": "*"}, True),
    ],
)
def test_keys_are_all_and_objects_any(condition: Any, wanted: bool) -> None:
    assert compile_condition(condition).holds(REPLY) is wanted


@pytest.mark.parametrize("reply", [None, "text", 5, [], [{"status": "ok"}]])
def test_a_reply_that_is_no_object_meets_nothing(reply: Any) -> None:
    assert not compile_condition({"status": "*"}).holds(reply)
    assert not compile_condition({"status": {"not": "ok"}}).holds(reply)


FRAME = {"@event": "complete", "@data": "[1, 2]", "@json": [1, {"x": "y"}]}


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({"@event": "complete"}, True),
        ({"@event": ["error", "COMPLETE"]}, True),
        ({"@event": {"not": "error"}}, True),
        ({"@data": {"match": r"^\["}}, True),
        ({"@json[0]": 1}, True),
        ({"@json[1].x": "y"}, True),
        ({"@event": "complete", "type": "delta"}, True),
        ({"@event": "error", "type": "delta"}, False),
        ({"@eventual": "*"}, False),
        ({"@type": "own"}, True),
        ({"type|@json[1].x": "delta"}, True),
        ({"missing | @json[1].x": "y"}, True),
        ({"@event.x|missing": "*"}, False),
    ],
)
def test_the_event_and_the_data_of_a_frame(condition: Any, wanted: bool) -> None:
    assert compile_condition(condition).holds({"type": "delta", "@type": "own"}, FRAME) is wanted


def test_without_a_frame_its_names_find_nothing() -> None:
    assert not compile_condition({"@event": "*"}).holds({"@event": "complete"})


@pytest.mark.parametrize(
    ("condition", "where", "position", "says"),
    [
        ({}, "error", 0, "a condition is an object of paths"),
        ([], "error", 0, "a condition is an object of paths"),
        ("*", "error", 0, "a condition is an object of paths"),
        (None, "error", 0, "a condition is an object of paths"),
        ([{"a": 1}, "x"], "error[1]", 0, "a condition is an object of paths"),
        ({"a..b": 1}, 'error["a..b"]', 2, "the name of a key is missing"),
        ({"a": {}}, "error.a", 0, "a test is a value"),
        ({"a": {"is": 1}}, "error.a", 0, "a test is a value"),
        ({"a": {"not": 1, "match": "x"}}, "error.a", 0, "a test is a value"),
        ({"a": [[1]]}, "error.a[0]", 0, "a list of values holds no list"),
        ({"a": [1, {"is": 1}]}, "error.a[1]", 0, "a test is a value"),
        ({"a": "{JOB_ID}"}, "error.a", 0, "{JOB_ID} has a value in the job block only"),
        ({"a": ["b", {"not": "x{JOB_ID}"}]}, "error.a[1].not", 1, "{JOB_ID} has a value in the job block only"),
        ({"a": {"not": {"not": 1}}}, "error.a.not", 0, '"not" inside "not"'),
        ({"a": {"match": 5}}, "error.a.match", 0, "a regular expression is a text"),
        ({"a": {"match": "("}}, "error.a.match", 0, "missing ): ("),
        ([{"a": {"match": "a" * 1001}}], "error[0].a.match", 0, "at most 1000 characters"),
        ({"a": {"match": r"(?=x)"}}, "error.a.match", 0, "cannot be used"),
        ({"a": {"match": r"(a)\1"}}, "error.a.match", 0, "cannot be used"),
        ({"a": {"match": "((a{100}){100}){100}"}}, "error.a.match", 0, "cannot be used"),
        ({"a": {"match": "x\ud800"}}, "error.a.match", 1, "half a character"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(condition: Any, where: str, position: int, says: str) -> None:
    with pytest.raises(LanguageError) as caught:
        compile_condition(condition, "error")
    assert says in caught.value.message
    assert (caught.value.where, caught.value.position) == (where, position)


def test_a_regular_expression_takes_linear_time() -> None:
    hostile = compile_condition({"msg": {"match": "^(a+)+$"}})
    assert not hostile.holds({"msg": "a" * 50_000 + "!"})


def test_placeholders_of_paths_values_and_patterns() -> None:
    spec = {"{JOB_ID}.x": ["{JOB_ID}", {"match": "^{JOB_ID}$"}], "other": "{OTHER}"}
    condition = compile_condition(spec, "error", {"JOB_ID": "a.b[0]|c"})
    assert condition.holds({"a.b[0]|c": {"x": "A.B[0]|C"}, "other": "{OTHER}"})
    assert not condition.holds({"a.b[0]|c": {"x": "axb[0]|c"}, "other": "{OTHER}"})
