"""No call leaves past the gate: completions, probes, polls, downloads, tokens, trials, whoever names the address."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.core.conversation import UpstreamRequest
from app.core.errors import UpstreamError
from app.services import downloads
from app.services.trial import try_once
from app.settings import Settings
from app.upstream import gate, resolver
from app.upstream.client import Client, SendFailure
from tests.api.management import REGISTER, Api, management, refused, registration
from tests.fakes import FakeUpstream, json_answer
from tests.security.conftest import Names, canary_beside
from tests.services.job_rig import JOB, VIDEO, Studio, done
from tests.serving import wait_for

ROOT = Path(__file__).resolve().parents[2]
SHAPE = {"body": {"prompt": "{USER_PROMPT}"}, "response_extract": "answer"}
GOOD = json_answer({"answer": "good"})
METADATA = ["169.254.169.254"]


@pytest.fixture
def api(sqlite_url: str, tmp_path: Path) -> Iterator[Api]:
    # 127.0.0.2 stands for what an operator closes, because a test can see whether it was reached.
    with management(sqlite_url, tmp_path, ROLLCALL_OUTGOING_DENY="127.0.0.2") as made:
        yield made


def ask(api: Api, model: str = "m") -> TestResponse:
    return api.post("/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": "hi"}]})


def rule_of(answer: TestResponse, status: int = 502) -> str:
    """The rule that a refusal names."""
    assert answer.status_code == status, answer.json
    error = answer.json["error"]
    assert error["code"] == "address_refused", error
    message: str = error.get("message") or answer.json["msg"]
    return message.partition("the rule ")[2].partition(":")[0]


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://[fd00:ec2::254]/latest/meta-data/", "metadata"),
        ("http://[::ffff:a9fe:a9fe]/", "metadata (dressed as IPv4-mapped)"),
        ("http://[64:ff9b::a9fe:a9fe]/", "metadata (dressed as NAT64)"),
        ("http://2852039166/", "metadata"),
        ("http://0251.0376.0251.0376/", "metadata"),
        ("http://127.0.0.1:8007/v1/chat/completions", "own-port"),
        ("http://localhost:8007/v1/chat/completions", "own-port"),
        ("http://127.0.0.2/", "denied"),
    ],
)
def test_what_can_be_told_without_a_name_server_is_no_registration(api: Api, url: str, rule: str) -> None:
    for send in (api.post, api.put):
        answer = send(REGISTER, registration(req_url_template=url))
        assert rule_of(answer, 400) == rule
        assert refused(answer, 400, "req_url_template").startswith("req_url_template: its host is refused")
    dry = api.send("POST", REGISTER, query_string={"dry_run": "true"}, json=registration(req_url_template=url))
    assert rule_of(dry, 400) == rule
    assert api.rows() == []


def test_a_name_that_leads_there_is_refused_when_it_is_called(api: Api, names: Names) -> None:
    api.register(model_name="cloud", req_url_template="http://cloud.example/", **SHAPE)
    names.say("cloud.example", ["64:ff9b::a9fe:a9fe", "169.254.0.1"])
    answer = ask(api, "cloud")
    assert rule_of(answer) == "metadata (dressed as NAT64)"
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json["error"]["message"].startswith("Worker 1 could not be asked: its address is refused by")
    assert "169.254" not in answer.text


def test_of_several_addresses_those_that_may_be_called_are(api: Api, names: Names) -> None:
    names.say("both.example", ["169.254.169.254", "127.0.0.2", "127.0.0.1"])
    with FakeUpstream(GOOD) as worker, canary_beside(worker.port) as canary:
        api.register(req_url_template=f"http://both.example:{worker.port}/", **SHAPE)
        assert ask(api).status_code == 200
        assert not canary.was_reached


def test_another_worker_answers_in_the_place_of_one_behind_the_gate(api: Api, names: Names) -> None:
    names.say("cloud.example", METADATA)
    with FakeUpstream(GOOD) as worker:
        api.register(req_url_template="http://cloud.example/", weight=1000, **SHAPE)
        api.register(req_url_template=worker.url, weight=1, **SHAPE)
        assert {ask(api).status_code for _ in range(5)} == {200}


def test_a_resolver_that_changes_its_answer_gains_nothing(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look-up gives another address: some calls are answered by the good one, none reaches the other."""
    monkeypatch.setattr(resolver, "FRESH_S", 0.0)
    monkeypatch.setattr(resolver, "OLD_S", 0.0)
    client = Client(Settings(outgoing_deny=("127.0.0.2",), idle_connection_s=1e-9))
    with FakeUpstream(GOOD) as worker, canary_beside(worker.port) as canary:
        names.say("rebind.example", *[["127.0.0.1"], ["127.0.0.2"], METADATA] * 8)
        request = UpstreamRequest("GET", f"http://rebind.example:{worker.port}/", {}, None)
        told = []
        for _ in range(24):
            try:
                told.append(str(client.send(request, deadline=time.monotonic() + 20).status))
            except SendFailure as failure:
                told.append(failure.kind)
        assert set(told) == {"200", "address_refused"}
        assert worker.connections == told.count("200")
        assert not canary.was_reached
    assert len(names.asked) > 3


def test_the_own_port_is_refused_at_every_address_of_this_machine(api: Api, names: Names) -> None:
    with FakeUpstream(GOOD) as worker:
        api.register(model_name="m", req_url_template=f"http://self.example:{worker.port}/", **SHAPE)
        for address in ("127.0.0.1", "::ffff:127.0.0.1"):
            names.say("self.example", [address])
            api.rollcall.gate.listens_on([worker.port])
            assert rule_of(ask(api)).partition(" ")[0] == "own-port"
        assert worker.connections == 0


def test_an_address_of_this_machine_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gate._is_here("127.0.0.1")
    assert not gate._is_here("192.0.2.1")
    monkeypatch.setattr(gate, "_is_here", lambda address: address == "198.51.100.7")
    guard = gate.Gate(Settings(port=8007).targets)
    guard.check("198.51.100.7", "h", 8008)
    guard.check("198.51.100.8", "h", 8007)
    for address in ("198.51.100.7", "::ffff:198.51.100.7"):
        with pytest.raises(SendFailure, match="the rule own-port") as caught:
            guard.check(address, "h", 8007)
        assert (caught.value.kind, caught.value.sent) == ("address_refused", False)


def test_a_probe_says_it_in_last_error(api: Api, names: Names) -> None:
    names.say("cloud.example", METADATA)
    api.register(model_name="a", req_url_template="http://cloud.example/", **SHAPE)
    api.register(model_name="b", req_url_template="http://cloud.example:81/", health={"tcp": True}, **SHAPE)
    own = {"health": {"req_url_template": "http://cloud.example/health"}}
    api.register(model_name="c", req_url_template="http://127.0.0.1:9/", **own, **SHAPE)

    def told() -> bool:
        api.rollcall.checker.tick()
        return all("its address is refused by the rule metadata" in (row["last_error"] or "") for row in api.rows())

    wait_for("three probes to be refused", told)
    api.rollcall.checker.stop()


def test_a_redirect_is_never_followed(api: Api) -> None:
    with FakeUpstream(GOOD) as inside:
        for status in (301, 302, 303, 307, 308):
            for target in (inside.url, "http://169.254.169.254/", "//169.254.169.254/", "/elsewhere"):
                with FakeUpstream(json_answer({}, status, {"Location": target})) as worker:
                    model = f"to-{status}-{len(target)}"
                    api.register(model_name=model, req_url_template=worker.url, **SHAPE)
                    answer = ask(api, model)
                    assert answer.status_code == 502
                    assert f"a redirect (HTTP {status}), which is not followed" in answer.json["error"]["message"]
                    assert len(worker.requests) == 1
        assert inside.connections == 0


def test_nor_does_a_probe_follow_one(api: Api) -> None:
    with FakeUpstream(GOOD) as inside, FakeUpstream(json_answer({}, 302, {"Location": inside.url})) as worker:
        health = {"health": {"req_url_template": worker.url}}
        worker_id = api.register(req_url_template=worker.url, **health, **SHAPE)
        api.rollcall.fleet.refresh()
        probed = api.rollcall.fleet.snapshot().workers[worker_id]
        api.rollcall.prober.probe(probed, api.rollcall.settings.secret)
        assert len(worker.requests) == 1
        assert inside.connections == 0


def test_where_a_token_is_fetched_is_behind_the_same_gate(api: Api, names: Names) -> None:
    names.say("tokens.example", METADATA)
    auth = {"auth": {"req_url_template": "http://tokens.example/t", "token_extract": "t", "expires_extract": "e"}}
    with FakeUpstream(GOOD) as worker:
        header = {"Authorization": "Bearer {ACCESS_TOKEN}"}
        api.register(req_url_template=worker.url, header=header, **auth, **SHAPE)
        answer = ask(api)
        assert answer.status_code == 502
        assert "its address is refused by the rule metadata" in answer.json["error"]["message"]
        assert worker.connections == 0


def test_a_trial_is_behind_the_same_gate(api: Api, names: Names) -> None:
    names.say("cloud.example", METADATA)
    with pytest.raises(UpstreamError, match="the rule metadata"):
        try_once(api.rollcall, registration(req_url_template="http://cloud.example/"), "hi")


@pytest.mark.parametrize("poll_url", ["http://169.254.169.254/j", "http://poll.example/j", "http://2852039166/j"])
def test_a_poll_url_out_of_a_reply_fails_its_job(api: Api, names: Names, poll_url: str) -> None:
    names.say("poll.example", ["::ffff:169.254.169.254"])
    studio = Studio(done(), submit=json_answer({"id": "t-1", "poll": poll_url}))
    with FakeUpstream(studio) as worker:
        job = {**JOB, "req_url_template": "{RESP:poll}", "interval_s": 0.01}
        api.register(**{**VIDEO, "body": SHAPE["body"], "job": job, "req_url_template": worker.url})
        begun = api.post("/v1/videos", {"model": "m", "prompt": "a cat"})
        assert begun.status_code == 200, begun.json

        def failed() -> Any:
            api.rollcall.jobs.tick()
            shown = api.get(f"/v1/videos/{begun.json['id']}").json
            return shown if shown["status"] == "failed" else None

        assert "its address is refused by the rule metadata" in wait_for("the job to fail", failed)["error"]["message"]
        assert studio.submits == len(worker.requests) == 1


@pytest.mark.parametrize("url", ["http://169.254.169.254/x.png", "http://file.example/x.png", "http://0xa9fea9fe/"])
def test_a_file_out_of_a_reply_is_not_fetched_from_there(
    api: Api, names: Names, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.say("file.example", METADATA)
    monkeypatch.setattr(downloads, "pause", None)  # another try would end alike
    with pytest.raises(UpstreamError, match="the rule metadata") as caught:
        api.rollcall.media.bytes_of(url)
    assert caught.value.status == 502
    assert api.rollcall.media.keep_url(url, {}) is None


def test_where_others_reach_the_server_the_own_network_is_closed_until_it_is_named(names: Names) -> None:
    names.say("gpu.lan", ["127.0.0.1"])
    with FakeUpstream(GOOD) as worker:
        for allow, host, kind in (
            ((), "gpu.lan", "address_refused"),
            ((), "127.0.0.1", "address_refused"),
            (("gpu.lan",), "gpu.lan", None),
            (("gpu.lan",), "127.0.0.1", "address_refused"),
            (("127.0.0.0/8",), "gpu.lan", None),
        ):
            settings = replace(Settings(), host="0.0.0.0", outgoing_allow=allow)
            request = UpstreamRequest("GET", f"http://{host}:{worker.port}/", {}, None)
            try:
                Client(settings).send(request, deadline=time.monotonic() + 20)
                told = None
            except SendFailure as failure:
                told = failure.kind
            assert told == kind, (allow, host)


def test_no_other_way_leads_out() -> None:
    """Sockets are connected in one place, and what makes requests of its own is the command line's door to a server."""
    found = set()
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            if called in ("connect_ex", "create_connection", "urlopen", "PoolManager", "ProxyManager", "Session"):
                found.add((path.relative_to(ROOT).as_posix(), called))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Network":
                found.add((path.relative_to(ROOT).as_posix(), "Network"))
    assert found == {
        ("app/cli/server.py", "Session"),
        ("app/upstream/session.py", "Session"),
        ("app/cli/attach/readiness.py", "Network"),
        ("app/services/rollcall.py", "Network"),
        ("app/upstream/client.py", "Network"),
        ("app/upstream/pools.py", "Network"),
    }
