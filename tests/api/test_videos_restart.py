"""Videos outlive the process that began them, on either database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.api.video_rig import Door, door
from tests.fakes import FakeUpstream, bytes_answer
from tests.services.job_rig import JOB, VIDEO, Studio, done, failing, running
from tests.serving import serving, wait_for

FILM = b"0123456789"


def words(upstream: FakeUpstream) -> dict[str, Any]:
    job = {**JOB, "req_url_template": f"{upstream.origin}/tasks/{{JOB_ID}}", "interval_s": 0.02}
    return {**VIDEO, "model_name": "m", "req_url_template": upstream.url, "job": job}


def ids(opened: Door, **query: Any) -> list[str]:
    return [row["id"] for row in opened.api.get("/v1/videos", **query).json["data"]]


def test_one_process_begins_and_another_one_ends_it(database_url: str, tmp_path: Path) -> None:
    studio = Studio(running())
    with FakeUpstream(studio) as upstream, FakeUpstream(bytes_answer(FILM, content_type="video/mp4")) as files:
        with door(database_url, tmp_path) as first:
            first.api.register(**words(upstream))
            begun = first.make("m", seconds="8", size="1280x720", prompt="Käfer 🐞")
        studio.polls = [done(files.url)]
        asked = len(studio.asked)
        with door(database_url, tmp_path) as second:
            ended = second.ended(begun["id"])
            assert {name: ended[name] for name in ("id", "created_at", "model", "prompt", "seconds", "size")} == {
                name: begun[name] for name in ("id", "created_at", "model", "prompt", "seconds", "size")
            }
            assert (ended["status"], ended["progress"]) == ("completed", 100)
            assert second.content(ended["id"], headers={"Range": "bytes=2-3"}).data == b"23"
            assert len(studio.asked) > asked
            assert studio.submits == 1


def test_two_processes_share_what_they_have(database_url: str, tmp_path: Path) -> None:
    studio = Studio(failing("moderated"))
    with FakeUpstream(studio) as upstream, door(database_url, tmp_path) as first, door(database_url, tmp_path) as other:
        first.api.register(**words(upstream))
        made = [first.make("m", prompt=f"{number}")["id"] for number in range(3)]
        for each in made:
            assert other.ended(each)["error"] == {"code": "upstream_error", "message": "moderated"}
        assert ids(other) == ids(first) == made[::-1]
        assert ids(other, limit=1, after=made[1]) == made[:1]
        assert ids(other, order="asc", limit=2) == made[:2]
        assert other.api.delete(f"/v1/videos/{made[1]}").status_code == 200
        assert first.api.get(f"/v1/videos/{made[1]}").status_code == 404
        assert ids(first) == [made[2], made[0]]


@pytest.mark.slow
def test_a_killed_server_goes_on_polling_when_it_is_back(sqlite_url: str, tmp_path: Path) -> None:
    studio = Studio(running(30))
    calm = {"ROLLCALL_HEALTH_CHECKS": "0"}
    with FakeUpstream(studio) as upstream, FakeUpstream(bytes_answer(FILM, content_type="video/mp4")) as files:
        with serving(sqlite_url, tmp_path, processes=1, **calm) as server:
            server.register(**words(upstream))
            begun = server.ask("POST", "/v1/videos", {"model": "m", "prompt": "a cat"})
            path = f"/v1/videos/{begun.body['id']}"
            wait_for("progress", lambda: server.ask("GET", path).body["progress"] == 30)
            server.kill()
        studio.polls = [done(files.url)]
        with serving(sqlite_url, tmp_path, processes=1, **calm) as server:
            wait_for("the video", lambda: server.ask("GET", path).body["status"] == "completed")
            content = server.ask("GET", f"{path}/content")
            assert (content.body, content.headers["Content-Type"]) == (FILM, "video/mp4")
            assert studio.submits == 1
