"""The media folder: copies that appear whole or not at all, and leave in time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.errors import NotFound, StorageUnavailable, UpstreamError
from app.services.media import Media, MediaFile
from app.settings import Settings
from app.storage.database import Database
from app.upstream.client import Client
from tests.fakes import FakeUpstream, bytes_answer, cut_reply, drop, endless, hang, html_answer, refusing_port

CAP = 100_000
DAY_S = 86_400.0
Build = Callable[..., Media]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.fixture
def build(database: Database, folder: Path) -> Build:
    def made(**words: object) -> Media:
        settings = Settings(**{"media_dir": folder, "media_max_bytes": CAP, "timeout_s": 10.0, **words})  # type: ignore[arg-type]
        return Media(database, Client(settings), settings, pauses_s=(0.0, 0.0))

    return made


@pytest.fixture
def media(build: Build) -> Media:
    return build()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def fetched(media: Media, worker: FakeUpstream, **words: str) -> MediaFile | None:
    return media.keep_url(worker.origin + "/out/v.mp4?sig=secret", {"X-Key": "k"}, "job_1", **words)


def test_bytes_are_kept_under_an_id_nobody_guesses(media: Media, folder: Path) -> None:
    kept = media.keep_bytes(b"\x89PNG", "image/png")
    assert len(kept.id) == 32
    assert kept.url_path == f"/v1/media/{kept.id}"
    assert media.find(kept.id) == kept
    assert (kept.content_type, kept.size) == ("image/png", 4)
    assert media.read(kept.id) == kept.path.read_bytes() == b"\x89PNG"
    assert files(folder) == [kept.path]


@pytest.mark.parametrize("stranger", ["", "0" * 32, "../../etc/passwd", "x" * 500, "A" * 32, "\0"])
def test_an_id_that_is_none(media: Media, stranger: str) -> None:
    assert media.find(stranger) is None
    with pytest.raises(NotFound):
        media.read(stranger)


def test_a_file_that_was_removed_by_hand_is_not_found(media: Media) -> None:
    kept = media.keep_bytes(b"x", "image/png")
    kept.path.unlink()
    with pytest.raises(NotFound):
        media.read(kept.id)


def test_a_link_is_copied_with_its_type_and_the_headers_it_needs(media: Media) -> None:
    with FakeUpstream(bytes_answer(b"v" * 1000, content_type='video/mp4; codecs="avc1"')) as worker:
        kept = fetched(media, worker)
        assert worker.requests[0].headers["x-key"] == "k"
    assert kept is not None
    assert (kept.content_type, kept.size) == ('video/mp4; codecs="avc1"', 1000)
    assert media.read(kept.id) == b"v" * 1000


@pytest.mark.parametrize(
    ("said", "default", "want"),
    [
        ("", "", "video/mp4"),
        ("nonsense", "", "video/mp4"),
        ("application/octet-stream", "image/png", "application/octet-stream"),
    ],
)
def test_a_missing_type_is_guessed_from_the_name(media: Media, said: str, default: str, want: str) -> None:
    with FakeUpstream(bytes_answer(b"v", content_type=said)) as worker:
        kept = fetched(media, worker, default_type=default)
    assert kept is not None
    assert kept.content_type == want


def test_a_name_that_says_nothing_gets_the_default(media: Media) -> None:
    with FakeUpstream(bytes_answer(b"v", content_type="")) as worker:
        kept = media.keep_url(worker.origin + "/view?filename=a b.png", {}, None, "image/png")
        assert worker.requests[0].target == "/view?filename=a%20b.png"
    assert kept is not None
    assert kept.content_type == "image/png"


def test_a_link_that_needs_a_moment_is_tried_again(media: Media) -> None:
    with FakeUpstream(bytes_answer(b"", 404), cut_reply(), bytes_answer(b"v", content_type="video/mp4")) as worker:
        kept = fetched(media, worker)
        assert len(worker.requests) == 3
    assert kept is not None
    assert media.read(kept.id) == b"v"


@pytest.mark.parametrize(
    "behaviour",
    [bytes_answer(b"gone", 410), html_answer(), cut_reply(), drop(), bytes_answer(b"", 302, {"Location": "http://w/"})],
    ids=["410", "html", "cut", "drop", "redirect"],
)
def test_what_cannot_be_fetched_is_none_and_leaves_nothing(media: Media, folder: Path, behaviour: object) -> None:
    with FakeUpstream(behaviour) as worker:  # type: ignore[arg-type]
        assert fetched(media, worker) is None
    assert files(folder) == []


def test_a_silent_link_ends_with_the_deadline(build: Build, folder: Path) -> None:
    with FakeUpstream(hang()) as worker:
        assert fetched(build(timeout_s=0.2), worker) is None
    assert files(folder) == []


@pytest.mark.parametrize("behaviour", [endless("video/mp4"), bytes_answer(b"x" * (CAP + 1))], ids=["endless", "named"])
def test_what_is_larger_than_the_cap_is_not_kept_and_not_asked_for_again(
    media: Media, folder: Path, behaviour: object
) -> None:
    with FakeUpstream(behaviour) as worker:  # type: ignore[arg-type]
        assert fetched(media, worker) is None
        assert len(worker.requests) == 1
    assert files(folder) == []
    with pytest.raises(UpstreamError, match="ROLLCALL_MEDIA_MAX_BYTES"):
        media.keep_bytes(b"x" * (CAP + 1), "image/png")


def test_nobody_listens(media: Media) -> None:
    with refusing_port() as port:
        assert media.keep_url(f"http://127.0.0.1:{port}/x.png", {}) is None


@pytest.mark.parametrize(
    "url",
    ["", "file:///etc/passwd", "/tmp/x.png", "ftp://w/x", "http://", "http://[", "http://u:p@w/x", "data:;base64,*"],
)
def test_what_is_no_link(media: Media, folder: Path, url: str) -> None:
    assert media.keep_url(url, {}) is None
    assert files(folder) == []


def test_a_data_url_is_decoded(media: Media) -> None:
    kept = media.keep_url("data:image/webp;base64,aGk=", {})
    assert kept is not None
    assert (media.read(kept.id), kept.content_type) == (b"hi", "image/webp")


def test_base64(media: Media) -> None:
    assert media.read(media.keep_base64("aGk=", "image/png").id) == b"hi"
    with pytest.raises(UpstreamError, match="base64"):
        media.keep_base64("not base64!", "image/png")


def test_a_long_signed_link(media: Media) -> None:
    with FakeUpstream(bytes_answer(b"v", content_type="video/mp4")) as worker:
        kept = media.keep_url(worker.origin + "/v.mp4?X-Amz-Security-Token=" + "a" * 3000 + "#t=1", {})
        assert worker.requests[0].target.endswith("a" * 100)
    assert kept is not None


def test_a_copy_under_way_is_not_in_its_place(media: Media, folder: Path) -> None:
    gate = threading.Event()
    with FakeUpstream(bytes_answer(b"v" * 10, content_type="video/mp4", gate=gate)) as worker:
        got: list[MediaFile | None] = []
        thread = threading.Thread(target=lambda: got.append(fetched(media, worker)))
        thread.start()
        worker.wait_requests(1)
        assert all(".incoming" in path.parts for path in files(folder))
        gate.set()
        thread.join(20)
    assert got[0] is not None
    assert files(folder) == [got[0].path]


def test_what_belongs_to_a_job_goes_with_it(media: Media, folder: Path) -> None:
    mine = media.keep_bytes(b"1", "image/png", "job_1")
    other = media.keep_bytes(b"2", "image/png", "job_2")
    media.forget_jobs(["job_1", "job_3"])
    assert media.find(mine.id) is None
    assert files(folder) == [other.path]


def test_the_old_is_cleaned_away_and_nothing_else(build: Build, folder: Path) -> None:
    kept = build().keep_bytes(b"1", "image/png")
    for name in (".incoming/" + "a" * 32, "ab/" + "b" * 32, "ab/notes.txt", "holiday.jpg"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (time.time() - 30 * DAY_S,) * 2)
    build().clean()
    assert build().read(kept.id) == b"1"
    assert {path.name for path in files(folder)} == {kept.id, "notes.txt", "holiday.jpg"}
    build(media_keep_s=-1.0).clean()
    assert build().find(kept.id) is None
    assert {path.name for path in files(folder)} == {"notes.txt", "holiday.jpg"}


def test_a_folder_that_cannot_be_written_is_one_sentence(database: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(media_dir=tmp_path / "file" / "media")
    with pytest.raises(StorageUnavailable, match="ROLLCALL_MEDIA_DIR"):
        Media(database, Client(settings), settings).keep_bytes(b"x", "image/png")
