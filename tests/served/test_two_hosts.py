"""Two servers with folders of their own on one PostgreSQL are equals; and hosts that boot while it is away."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from pathlib import Path

from app.services.kept_keys import FILE as KEYS
from app.services.key_book import KeyBook, Wanted
from app.settings import Settings
from tests.fakes import FakeUpstream
from tests.faults.victims import Served, free_port
from tests.served.leases import leader, opened
from tests.served.test_two_processes import outage
from tests.served.toys import Toy, openai_worker, question
from tests.services.job_rig import JOB, VIDEO, Studio, done, running
from tests.serving import Server, environment_for, serving, wait_for

CHAT = "/v1/chat/completions"
TAKEN_OVER_S = 5.0
"""By the contract; a machine that is busy with other tests gets as long again."""


def serves(server: Server, model: str) -> None:
    server.ask_each("POST", CHAT, question(model), until=lambda answer: answer.status == 200)


def test_what_one_host_learns_the_other_knows_and_goes_on_with(postgres_url: str, tmp_path: Path, toy: Toy) -> None:
    studio = Studio(running(40.0))
    with (
        FakeUpstream(studio) as upstream,
        opened(postgres_url) as database,
        serving(postgres_url, tmp_path / "one", processes=1) as one,
    ):
        wait_for("a leader", lambda: leader(database) in one.pids)
        with serving(postgres_url, tmp_path / "two", processes=1) as two:
            worker_id = one.register(**openai_worker("shared", toy.url))
            serves(two, "shared")
            assert two.ask("PATCH", f"/api/server/workers/{worker_id}", {"admin": "offline"}).status == 200
            one.ask_each("POST", CHAT, question("shared"), until=lambda answer: answer.status == 503)
            two.ask("PATCH", f"/api/server/workers/{worker_id}", {"admin": "enabled"})

            block = {**JOB, "interval_s": 0.2, "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}"}
            one.register(model_name="v", req_url_template=upstream.url, **VIDEO, job=block)
            job_id = one.ask("POST", "/v1/videos", {"model": "v", "prompt": "a cat"}).body["id"]
            wait_for("progress", lambda: two.ask("GET", f"/v1/videos/{job_id}").body["progress"] == 40)
            one.kill()
            killed_at = time.monotonic()
            wait_for("another leader", lambda: leader(database) in two.pids)
            assert time.monotonic() - killed_at < 2 * TAKEN_OVER_S
            studio.polls = [done(f"{upstream.origin}/out/v.mp4")]
            wait_for("the job", lambda: two.ask("GET", f"/v1/videos/{job_id}").body["status"] == "completed")
            assert studio.submits == 1
            serves(two, "shared")


def test_hosts_that_boot_without_the_database(postgres_url: str, tmp_path: Path, toy: Toy) -> None:
    """One that knew the fleet serves it, a new one waits, and both are well as soon as the database is."""
    known, fresh = tmp_path / "known", tmp_path / "fresh"
    with serving(postgres_url, known, processes=1) as server:
        server.register(**openai_worker("kept", toy.url))
        serves(server, "kept")
        wait_for("the last-known fleet", (known / "fleet.last-known").exists)
        assert server.stop() == 0
    fresh.mkdir()
    port = free_port()
    with ExitStack() as stack:
        with outage(postgres_url):
            new = Served(environment_for(postgres_url, fresh, 1, {"ROLLCALL_PORT": str(port)}), fresh)
            stack.callback(new.kill)
            with serving(postgres_url, known, processes=1) as again:
                serves(again, "kept")
                assert again.ask("GET", "/api/server/workers").status == 503
                assert again.ask("GET", "/v1/models").body["data"][0]["id"] == "kept"
                assert "1 workers, as of" in again.log
            waiting = new.server()
            waiting.ask_each("GET", "/readyz", until=lambda answer: answer.status == 503)
            assert waiting.ask("GET", "/readyz").body["error"]["code"] == "not_ready"
            assert waiting.ask("GET", "/healthz").status == 200
            refusal = waiting.ask("POST", CHAT, question("kept"))
            assert (refusal.status, refusal.headers["Retry-After"]) == (503, "1")
        waiting.ask_each("GET", "/readyz", until=lambda answer: answer.status == 200)
        serves(waiting, "kept")


def test_hosts_with_api_keys_that_boot_without_the_database(postgres_url: str, tmp_path: Path, toy: Toy) -> None:
    """Who was let in is let in, who was not is not; and where keys are not known nobody is, whatever else is."""
    known, half, asked = tmp_path / "known", tmp_path / "half", question("kept")
    with opened(postgres_url) as database, serving(postgres_url, known, processes=1) as server:
        server.register(**openai_worker("kept", toy.url))
        serves(server, "kept")
        book = KeyBook(database, Settings())
        good, _ = book.create(Wanted(frozenset({"infer"})))
        lost, gone = book.create(Wanted(frozenset({"infer"})))
        book.revoke([gone.prefix])
        wait_for("a closed door", lambda: server.ask("POST", CHAT, asked, key=lost).status == 401)
        wait_for("the last-known fleet", (known / "fleet.last-known").exists)
        assert server.stop() == 0
    shutil.copytree(known, half, ignore=shutil.ignore_patterns(KEYS))
    port = free_port()
    with ExitStack() as stack:
        with outage(postgres_url):
            new = Served(environment_for(postgres_url, half, 1, {"ROLLCALL_PORT": str(port)}), half)
            stack.callback(new.kill)
            with serving(postgres_url, known, processes=1) as again:
                assert [again.ask("POST", CHAT, asked, key=key).status for key in (good, lost, "")] == [200, 401, 401]
                assert again.ask("GET", "/api/server/workers", key=good).status == 403
            waiting = new.server()
            waiting.ask_each("GET", "/readyz", until=lambda answer: answer.status == 503)
            assert "The last-known fleet serves" in waiting.log
            assert waiting.ask("GET", "/readyz").body["error"]["code"] == "not_ready"
            assert waiting.ask("GET", "/healthz").status == 200
            for key in (good, lost, ""):
                refusal = waiting.ask("POST", CHAT, asked, key=key)
                assert (refusal.status, refusal.headers["Retry-After"]) == (503, "1")
        waiting.ask_each("GET", "/readyz", until=lambda answer: answer.status == 200)
        assert [waiting.ask("POST", CHAT, asked, key=key).status for key in (good, lost, "")] == [200, 401, 401]
