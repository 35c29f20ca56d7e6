"""base64 and data: URLs."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.encoded import content_type_of, decode_base64, decode_data_url


@given(st.binary(min_size=1, max_size=200), st.booleans(), st.integers(1, 80))
def test_any_bytes_come_back(data: bytes, urlsafe: bool, width: int) -> None:
    text = (urlsafe_b64encode if urlsafe else b64encode)(data).decode()
    broken = "\r\n".join(text[at : at + width] for at in range(0, len(text), width))
    for form in (text, broken, text.rstrip("="), f"data:image/png;base64,{text}"):
        assert decode_base64(form) == data


@pytest.mark.parametrize("text", ["", "=", "a", "not base64!", "http://w/x.png", "aGk*", "é", "data:image/png;base64,"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no base64"):
        decode_base64(text)


@pytest.mark.parametrize(
    ("url", "want"),
    [
        ("data:image/png;base64,aGk=", (b"hi", "image/png")),
        ("data:;base64,aGk", (b"hi", "")),
        ("data:text/plain;charset=utf-8,a%20b", (b"a b", "text/plain")),
        ("data:,x", (b"x", "")),
        ("data:no type;base64,aGk=", (b"hi", "")),
        ("http://w/x", None),
        ("data:image/png", None),
    ],
)
def test_data_urls(url: str, want: tuple[bytes, str] | None) -> None:
    assert decode_data_url(url) == want


def test_a_data_url_whose_base64_is_none() -> None:
    with pytest.raises(ValueError, match="no base64"):
        decode_data_url("data:image/png;base64,***")


@pytest.mark.parametrize("text", ["image/png", 'video/mp4; codecs="avc1"', " image/svg+xml "])
def test_a_content_type(text: str) -> None:
    assert content_type_of(text) == text.strip()


@pytest.mark.parametrize("text", ["", "png", "image/", "a b/c", "image/png\r\nX: y", "image/png;\0", "é/x"])
def test_no_content_type(text: str) -> None:
    assert content_type_of(text) == ""
