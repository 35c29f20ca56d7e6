"""What image workers of OpenAI's shape say beside their images reaches the caller, with the openai package."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.api.generating import PACKED, House
from tests.fakes import Exchange, FakeUpstream, json_answer

ALL = {"response_extract": "data[*].url|data[*].b64_json"}
BY_N = {**ALL, "body": {"prompt": "{USER_PROMPT}", "n": "{N}"}}
WORDS = {"size": "1024x1024", "quality": "high", "background": "opaque", "output_format": "png"}


def tokens(images: int) -> dict[str, Any]:
    details = {"text_tokens": 5 * images, "image_tokens": 0}
    return {
        "input_tokens": 5 * images, "output_tokens": 40 * images, "total_tokens": 45 * images,
        "input_tokens_details": details,
    }  # fmt: skip


class Studio:
    """Makes as many images as it is told, each with a prompt of its own."""

    def __init__(self, form: str) -> None:
        self._form = form
        self._made = 0

    def __call__(self, exchange: Exchange) -> None:
        count = exchange.request.json.get("n", 1)
        data = [self._row() for _ in range(count)]
        json_answer({"created": 1, "data": data, "usage": tokens(count), "model": "secret-name", **WORDS})(exchange)

    def _row(self) -> dict[str, str]:
        self._made += 1
        value = PACKED if self._form == "b64_json" else f"http://127.0.0.1:9/{self._made}.png"
        return {self._form: value, "revised_prompt": f"a black cat, {self._made}"}


@pytest.mark.parametrize("words", [ALL, BY_N])
@pytest.mark.parametrize("form", ["url", "b64_json"])
def test_prompts_tokens_and_settings_come_back(home: House, form: str, words: dict[str, Any]) -> None:
    options: Any = {"base_url": f"{home.url}/v1", "api_key": "k", "_strict_response_validation": True}
    with FakeUpstream(Studio(form)) as worker, openai.OpenAI(**options) as client:
        model = home.model(worker, form.partition("_")[0], limits={"concurrency": 1}, **words)
        reply = client.images.generate(model=model, prompt="a cat", n=3)
    assert [image.revised_prompt for image in reply.data or ()] == [f"a black cat, {n}" for n in (1, 2, 3)]
    assert reply.usage is not None
    assert reply.usage.model_dump(exclude_none=True) == tokens(3)
    assert {word: getattr(reply, word) for word in WORDS} == WORDS
    assert not hasattr(reply, "model")


def test_tokens_that_the_registration_finds(home: House) -> None:
    usage = {"prompt": "meta.in", "completion": "meta.out"}
    with FakeUpstream(json_answer({"made": PACKED, "meta": {"in": 5, "out": 40}})) as worker:
        model = home.model(worker, "b64", usage=usage)
        assert home.ask(model).json()["usage"] == tokens(1)
        assert home.ask(model, n=2).json()["usage"] == tokens(2)


@pytest.mark.parametrize(
    "reply",
    [
        {"made": PACKED, "usage": {"total_tokens": 1}, "size": "big"},
        {"made": PACKED, "data": [{"revised_prompt": 5}], "usage": "much", "size": 3},
        {"made": PACKED, "data": [{"revised_prompt": "a"}, {"revised_prompt": "b"}]},
        {"made": PACKED, "data": ["a"]},
    ],
)
def test_what_is_not_of_that_shape_stays_here(home: House, reply: dict[str, Any]) -> None:
    with FakeUpstream(json_answer(reply)) as worker:
        answer = home.ask(home.model(worker, "b64")).json()
    assert set(answer) == {"created", "data"}
    assert set(answer["data"][0]) == {"url"}
