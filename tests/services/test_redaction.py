from __future__ import annotations

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
