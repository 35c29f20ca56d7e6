"""SSE frames: any chunking of the same bytes gives the same frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.fault import WorkerFault
from app.core.framing import MAX_FRAME_BYTES, Frame, sse_frames


def frames(*chunks: bytes) -> list[tuple[str, str]]:
    return [(frame.event, frame.data) for frame in sse_frames(chunks)]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"data: a\n\n", [("", "a")]),
        (b"data:a\n\n", [("", "a")]),
        (b"data:  a \n\n", [("", " a ")]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", "a"), ("", "b")]),
        (b"data: a\r\rdata: b\r\r", [("", "a"), ("", "b")]),
        (b"data: a\ndata: b\n\n", [("", "a\nb")]),
        (b"event: e\ndata: a\n\ndata: b\n\n", [("e", "a"), ("", "b")]),
        (b": comment\nid: 7\nretry: 3\ndata: a\n\n", [("", "a")]),
        (b": only a comment\n\nid: 7\n\n\n\n", []),
        (b"event: done\n\n", [("done", "")]),
        (b"data:\n\n", [("", "")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("", "a")]),
        (b"data: \xff\n\n", [("", "\N{REPLACEMENT CHARACTER}")]),
        ("data: a\u2028b\x0bc\x85\n\n".encode(), [("", "a\u2028b\x0bc\x85")]),
        (b"data: no blank line\n", []),
        (b"data: cut", []),
        (b"data: a\n\ndata: cut", [("", "a")]),
        (b"", []),
    ],
)
def test_the_forms_of_a_frame(raw: bytes, wanted: list[tuple[str, str]]) -> None:
    assert frames(raw) == wanted


def test_a_frame_is_given_when_its_blank_line_comes_not_with_the_next_chunk() -> None:
    given_out: list[Frame] = []
    sent: list[int] = []

    def chunks() -> list[bytes]:
        return [b"data: a\r", b"\n\r", b"\ndata: b\n\n"]

    def watched() -> object:
        for chunk in chunks():
            sent.append(len(given_out))
            yield chunk

    for frame in sse_frames(watched()):  # type: ignore[arg-type]
        given_out.append(frame)
    assert sent == [0, 0, 1]
    assert [frame.data for frame in given_out] == ["a", "b"]


LINES = st.sampled_from(["data: hé🙂", "data:x", "data: ", "event: e", ": c", "id: 1", "", "", "data: a\u2028b"])


@given(st.lists(LINES, max_size=12), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_cuts_anywhere_give_the_same_frames(lines: list[str], end: str, data: st.DataObject) -> None:
    raw = "".join(line + end for line in lines).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)), max_size=10)))
    edges = [0, *cuts, len(raw)]
    pieces = [raw[a:b] for a, b in zip(edges, edges[1:], strict=False)]
    assert frames(*pieces) == frames(raw)


def test_every_single_cut_and_byte_by_byte() -> None:
    raw = 'event: e\r\ndata: {"t": "é🙂"}\r\n\r\ndata: b\r\n\r\n'.encode()
    whole = frames(raw)
    assert len(whole) == 2
    assert all(frames(raw[:i], raw[i:]) == whole for i in range(len(raw)))
    assert frames(*(raw[i : i + 1] for i in range(len(raw)))) == whole


@pytest.mark.parametrize(
    "endless",
    [
        lambda: iter([b"data: "] + [b"x" * 65536] * (MAX_FRAME_BYTES // 65536 + 1)),
        lambda: iter([b"data: " + b"x" * 65536 + b"\n"] * (MAX_FRAME_BYTES // 65536 + 1)),
        lambda: iter([b"data:\n" * 10000] * (MAX_FRAME_BYTES // 50000 + 1)),
    ],
)
def test_a_frame_without_end_is_given_up_in_bounded_memory(endless: object) -> None:
    with pytest.raises(WorkerFault) as caught:
        list(sse_frames(endless()))  # type: ignore[operator]
    assert caught.value.kind == "too_large"


def test_a_large_frame_in_many_pieces_is_whole() -> None:
    pieces = [b"data: ", *([b"x" * 1000] * 2000), b"\n", b"\n"]
    assert len(frames(*pieces)[0][1]) == 2_000_000
