"""GET /v1/models: names that have an enabled worker."""

from __future__ import annotations

import json

import openai
import pytest

from app.core.errors import NotReady
from tests.api.callers import ScriptedFleet, callers_app, served, worker

TEXT = {"task": "text", "tasks": ["text"]}
FLEET = ScriptedFleet(
    worker("b", 1, created_at=50.9, owner="ops"),
    worker("b", 2, created_at=40.2, admin="offline"),
    worker("org/a b", 3),
    worker("gone", 4, admin="offline"),
    worker("draining", 5, admin="draining"),
)


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
def test_list(prefix: str) -> None:
    answer = callers_app(fleet=FLEET).test_client().get(f"{prefix}/models")
    assert answer.status_code == 200
    assert answer.json == {
        "object": "list",
        "data": [
            {"id": "b", "object": "model", "created": 40, "owned_by": "ops", "task": "text", "tasks": ["text"]},
            {
                "id": "org/a b",
                "object": "model",
                "created": 1000,
                "owned_by": "rollcall",
                "task": "text",
                "tasks": ["text"],
            },
        ],
    }


def test_the_task_of_each() -> None:
    video, image = json.dumps({"task": "video"}), json.dumps({"task": "image"})
    fleet = ScriptedFleet(
        worker("film", 1, spec=video),
        worker("both", 2, spec=image, admin="offline"),
        worker("both", 3, spec=video),
        worker("both", 4),
        worker("both", 5),
    )
    app = callers_app(fleet=fleet)
    rows = {row["id"]: (row["task"], row["tasks"]) for row in app.test_client().get("/v1/models").json["data"]}
    assert rows == {"film": ("video", ["video"]), "both": ("video", ["video", "text"])}
    with (
        served(app) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", _strict_response_validation=True) as api,
    ):
        assert [model.id for model in api.models.list()] == ["both", "film"]
        assert api.models.retrieve("film").to_dict()["task"] == "video"


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
@pytest.mark.parametrize("name", ["org/a%20b", "org%2Fa%20b"])
def test_one_with_slashes(prefix: str, name: str) -> None:
    answer = callers_app(fleet=FLEET).test_client().get(f"{prefix}/models/{name}")
    assert (answer.status_code, answer.json["id"]) == (200, "org/a b")


@pytest.mark.parametrize("name", ["nobody", "gone", "%00", "x" * 9000, "%ff", "../b"])
def test_unknown(name: str) -> None:
    answer = callers_app(fleet=FLEET).test_client().get(f"/v1/models/{name}")
    assert answer.status_code == 404
    assert answer.json["error"]["code"] in ("model_not_found", "not_found")
    assert len(answer.json["error"]["message"]) < 400


def test_before_the_first_snapshot() -> None:
    class Unready(ScriptedFleet):
        def snapshot(self) -> None:
            raise NotReady("Not yet.", retry_after_s=1)

    answer = callers_app(fleet=Unready()).test_client().get("/v1/models")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_other_methods(method: str) -> None:
    answer = callers_app(fleet=FLEET).test_client().open("/v1/models", method=method)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
