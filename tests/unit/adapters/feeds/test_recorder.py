"""A live day is kept bar for bar, and a record that was changed says so (F6)."""

from __future__ import annotations

import math
import os
import random  # noqa: TID251 - seeded here
import struct
from pathlib import Path

import pytest

from adapters.feeds.events import FILLED, LIVE, BarClosed
from adapters.feeds.recorder import Recorder
from adapters.feeds.recording import (
    read_frames,
    read_segments,
    recorded_batches,
    replayed,
    segments,
)
from state.bars import Bar
from state.errors import FeedError
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

DAY = 20_000 * DAY_NS


def closed(number: int, price: float = 1.5, volume: float = math.nan) -> BarClosed:
    """Make the bar of a minute of the first day, handed over a second after its end."""
    at = DAY + number * MINUTE_NS
    bar = Bar(at, at + MINUTE_NS, price, price, price, price, volume)
    way = FILLED if number % 5 == 0 else LIVE
    return BarClosed("EURUSD", MINUTE_NS, bar, way, bar.close_ns + SECOND_NS)


def record(folder: Path, *bars: BarClosed) -> Recorder:
    """Record bars and close; the recorder says what it repaired."""
    with Recorder(folder, is_durable=False) as recorder:
        for one in bars:
            recorder.add(one)
    return recorder


def bits(*numbers: float) -> bytes:
    """Return the very bits of floats."""
    return struct.pack(f"{len(numbers)}d", *numbers)


def test_every_float_reads_back_bit_for_bit(tmp_path: Path) -> None:
    """F6: a replay decides on the same numbers, NaN volumes and the smallest floats included."""
    rng = random.Random(3)
    prices = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, 1 / 3, *(rng.random() for _ in range(500))]
    sent = [closed(n, p, math.nan if n % 2 else p) for n, p in enumerate(prices)]
    record(tmp_path, *sent)

    found = list(replayed(read_segments(tmp_path)))

    assert [(one.symbol, one.interval_ns, one.provenance, one.at_ns) for one in found] == [
        (one.symbol, one.interval_ns, one.provenance, one.at_ns) for one in sent
    ]
    for theirs, ours in zip(sent, found, strict=True):
        assert (ours.bar.open_ns, ours.bar.close_ns) == (theirs.bar.open_ns, theirs.bar.close_ns)
        assert bits(ours.bar.close, ours.bar.volume) == bits(theirs.bar.close, theirs.bar.volume)


def test_a_day_has_a_file_and_a_restart_goes_on_in_it(tmp_path: Path) -> None:
    """Rotated at 00:00 UTC; the chain runs over files and over restarts."""
    for hours in range(0, 72, 7):
        assert record(tmp_path, closed(hours * 60), closed(hours * 60 + 1)).repaired == ""

    names = [path.name for path in segments(tmp_path)]
    assert names == ["bars-2024-10-04.jsonl", "bars-2024-10-05.jsonl", "bars-2024-10-06.jsonl"]
    found = [one.bar.open_ns for one in read_segments(tmp_path)]
    assert found == [DAY + h * HOUR_NS + m * MINUTE_NS for h in range(0, 72, 7) for m in (0, 1)]


def test_a_clock_that_was_set_back_does_not_open_yesterday_again(tmp_path: Path) -> None:
    """The order of the records is the order of the decisions."""
    record(tmp_path, closed(1440), closed(5), closed(1441))

    assert len(segments(tmp_path)) == 1
    assert [one.bar.open_ns for one in read_segments(tmp_path)] == [
        closed(n).bar.open_ns for n in (1440, 5, 1441)
    ]


def test_a_torn_tail_is_cut_off_and_said_wherever_it_was_torn(tmp_path: Path) -> None:
    """DUR-2: killed in the middle of a write, what was whole before it is kept and goes on."""
    record(tmp_path, *(closed(n) for n in range(3)))
    (path,) = segments(tmp_path)
    content = path.read_bytes()
    start = content.rstrip(b"\n").rfind(b"\n") + 1
    for size in range(start + 1, len(content)):
        path.write_bytes(content[:size])
        assert len(list(read_segments(tmp_path))) == 2
        said = record(tmp_path, closed(2)).repaired
        assert said == f"{path.name}: {size - start} bytes of a torn record cut off"
        assert path.read_bytes() == content


def test_a_torn_head_is_begun_again_and_the_chain_goes_on(tmp_path: Path) -> None:
    """Killed at midnight, in the first bytes of the new day's file."""
    record(tmp_path, closed(0), closed(1440))
    first, second = segments(tmp_path)
    content = second.read_bytes()
    for size in (0, 10, content.index(b"\n")):
        second.write_bytes(content[:size])
        assert len(list(read_segments(tmp_path))) == 1
        assert bool(record(tmp_path, closed(1440)).repaired) is (size > 0)
        assert second.read_bytes() == content
    first.unlink()
    second.write_bytes(b"")
    record(tmp_path, closed(1440))
    assert len(list(read_segments(tmp_path))) == 1


def _damage(kind: str, lines: list[bytes]) -> None:
    """Change a record in the middle in one of many ways."""
    if kind == "a price":
        lines[3] = lines[3].replace(b"1.5", b"1.6", 1)
    elif kind == "a lost record":
        del lines[3]
    elif kind == "two in the wrong order":
        lines[3], lines[4] = lines[4], lines[3]
    elif kind == "a doubled record":
        lines.insert(3, lines[3])
    elif kind == "no JSON":
        lines[3] = b"{" + lines[3]
    elif kind == "no chain":
        lines[3] = lines[3].partition(b"\t")[0] + b"\n"
    elif kind == "a second head":
        lines[3] = lines[0]


@pytest.mark.parametrize(
    "kind",
    ["a price", "a lost record", "two in the wrong order", "a doubled record", "no JSON",
     "no chain", "a second head"],
)  # fmt: skip
def test_the_first_damaged_record_is_named(kind: str, tmp_path: Path) -> None:
    """F6: by file and line, for a reader and for a recorder that would go on after it."""
    record(tmp_path, *(closed(n) for n in range(8)))
    (path,) = segments(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    _damage(kind, lines)
    path.write_bytes(b"".join(lines))
    expected = rf"{path.name}:{5 if kind == 'a doubled record' else 4}: "

    with pytest.raises(FeedError, match=expected):
        list(read_segments(tmp_path))
    with pytest.raises(FeedError, match=expected):
        Recorder(tmp_path)


def test_a_file_that_is_missing_between_two_is_damage(tmp_path: Path) -> None:
    """The oldest ones may be deleted; none from the middle, and none may be torn there."""
    record(tmp_path, *(closed(day * 1440) for day in range(4)))
    paths = segments(tmp_path)
    paths[0].unlink()
    assert len(list(read_segments(tmp_path))) == 3
    content = paths[2].read_bytes()
    paths[2].write_bytes(content[:-5])
    with pytest.raises(FeedError, match=f"{paths[2].name}:2: expected a whole record"):
        list(read_segments(tmp_path))
    paths[2].unlink()
    with pytest.raises(FeedError, match=f"{paths[3].name}:1: .* a file between them is missing"):
        list(read_segments(tmp_path))


def test_recorded_bars_are_a_bar_source(tmp_path: Path) -> None:
    """F6: one series at a time, in batches, as the merge of a replay takes them."""
    other = BarClosed("GBPUSD", MINUTE_NS, closed(3).bar, LIVE, closed(3).at_ns)
    record(tmp_path, *(closed(n, n + 0.1) for n in range(10)), other)

    batches = list(recorded_batches(tmp_path, "EURUSD", MINUTE_NS, rows=4))

    assert [len(one) for one in batches] == [4, 4, 2]
    assert [p for one in batches for p in one.close.tolist()] == [n + 0.1 for n in range(10)]
    assert list(recorded_batches(tmp_path, "EURUSD", 5 * MINUTE_NS)) == []


def test_frames_are_kept_as_they_came(tmp_path: Path) -> None:
    """F6: text, and what is none as escapes; beside the bars and apart from them."""
    record(tmp_path, closed(0))
    with Recorder(tmp_path, kind="frames") as recorder:
        recorder.add_frame(DAY, b'{"a":"\xc3\xa9\t\\n"}')
        recorder.add_frame(DAY + 1, b"\xff\x00")
        recorder.add_frame(DAY + 2, "x\ny")

    assert list(read_frames(tmp_path)) == [
        (DAY, '{"a":"é\t\\n"}'), (DAY + 1, "\\xff\x00"), (DAY + 2, "x\ny")
    ]  # fmt: skip
    assert len(list(read_segments(tmp_path))) == 1


def test_a_full_disk_is_said_and_leaves_whole_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DUR-1: nothing is acknowledged that is not written; what was before stays readable."""
    recorder = Recorder(tmp_path, is_durable=False)
    recorder.add(closed(0))
    write = os.write
    for taken in (0, 7, 50):
        with monkeypatch.context() as disk:
            disk.setattr(os, "write", lambda fd, line, taken=taken: write(fd, line[:taken]))
            disk.setattr(os, "ftruncate", _refuse)
            with pytest.raises(FeedError, match=r"cannot record below .*: only \d+ of \d+ bytes"):
                recorder.add(closed(1))
        recorder.add(closed(2 + taken))
    recorder.close()
    recorder.close()

    assert [one.bar for one in read_segments(tmp_path)] == [
        closed(n).bar for n in (0, 2, 9, 52)
    ]  # fmt: skip


def _refuse(handle: int, size: int) -> None:
    raise OSError(5, "Input/output error")


def test_a_folder_that_cannot_be_used_is_an_error_for_people(tmp_path: Path) -> None:
    """Never a traceback for a user's mistake."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(FeedError, match="cannot record below"):
        Recorder(tmp_path / "file" / "below")
