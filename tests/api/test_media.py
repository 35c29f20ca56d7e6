"""/v1/media/ID: whole, in ranges, unchanged, gone; and what a browser is told of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.api.generating import House

BYTES = bytes(range(256)) * 200
SIZE = len(BYTES)


@pytest.fixture(scope="module")
def url(home: House) -> str:
    return home.kept(BYTES, "video/mp4")


def got(url: str, method: str = "GET", **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.request(method, url, headers=named, timeout=10)


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_the_whole_file(home: House, url: str, prefix: str) -> None:
    answer = got(url.replace("/v1", prefix))
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Length"] == str(SIZE)
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.headers["ETag"])
    assert answer.headers["Content-Disposition"] == f"inline; filename={url.rpartition('/')[2]}.mp4"
    assert {"Last-Modified", "X-Request-Id"} <= set(answer.headers)
    assert answer.headers["Cache-Control"] == "no-cache"


def test_only_its_head(url: str) -> None:
    answer = got(url, "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert (answer.headers["Content-Length"], answer.headers["Content-Type"]) == (str(SIZE), "video/mp4")


RANGES: list[tuple[str, tuple[int, int]]] = [
    ("bytes=0-0", (0, 1)),
    ("bytes=0-", (0, SIZE)),
    ("bytes=10-19", (10, 20)),
    ("bytes=40000-", (40000, SIZE)),
    ("bytes=-5", (SIZE - 5, SIZE)),
    (f"bytes=-{SIZE}", (0, SIZE)),
    (f"bytes=-{SIZE + 1}", (0, SIZE)),
    ("bytes=-999999999999", (0, SIZE)),
    (f"bytes={SIZE - 1}-{SIZE + 100}", (SIZE - 1, SIZE)),
    ("BYTES = 3-4", (3, 5)),
]


@pytest.mark.parametrize(("wanted", "part"), RANGES)
def test_a_part_of_it(url: str, wanted: str, part: tuple[int, int]) -> None:
    answer = got(url, Range=wanted)
    start, end = part
    assert (answer.status_code, answer.content == BYTES[start:end]) == (206, True)
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(end - start)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE}-{SIZE + 1}", "bytes=-0", "bytes=999999999999-"])
def test_a_part_that_is_not_there(url: str, wanted: str) -> None:
    answer = got(url, Range=wanted)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{SIZE}")
    assert answer.json()["error"]["message"].endswith(".")


@pytest.mark.parametrize(
    "wanted",
    ["bytes=0-1,3-4", "bytes=5-2", "bytes=", "bytes=a-b", "lines=0-1", "0-1", "bytes=-", "bytes=1", "x" * 5000],
)
def test_ranges_that_may_be_ignored(url: str, wanted: str) -> None:
    answer = got(url, Range=wanted)
    assert (answer.status_code, answer.content == BYTES) == (200, True)


def test_a_part_only_while_it_is_the_same(url: str) -> None:
    told = got(url, "HEAD").headers
    for same in (told["ETag"], told["Last-Modified"]):
        assert got(url, Range="bytes=0-1", If_Range=same).status_code == 206
    for other in ('"another"', "Mon, 01 Jan 2001 00:00:00 GMT"):
        answer = got(url, Range="bytes=0-1", If_Range=other)
        assert (answer.status_code, len(answer.content)) == (200, SIZE)


def test_what_did_not_change_is_not_sent_again(url: str) -> None:
    told = got(url, "HEAD").headers
    for named in ({"If_None_Match": told["ETag"]}, {"If_Modified_Since": told["Last-Modified"]}):
        answer = got(url, **named)
        assert (answer.status_code, answer.content) == (304, b"")
    assert got(url, If_None_Match=told["ETag"], Range="bytes=0-1").status_code == 304
    assert got(url, If_None_Match='"another"', Range="bytes=0-1").status_code == 206
    assert got(url, If_Match='"another"').status_code == 412


def test_an_empty_part_of_an_empty_file(home: House) -> None:
    answer = got(home.kept(b""), Range="bytes=0-1")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "name",
    [
        "0" * 32,
        "x",
        "0" * 31 + "G",
        "0" * 32 + ".png",
        "%00" + "0" * 31,
        "..%2f..%2f..%2fetc%2fpasswd",
        "..",
        "ä" * 32,
        "0" * 5000,
        "%2e%2e",
        "０" * 32,
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_not_there(home: House, name: str, method: str) -> None:
    answer = got(f"{home.url}/v1/media/{name}", method)
    assert answer.status_code == 404
    if method == "GET":
        error: Any = answer.json()["error"]
        assert (error["code"], error["message"].endswith(".")) == ("not_found", True)


def test_a_file_that_was_deleted(home: House) -> None:
    media = home.api.rollcall.media
    url = home.kept(b"gone")
    kept = media.find(url.rpartition("/")[2])
    assert kept is not None
    kept.path.unlink()
    assert got(url).status_code == 404
    media.forget([kept.id])
    answer = got(url)
    assert (answer.status_code, "kept for 7 days" in answer.json()["error"]["message"]) == (404, True)


@pytest.mark.parametrize(
    ("stored", "sent"),
    [
        ("text/html", "text/html; charset=utf-8"),
        ("image/svg+xml", "image/svg+xml; charset=utf-8"),
        ("", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("image/png\r\nX-Evil: 1", "application/octet-stream"),
        ("ïmage/png", "application/octet-stream"),
    ],
)
def test_content_types(home: House, stored: str, sent: str) -> None:
    answer = got(home.kept(b"<script>alert(1)</script>", stored))
    assert answer.headers["Content-Type"] == sent
    assert "X-Evil" not in answer.headers
    assert answer.headers["Content-Security-Policy"].startswith("sandbox")


def test_it_can_only_be_read(home: House, url: str) -> None:
    assert requests.post(url, json={}, timeout=10).status_code == 405
    assert requests.delete(url, json={}, timeout=10).status_code == 405
    assert got(url).status_code == 200
