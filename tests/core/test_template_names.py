"""Names of placeholders: known ones, any other, and typing errors."""

from __future__ import annotations

import pytest

from app.core.placeholders import KNOWN, check_name
from app.core.template import LanguageError, compile_tree, compile_url

NAMES = [
    *("USER_PROMPT", "MESSAGES", "SYSTEM_PROMPT", "MODEL_NAME", "MODEL_TEMPERATURE", "TOP_P", "SEED", "N"),
    *("MAX_TOKENS", "STREAM", "INPUT", "SIZE", "WIDTH", "HEIGHT", "SECONDS", "REQUEST_ID", "ROLE", "CONTENT"),
    *("JOB_ID", "RESP", "ACCESS_TOKEN", "REQUEST"),
]


def test_every_name_of_the_language_is_known_with_one_line_of_meaning() -> None:
    assert set(KNOWN) == set(NAMES)
    assert all(line and "\n" not in line for line in KNOWN.values())


@pytest.mark.parametrize("name", [*NAMES, "TOP_K", "TOP_A", "K", "X", "M", "STEPS", "FRAMES", "NEGATIVE_PROMPT", "NO"])
def test_names_that_stand(name: str) -> None:
    assert check_name(name) is None
    compile_tree("{" + name + "}")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("USER_PROMT", "USER_PROMPT"),
        ("USER_PROMPTT", "USER_PROMPT"),
        ("USER_PRONPT", "USER_PROMPT"),
        ("USRE_PROMPT", "USER_PROMPT"),
        ("USERPROMPT", "USER_PROMPT"),
        ("MESSAGE", "MESSAGES"),
        ("MAX_TOKEN", "MAX_TOKENS"),
        ("INPUTS", "INPUT"),
        ("TOP_B", "TOP_P"),
        ("STREAN", "STREAM"),
        ("EQUEST", "REQUEST"),
    ],
)
def test_one_typing_error_is_refused_with_the_name_that_was_meant(name: str, meant: str) -> None:
    assert check_name(name) == meant
    for compiled in (compile_tree, lambda text: compile_url("http://h/" + text)):
        with pytest.raises(LanguageError, match=f"{name}.*typing error of.*{meant}"):
            compiled("{" + name + "}")


@pytest.mark.parametrize("name", ["USR_PROMT", "PROMPT_USER", "SEEDLING", "TEMPERATURE", "RESULT"])
def test_more_than_one_typing_error_is_a_name_of_its_own(name: str) -> None:
    assert check_name(name) is None
