"""Equity files: what is read, and twenty ways in which one can be broken."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.reports.aggregate import MultiSessionAggregator
from daemon.reports.aggregate_files import read_curve
from state.errors import FeedError
from state.units import HOUR_NS, MINUTE_NS

HEAD = "timestamp,equity\n"
GOOD = HEAD + "2024-01-01T00:00:00Z,100\n2024-01-01T01:00:00Z,101\n2024-01-01T02:00:00Z,99.5\n"
AT = "2024-01-01T0"

BROKEN: dict[str, tuple[bytes | str, str]] = {
    "empty": ("", "is empty"),
    "blank": ("\n \n\n", "has only blank lines"),
    "header only": (HEAD, "has a header and no row"),
    "one row": (HEAD + f"{AT}0:00Z,100\n", "has one row; a curve needs two points at least"),
    "wrong column": ("timestamp,balance\n" + f"{AT}0:00Z,100\n", "has no column 'equity'"),
    "no header": (GOOD.removeprefix(HEAD), "has no column 'timestamp'"),
    "column twice": ("timestamp,equity,equity\n", "has more than one column 'equity'"),
    "semicolons": (GOOD.replace(",", ";"), "has no column 'timestamp'"),
    "text in numbers": (GOOD + f"{AT}3:00:00Z,n/a\n", "line 5: equity 'n/a' is no finite number"),
    "nan": (GOOD + f"{AT}3:00:00Z,NaN\n", "line 5: equity 'NaN' is no finite number"),
    "infinite": (GOOD + f"{AT}3:00:00Z,inf\n", "line 5: equity 'inf' is no finite number"),
    "no number": (GOOD + f"{AT}3:00:00Z,\n", "line 5: equity '' is no finite number"),
    "too large": (GOOD + f"{AT}3:00:00Z,1e300\n", "line 5: equity '1e300' is beyond 1e+15"),
    "no instant": (GOOD + "yesterday,1\n", "line 5: timestamp 'yesterday' is no ISO 8601 instant"),
    "no such day": (GOOD + "2024-02-30T00:00:00Z,1\n", "line 5: timestamp '2024-02-30T00:00:00Z'"),
    "unsorted": (GOOD + f"{AT}1:30:00Z,1\n", "line 5: timestamp '2024-01-01T01:30:00Z' is older"),
    "duplicate stamps": (
        GOOD + f"{AT}2:00:00Z,99.5\n",
        "line 5: timestamp '2024-01-01T02:00:00Z' is there twice",
    ),
    "mixed zones": (
        GOOD + f"{AT}9:00:00+05:30,1\n",
        "line 5: mixes zones: '2024-01-01T09:00:00+05:30' is in UTC+05:30, the rows before in UTC",
    ),
    "half zoned": (
        GOOD + f"{AT}3:00:00,1\n",
        "line 5: mixes zones: '2024-01-01T03:00:00' is in no",
    ),
    "half naive": (
        GOOD.replace("Z", "") + f"{AT}3:00:00Z,1\n",
        "line 5: mixes zones: '2024-01-01T03:00:00Z' is in UTC+00:00, the rows before in no zone",
    ),
    "too many fields": (GOOD + f"{AT}3:00:00Z,1,2\n", "line 5 has 3 fields, the header has 2"),
    "too few fields": (GOOD + f"{AT}3:00:00Z\n", "line 5 has 1 fields, the header has 2"),
    "cut short": (GOOD[:-3] + '"', "line 4"),
    "binary": (b"\x7fELF\x02\x01\x01\x00\x00\x00", "is binary, not text; begins '\\\\x7fELF"),
    "binary later": (GOOD.encode() + b"\x00" * 200_000, "is binary, not text"),
    "not utf-8": (b"\xff\xfet\xfei", "is not UTF-8 text"),
    "huge line": (GOOD + "9" * 3_000_000, "line 5 is longer than 64 KiB; begins '9999"),
    "huge header": ("timestamp," * 90_000, "line 1 is longer than 64 KiB; begins 'timestamp,"),
    "escape": (GOOD + "\x1b[31mred,1\n", "line 5: timestamp '\\\\x1b[31mred' is no ISO 8601"),
}


def _write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _refusal(path: Path) -> str:
    with pytest.raises(FeedError) as found:
        read_curve(path)
    return str(found.value)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_its_line_and_reason(name: str, tmp_path: Path) -> None:
    """One sentence says what is wrong, where, and nothing in it can move a terminal's cursor."""
    content, reason = BROKEN[name]
    found = _refusal(_write(tmp_path / "equity_x.csv", content))
    assert found.startswith(reason)
    assert found.isprintable()
    assert len(found) < 200


def test_all_broken_files_at_once_leave_the_good_ones(tmp_path: Path) -> None:
    """A1: each bad file is skipped and named with its reason, the rest is aggregated."""
    for name, (content, _) in BROKEN.items():
        _write(tmp_path / f"equity_{name}.csv", content)
    (tmp_path / "equity_folder.csv").mkdir()
    (tmp_path / "equity_nowhere.csv").symlink_to(tmp_path / "gone")
    (tmp_path / "equity_round.csv").symlink_to(tmp_path / "equity_round.csv")
    os.mkfifo(tmp_path / "equity_pipe.csv")
    for name in ("a", "z"):
        _write(tmp_path / f"equity_{name}.csv", GOOD)
    warnings: list[str] = []
    aggregator = MultiSessionAggregator(tmp_path, warn=warnings.append)

    assert aggregator.load_sessions() == 2
    assert [one.name for one in aggregator.sessions] == ["a", "z"]
    assert aggregator.compute_metrics()["total_pnl"] == -1.0
    skipped = {one.file: one.reason for one in aggregator.skipped}
    assert len(skipped) == len(warnings) == len(BROKEN) + 4
    assert skipped["equity_folder.csv"] == "is a folder"
    assert skipped["equity_nowhere.csv"] == "cannot be read: No such file or directory"
    assert skipped["equity_round.csv"] == "cannot be read: Too many levels of symbolic links"
    assert skipped["equity_pipe.csv"] == "is no regular file"
    for name, (_, reason) in BROKEN.items():
        assert skipped[f"equity_{name}.csv"].startswith(reason)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_file_without_permission_is_refused(open_folder: Path) -> None:
    """Its reason says what to look at. As root the test becomes nobody for the reading."""
    path = _write(open_folder / "equity_x.csv", GOOD)
    path.chmod(0)
    read_curve(_write(open_folder / "equity_y.csv", GOOD))
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65_534)
    try:
        found = _refusal(path)
    finally:
        if was_root:
            os.seteuid(0)
    assert found == "may not be read by this user; check owner and mode"


def test_ways_to_write_the_same_curve(tmp_path: Path) -> None:
    """CRLF, a byte order mark, quotes, blank lines, more columns, no final newline, an offset."""
    first = read_curve(_write(tmp_path / "a.csv", GOOD))
    assert (first.stamps_ns - first.stamps_ns[0]).tolist() == [0, HOUR_NS, 2 * HOUR_NS]
    assert first.equity.tolist() == [100.0, 101.0, 99.5]
    others = [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace("2024-01-01T01:00:00Z", '"2024-01-01T01:00:00Z"'),
        GOOD.replace("\n", "\n\n"),
        GOOD.replace("Z,", "+00:00,"),
        GOOD.replace("Z", ""),
        GOOD.replace("T", " ").replace("Z", ""),
        GOOD.strip(),
        GOOD.replace("Z,", "Z,x,").replace("timestamp,", "timestamp,note,"),
        GOOD.replace("T01:00:00Z", "T01:00:00+00:00"),
        "equity,timestamp\n100,2024-01-01T05:30:00+05:30\n101,2024-01-01T06:30+0530\n"
        "99.5,2024-01-01T07:30:00.000+05:30\n",
    ]
    for content in others:
        found = read_curve(_write(tmp_path / "b.csv", content))
        assert found.stamps_ns.tolist() == first.stamps_ns.tolist(), content
        assert found.equity.tolist() == first.equity.tolist(), content


def test_stamps_are_read_to_the_nanosecond(tmp_path: Path) -> None:
    """Nothing of a live stamp is lost."""
    content = HEAD + "1970-01-01T00:00:00.000000001Z,1\n1970-01-01T00:01:00.5Z,2\n"
    found = read_curve(_write(tmp_path / "a.csv", content))
    assert found.stamps_ns.tolist() == [1, MINUTE_NS + 500_000_000]
    assert found.spacing_ns == MINUTE_NS + 499_999_999
