"""Every route has its scope: the table, the document and what the server does are held together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from app.api.scopes import NEEDED, OPEN
from app.core.api_keys import Scope
from tests.api.management import Api, management, refused
from tests.security.keyed import As, make

PLACES = {"job_id": "j", "media_id": "m", "video_id": "v", "worker_id": "1", "name": "m"}
ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ASKING = {
    "/v1/chat/completions": ASK,
    "/api/v1/chat/completions": {"model_name": "m", "input": "hi"},
    "/v1/completions": {"model": "m", "prompt": "hi"},
    "/v1/messages": ASK | {"max_tokens": 1},
    "/v1/embeddings": {"model": "m", "input": "hi"},
    "/v1/images/generations": {"model": "m", "prompt": "hi"},
    "/v1/videos": {"model": "m", "prompt": "hi"},
}


@pytest.fixture(scope="module")
def api(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("keyed")
    file = folder / "rollcall.db"
    file.write_bytes(sqlite_template.read_bytes())
    with management(f"sqlite:///{file}", folder) as api:
        yield api


@pytest.fixture(scope="module")
def keys(api: Api) -> dict[Scope | None, As]:
    """One who asks for each scope, and a stranger."""
    return {None: As(api, None), **{scope: As(api, make(api, scope)) for scope in get_args(Scope)}}


@pytest.fixture(scope="module")
def operations(api: Api, keys: dict[Scope | None, As]) -> list[tuple[str, str, dict[str, Any]]]:
    document = keys["admin"].send("GET", "/openapi.json").json
    assert document is not None
    return [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def test_every_operation_of_the_document_does_what_it_says(
    keys: dict[Scope | None, As], operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    assert len(operations) >= 40
    for method, path, operation in operations:
        scopes = operation["x-rollcall-scopes"]
        place = re.sub(r"\{([a-z_]+)\}", lambda found: PLACES[found[1]], path)
        if path in OPEN:
            assert (scopes, operation["security"]) == ([], [])
            assert keys[None].status(method, place) == 200
            continue
        assert scopes
        assert operation["security"] == [{"bearer": []}, {"x-api-key": []}]
        assert {"401", "403"} <= set(operation["responses"])
        assert keys[None].status(method, place) == 401, place
        for scope in get_args(Scope):
            status = keys[scope].status(method, place)
            assert (status == 403) == (scope not in (*scopes, "admin")), (scope, method, place, status)
            assert status not in (401, 500)


def test_only_admins_change_anything(operations: list[tuple[str, str, dict[str, Any]]]) -> None:
    for method, path, operation in operations:
        if method != "GET" and path.startswith("/api/server/"):
            assert operation["x-rollcall-scopes"] == ["admin"]


def test_every_row_of_the_table_is_a_route_and_every_route_has_a_row(api: Api) -> None:
    routes = {
        (method, re.sub("^/api/v1/", "/v1/", rule.rule))
        for rule in api.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint != "static" and rule.rule not in OPEN
    }
    assert routes == set(NEEDED)


def test_refusals_say_what_is_missing(api: Api, keys: dict[Scope | None, As]) -> None:
    stranger = keys[None].send("GET", "/api/server/workers")
    assert "Authorization: Bearer" in refused(stranger, 401)
    assert stranger.headers["WWW-Authenticate"] == "Bearer"
    assert stranger.json["error"]["code"] == "invalid_api_key"
    wrong = keys["infer"].send("POST", "/api/server/register", json={})
    assert refused(wrong, 403) == "This needs an API key with the scope admin; this one has infer."
    assert wrong.json["error"]["code"] == "scope_missing"


def test_either_header_will_do(api: Api, keys: dict[Scope | None, As]) -> None:
    key = keys["read"].key
    assert key is not None
    for headers in ({"Authorization": f"Bearer {key}"}, {"x-api-key": key}):
        assert api.send("GET", "/v1/models", headers=headers).status_code == 200
    for headers in ({"Authorization": f"Basic {key}"}, {"x-api-key": key + "0"}, {"Authorization": key}):
        assert api.send("GET", "/v1/models", headers=headers).status_code == 401
    assert api.send("GET", "/v1/models", query_string={"key": key, "api_key": key}).status_code == 401


def test_a_stranger_does_not_learn_which_routes_there_are(keys: dict[Scope | None, As]) -> None:
    for path in ("/nope", "/static/x", "/docs", "/openapi.json", "/healthz/x", "//healthz"):
        assert keys[None].status("GET", path) in (401, 308), path
    assert keys[None].status("OPTIONS", "/v1/models") == 401
    assert keys[None].send("POST", "/v1/chat/completions", data=b"x" * 3_000_000).status_code == 401
    assert keys["infer"].status("GET", "/nope") == 404
    assert keys["infer"].status("GET", "/docs") == 200
    assert keys["read"].send("HEAD", "/api/server/workers").status_code == 200
    assert keys["infer"].send("HEAD", "/api/server/workers").status_code == 403


def test_unauthenticated_registration_is_refused(api: Api, keys: dict[Scope | None, As]) -> None:
    """FastChat #3776 and #3886, CVE-2023-48022 (Ray): a spoofed worker, a control API open to everyone."""
    from tests.api.management import registration

    for who in (None, "infer", "read"):
        answer = keys[who].send("POST", "/api/server/register", json=registration(model_name="spoofed"))  # type: ignore[index]
        assert answer.status_code in (401, 403)
    assert keys["read"].send("GET", "/api/server/workers?model_name=spoofed").json["data"] == []


def test_a_key_for_some_models_asks_and_sees_no_others(api: Api, keys: dict[Scope | None, As]) -> None:
    from tests.api.management import registration

    for name in ("m", "other"):
        assert keys["admin"].status("POST", "/api/server/register", registration(model_name=name)) == 200
    bound = As(api, make(api, "infer", models=frozenset({"other"})))
    for path, body in ASKING.items():
        answer = bound.send("POST", path, json=body)
        assert answer.status_code == 403, path
        assert "may not ask the model 'm'" in answer.text
        assert keys["infer"].send("POST", path, json=body).status_code != 403
    listed = bound.send("GET", "/v1/models").json
    assert listed is not None
    assert [entry["id"] for entry in listed["data"]] == ["other"]
    assert bound.status("GET", "/v1/models/m") == 404
    assert bound.status("GET", "/v1/models/other") == 200


def test_a_key_with_an_owner_changes_that_owners_workers_alone(api: Api, keys: dict[Scope | None, As]) -> None:
    from tests.api.management import registration

    team = As(api, make(api, "admin", owner="team-a"))
    register, workers = "/api/server/register", "/api/server/workers"

    def made(who: As, method: str = "POST", **words: Any) -> Any:
        return who.send(method, register, json=registration(**words))

    mine = made(team, model_name="owned").json["id"]
    assert team.send("GET", f"{workers}/{mine}").json["data"]["owner"] == "team-a"
    theirs = made(keys["admin"], model_name="theirs", owner="team-b").json["id"]
    nobodys = made(keys["admin"], model_name="nobodys").json["id"]
    assert "team-a" in refused(made(team, model_name="new", owner="team-b"), 403, "owner")
    for foreign in (theirs, nobodys):
        name = "theirs" if foreign == theirs else "nobodys"
        url = registration()["req_url_template"]
        for method, path, body in (
            ("PATCH", f"{workers}/{foreign}", {"weight": 0}),
            ("POST", f"{workers}/{foreign}/expire", {}),
            ("DELETE", f"{workers}/{foreign}", {}),
            ("POST", "/api/server/offline", {"id": foreign}),
            ("POST", "/api/server/offline", {"model_name": name, "req_url_template": url}),
            ("PUT", register, registration(model_name=name)),
            ("POST", register, registration(model_name=name)),
        ):
            assert team.status(method, path, body) == 403, (method, path)
    keys["admin"].send("POST", "/api/server/offline", json={"id": theirs})
    assert made(team, model_name="theirs").status_code == 403
    assert made(team, "PUT", model_name="owned", weight=5).status_code == 200
    assert team.status("PATCH", f"{workers}/{mine}", {"weight": 2}) == 200
    assert team.status("POST", "/api/server/offline", {"id": mine}) == 200
    assert team.status("DELETE", f"{workers}/{mine}") == 200
    assert keys["admin"].status("DELETE", f"{workers}/{theirs}") == 200


def test_every_asking_route_was_asked_for_another_model(api: Api) -> None:
    asking = {path for (method, path), scopes in NEEDED.items() if method == "POST" and scopes == ("infer",)}
    assert asking == {path for path in ASKING if not path.startswith("/api/")}


def test_an_application_that_is_not_ours_keeps_its_own_routes(sqlite_url: str, tmp_path: Path) -> None:
    import flask

    from app import init_app

    foreign = flask.Flask("foreign")
    init_app(foreign, {"DATABASE_URL": sqlite_url, "ROLLCALL_VAR": str(tmp_path), "ROLLCALL_ADMIN_KEY": "k" * 16})
    foreign.get("/mine")(lambda: "mine")
    client = foreign.test_client()
    assert client.get("/mine").text == "mine"
    assert client.get("/v1/models", base_url="http://127.0.0.1").status_code == 401
