from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from app.core.conversation import UpstreamRequest
from app.services.redaction import redacted

REQUEST = UpstreamRequest(
    "POST",
    "https://api.example/v1?key=url%20canary&prompt=hello-there",
    {
        "Authorization": "Bearer header-canary",
        "X-Api-Key": "key-canary",
        "Cookie": "session=cookie-canary",
        "Content-Type": "application/json",
    },
    b"",
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no secret at all, Bearer of news", "no secret at all, Bearer of news"),
        ("got Bearer header-canary", "got ***"),
        ("got header-canary.", "got ***."),
        ("key-canary, key-canary", "***, ***"),
        ("you sent session=cookie-canary", "you sent ***"),
        ("url canary", "***"),
        ("env-canary!", "***!"),
        ("hello-there wants application/json", "hello-there wants application/json"),
    ],
)
def test_redacted(text: str, shown: str) -> None:
    assert redacted(text, REQUEST, ["env-canary", ""]) == shown


SECRET = 'canary/7f3a+key=="é"'


@pytest.mark.parametrize(
    "written",
    [
        quote(SECRET, safe=""),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET).replace("/", "\\/"),
        *(base64.b64encode(f"{around}{SECRET}{around}".encode()).decode() for around in ("", "u", "us", "user:")),
        *(base64.urlsafe_b64encode(f"{around}{SECRET}".encode()).decode() for around in ("", "u", "us")),
    ],
)
def test_a_secret_is_known_however_it_is_written(written: str) -> None:
    told = redacted(f"you sent {written} to me", REQUEST, [SECRET])
    assert "***" in told
    assert written[10:18] not in told


@pytest.mark.parametrize(("end", "shown"), [("", ""), ("…", "…"), (".", "."), ("'", "'")])
def test_the_beginning_of_a_secret_at_a_cut_is_one(end: str, shown: str) -> None:
    assert redacted(f"It begins: env-cana{end}", REQUEST, ["env-canary"]) == f"It begins: ***{shown}"
    assert redacted("It begins: env-", REQUEST, ["env-canary"]) == "It begins: env-"


def test_a_password_is_one_although_only_its_base64_was_sent() -> None:
    packed = base64.b64encode(b"operator:pass-canary").decode()
    basic = UpstreamRequest("GET", "http://a/", {"Authorization": f"Basic {packed}"}, None)
    assert redacted(f"no such user operator with pass-canary ({packed})", basic, []) == (
        "no such user operator with *** (***)"
    )
