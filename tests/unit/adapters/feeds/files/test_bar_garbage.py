"""What is no bar never becomes one: rows are refused with line and reason, files with a remedy."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from adapters.feeds.files import blocks
from adapters.feeds.files.blocks import content_digest
from adapters.feeds.files.source import BarSource, open_bars
from adapters.feeds.files.spec import BarFileSpec
from state.errors import FeedError

HEAD = "ts,open,high,low,close,volume\n"
GOOD = "2021-03-10T00:{:02d}:00Z,1.05,1.07,1.04,1.06,10\n"


def opened(path: Path, **settings: object) -> BarSource:
    """Open with price mid unless said otherwise."""
    values = {"symbol": "X", "price": "mid", **settings}
    return open_bars(BarFileSpec(path=path, **values))  # type: ignore[arg-type]


ROWS = {
    "text": ("2021-03-10T00:03:00Z,1,abc,1,1,1", "UNREADABLE_NUMBER", "high is 'abc'"),
    "empty price": ("2021-03-10T00:03:00Z,1,1,,1,1", "UNREADABLE_NUMBER", "low is ''"),
    "python number": ("2021-03-10T00:03:00Z,1_0,1,1,1,1", "UNREADABLE_NUMBER", "open is '1_0'"),
    "nan": ("2021-03-10T00:03:00Z,1,NaN,1,1,1", "NOT_FINITE", "high nan is not finite"),
    "too large": ("2021-03-10T00:03:00Z,1,1e999,1,1,1", "NOT_FINITE", "high inf is not finite"),
    "negative": ("2021-03-10T00:03:00Z,1,1,-1,1,1", "NOT_POSITIVE", "low -1 is not positive"),
    "zero": ("2021-03-10T00:03:00Z,0,1,1,1,1", "NOT_POSITIVE", "open 0 is not positive"),
    "high below close": (
        "2021-03-10T00:03:00Z,1.03,1.04,1.02,1.05,1",
        "HIGH_TOO_LOW",
        "high 1.04 is below close 1.05",
    ),
    "low above open": (
        "2021-03-10T00:03:00Z,1.03,1.06,1.04,1.05,1",
        "LOW_TOO_HIGH",
        "low 1.04 is above open 1.03",
    ),
    "duplicate": ("2021-03-10T00:02:00Z,1,1,1,1,1", "DUPLICATE", "2021-03-10T00:02:00Z"),
    "time": ("yesterday,1,1,1,1,1", "UNREADABLE_TIME", "'yesterday'"),
    "no such day": ("2021-02-30T00:03:00Z,1,1,1,1,1", "UNREADABLE_TIME", "'2021-02-30T00:03:00Z'"),
    "wall time": ("2021-03-10T00:03:00,1,1,1,1,1", "UNREADABLE_TIME", "'2021-03-10T00:03:00'"),
    "few fields": ("2021-03-10T00:03:00Z,1,1,1,1", "WRONG_FIELDS", "5 fields, expected 6"),
    "many fields": ("2021-03-10T00:03:00Z,1,1,1,1,1,1", "WRONG_FIELDS", "7 fields, expected 6"),
    "binary": ("\x01\x02\xff\u2603", "WRONG_FIELDS", "1 fields, expected 6"),
    "control characters": ("\x1b[31m,1,1,1,1,1", "UNREADABLE_TIME", "'\\x1b[31m'"),
}


@pytest.mark.parametrize("name", list(ROWS))
@pytest.mark.parametrize("many", [0, 3000])
def test_bad_row_is_counted_with_line_and_reason(name: str, many: int, tmp_path: Path) -> None:
    """One bad row is refused with its line, also inside a block read by columns (F5)."""
    row, reason, words = ROWS[name]
    path = tmp_path / "bars.csv"
    after = "".join(
        f"2021-03-{11 + i // 1440}T{i // 60 % 24:02d}:{i % 60:02d}:00Z,1,1,1,1,1\n"
        for i in range(many)
    )
    body = HEAD + GOOD.format(1) + GOOD.format(2) + row + "\n" + GOOD.format(4) + after
    path.write_text(body, encoding="utf-8", newline="")
    source = opened(path)
    assert sum(len(batch) for batch in source.batches()) == 3 + many
    assert len(source.refused) == 1
    refused = source.refused[0]
    assert (refused.reason, refused.count) == (reason, 1)
    assert refused.first.startswith("line 4: ")
    assert words in refused.first
    assert "\x1b" not in refused.first


def test_lines_are_counted_through_blank_lines_and_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line numbers are the file's own, whatever the blocks are and where blank lines lie."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    path = tmp_path / "bars.csv"
    rows = "".join(GOOD.format(i) + "\r\n" * (i == 5) for i in range(20))
    path.write_text(HEAD + rows + "bad\n" + GOOD.format(30), newline="")
    source = opened(path)
    assert sum(len(batch) for batch in source.batches()) == 21
    assert source.refused[0].first.startswith("line 23: 1 fields")


def test_newest_first_is_read_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newest-first file comes out oldest first over any block size, with its own line numbers."""
    path = tmp_path / "bars.csv"
    lines = [f"2021-03-10 00:{i:02d}:00,1,1,1,1,{i}" for i in reversed(range(40))]
    lines[17] = "2021-03-10 00:22:00,1,1,oops,1,22"
    for end in ("", "\n"):
        path.write_text("datetime,open,high,low,close,volume\n" + "\n".join(lines) + end)
        for size in (60, 100, 1000, 1 << 20):
            monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
            source = opened(path, zone="UTC", stamp="open")
            volume = np.concatenate([batch.volume for batch in source.batches()])
            assert volume.tolist() == [i for i in range(40) if i != 22]
            assert source.refused[0].first == "line 19: low is 'oops', not a number"


def test_refused_rows_keep_one_example_each(tmp_path: Path) -> None:
    """However many rows are bad, one example per reason is kept: memory stays flat."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + GOOD.format(0) + GOOD.format(1) + "x,1,1,1,1,1\n" * 5000)
    source = opened(path)
    assert sum(len(batch) for batch in source.batches()) == 2
    assert [(r.reason, r.count, r.first[:7]) for r in source.refused] == [
        ("UNREADABLE_TIME", 5000, "line 4:")
    ]


def test_going_back_in_time_refuses_the_file(tmp_path: Path) -> None:
    """A row older than the one before refuses the file, with the line and both instants (F5)."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + "".join(GOOD.format(i) for i in (1, 2, 3, 2, 4)))
    with pytest.raises(FeedError) as refused:
        list(opened(path).batches())
    assert "line 5 goes back in time" in str(refused.value)
    assert "2021-03-10T00:02:00Z after one opening 2021-03-10T00:03:00Z" in str(refused.value)


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n \n", "has only blank lines"),
    "header only": (HEAD.encode(), "has a header and no rows"),
    "binary": (bytes(range(256)) * 40, "is binary"),
    "nul": (
        b"ts,open,high,low,close\n2017-01-02T07:00:00Z,1,1,1,1\n\0\0",
        "line 3 holds NUL bytes",
    ),
    "unknown": (b"hello,world\n1,2\n", "is no dialect foliod knows"),
    "missing column": (
        b"ts,open,high,low,clos,volume\n2021-03-10T00:00:00Z,1,1,1,1,1\n",
        "column 'close' is missing; did you mean 'clos'",
    ),
    "column twice": (
        b"ts,open,open,high,low,close\n2021-03-10T00:00:00Z,1,1,1,1,1\n",
        "column 'open' is there 2 times",
    ),
    "long second line": (HEAD.encode() + b"x" * 10_000_000, "line 2 is longer than"),
    "long late line": (
        HEAD.encode()
        + GOOD.format(0).encode()
        + GOOD.format(1).encode() * 3000
        + b"x" * 10_000_000,
        "line 3003 is longer than 1 MiB",
    ),
    "one long line": (b"x" * 10_000_000, "line 1 is longer than"),
    "utf-16": ((HEAD + GOOD.format(1)).encode("utf-16"), "UTF-16"),
    "zip": (b"PK\x03\x04" + b"\0" * 100, "ZIP"),
    "cut parquet": (b"PAR1" + b"\x15" * 500, "damaged or cut Parquet"),
    "cut gzip": (gzip.compress((HEAD + GOOD.format(1) * 9000).encode())[:60], "gzip"),
    "not gzip": (b"\x1f\x8bnot really", "gzip"),
    "one row": ((HEAD + GOOD.format(1)).encode(), "set interval"),
    "no stamp": (HEAD.encode() + b"yesterday,1,1,1,1,1\n", "no row begins with a time"),
    "latin-1": ("Zeit;Er\xf6ffnung\n1;2\n".encode("latin-1"), "is no dialect foliod knows"),
    "ticks": (b"2021-03-10 00:00:00.123,1.05,1.06\n", "is no dialect foliod knows"),
    "json": (b'{"ts": 1, "open": 2}\n', "is no dialect foliod knows"),
    "html": (b"<!DOCTYPE html><html>404</html>\n", "'<!DOCTYPE html><html>404</html>'"),
}


@pytest.mark.parametrize("name", list(FILES))
def test_garbage_file_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    """No garbage file gives a bar or a traceback: one FeedError naming the file and the reason."""
    content, words = FILES[name]
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    with pytest.raises(FeedError) as refused:
        list(opened(path).batches())
    assert words in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_unknown_dialect_says_what_was_looked_for(tmp_path: Path) -> None:
    """The refusal shows the first line and every dialect that was tried."""
    path = tmp_path / "bars.csv"
    path.write_text("when,price\n1,2\n")
    with pytest.raises(FeedError) as refused:
        opened(path)
    text = str(refused.value)
    assert "'when,price'" in text
    for dialect in ("foliod", "histdata", "mt5", "binance", "yahoo", "parquet"):
        assert dialect in text


def test_all_rows_bad_is_a_refused_file(tmp_path: Path) -> None:
    """A file without one bar is refused when read, with the first reason."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + GOOD.format(1).replace("1.07", "1.00") * 2)
    with pytest.raises(FeedError, match="none of its rows is a bar"):
        list(opened(path, interval_ns=60_000_000_000).batches())


def test_places_that_are_no_files(tmp_path: Path) -> None:
    """A folder, a missing file and a pipe are refused in words; a near name is suggested."""
    with pytest.raises(FeedError, match="is a folder"):
        opened(tmp_path)
    (tmp_path / "eurusd.csv").write_text(HEAD)
    with pytest.raises(FeedError, match="did you mean"):
        opened(tmp_path / "eurusd.cvs")
    with pytest.raises(FeedError, match="nor its folder"):
        opened(tmp_path / "nowhere" / "eurusd.csv")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FeedError, match="not a regular file"):
        opened(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    """A file that may not be read says so."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD)
    path.chmod(0)
    with pytest.raises(FeedError, match="may not be read"):
        opened(path)


def test_wrong_dialect_setting(tmp_path: Path) -> None:
    """A dialect that is set must be the file's."""
    path = tmp_path / "bars.csv"
    path.write_text(HEAD + GOOD.format(1) + GOOD.format(2))
    with pytest.raises(FeedError, match="is foliod, but dialect = 'mt5' was set"):
        opened(path, dialect="mt5")


def test_gzip_is_read_through(tmp_path: Path) -> None:
    """A gzip file is read as what it holds; its digest is that of the bytes on disk."""
    path = tmp_path / "bars.gz"
    path.write_bytes(gzip.compress((HEAD + GOOD.format(1) + GOOD.format(2)).encode(), mtime=0))
    assert sum(len(batch) for batch in opened(path).batches()) == 2
    plain = tmp_path / "empty"
    plain.write_bytes(b"")
    # BLAKE2b-256 of nothing, from the algorithm's published test vectors.
    assert content_digest(plain) == (
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
    )
    assert len(content_digest(path)) == 64
