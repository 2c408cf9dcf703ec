"""Fuzzing of the bar files: a damaged file is refused with FeedError, or its bars are bars (F5).

Whatever is read is possible, strictly later than the row before, and everything else is counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.feeds.files.source import open_bars
from adapters.feeds.files.spec import REASONS, BarFileSpec
from state.bars import impossible
from state.errors import FeedError
from tests.fuzz.mutation import Choose, choosing

ROWS: Final = 12
LONG: Final = 3000

_HEAD: Final = {
    "foliod": "ts,open,high,low,close,volume",
    "histdata": "",
    "mt5": "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>",
    "binance": "",
    "yahoo": "datetime,open,high,low,close,volume",
}
_ROW: Final = {
    "foliod": "2021-03-10T00:{0:02d}:00Z,1.05,1.07,1.04,1.06,10",
    "histdata": "20210310 00{0:02d}00;1.05;1.07;1.04;1.06;10",
    "mt5": "2021.03.10\t00:{0:02d}:00\t1.05\t1.07\t1.04\t1.06\t10\t0\t2",
    "binance": "{1},1.05,1.07,1.04,1.06,10,{2},1.0,5,1.0,1.0,0",
    "yahoo": "2021-03-10 00:{0:02d}:00,1.05,1.07,1.04,1.06,10",
}
_ZONE: Final = {"histdata": "America/New_York", "mt5": "Europe/Athens", "yahoo": "UTC"}
_FIRST_MS: Final = 1_615_334_400_000

STRANGE: Final[tuple[bytes, ...]] = (
    b"nan", b"inf", b"-1", b"0", b"1e999", b"1e308", b"9" * 400, b"1_0", b"", b" ", b'"', b'"1.05',
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xd9\xa1", b"\n", b"\r", b"\r\n\r\n", b",", b";", b"\t",
    b"2021-02-30T00:00:00Z", b"1615334400000000000000", b"-0", b"+1", b"0x1", b"1,05", b"x" * 5000,
    b"2021-03-28 02:30:00", b"20210314 023000", b"9999-12-31T23:59:00Z", b"0001-01-01 00:00:00",
)  # fmt: skip


def whole(dialect: str) -> bytes:
    """Return a file of a dozen bars."""
    rows = [
        _ROW[dialect].format(k, _FIRST_MS + 60_000 * k, _FIRST_MS + 60_000 * k + 59_999)
        for k in range(ROWS)
    ]
    return "\n".join([*([_HEAD[dialect]] if _HEAD[dialect] else []), *rows, ""]).encode()


def damaged(body: bytes, choose: Choose) -> bytes:
    """Damage a file in one to four places: a field, a few bytes, a line, or its end."""
    for _ in range(1 + choose(4)):
        lines = body.split(b"\n")
        place = choose(len(lines))
        kind = choose(6)
        if kind < 2:
            mark = next((one for one in (b";", b"\t", b",") if one in lines[place]), b",")
            fields = lines[place].split(mark)
            fields[choose(len(fields))] = STRANGE[choose(len(STRANGE))]
            lines[place] = mark.join(fields)
        elif kind == 2:
            at = choose(len(lines[place]) + 1)
            lines[place] = lines[place][:at] + STRANGE[choose(len(STRANGE))] + lines[place][at:]
        elif kind == 3:
            other = choose(len(lines))
            lines[place], lines[other] = lines[other], lines[place]
        elif kind == 4:
            lines[place] = lines[place] * choose(3)
        else:
            at = choose(len(body) + 1)
            lines = [*body[:at].split(b"\n"), b"".join([bytes([choose(256)])] * choose(4))]
        body = b"\n".join(lines)
    return body


def read(path: Path, body: bytes, dialect: str) -> bool:
    """Read a file; return whether it was read, and fail when anything but bars comes of it."""
    path.write_bytes(body)
    spec = BarFileSpec(
        path=path, symbol="X", price="mid", zone=_ZONE.get(dialect), stamp="open"
    )  # fmt: skip
    try:
        source = open_bars(spec)
        last = -(1 << 62)
        for columns in source.batches():
            opens = [int(one) for one in columns.open_ns]
            prices = zip(columns.open, columns.high, columns.low, columns.close, strict=True)
            assert [impossible(*map(float, four)) for four in prices] == [None] * len(opens)
            for open_ns in opens:
                assert open_ns > last
                last = open_ns
        for refused in source.refused:
            assert refused.reason.split(" ")[0] in REASONS
            assert refused.count > 0
            assert refused.first.isprintable()
            assert len(refused.first) < 400
    except FeedError as error:
        assert len(str(error)) < 2000
        return False
    return True


@pytest.mark.parametrize("dialect", _ROW)
def test_a_whole_file_is_read(dialect: str, tmp_path: Path) -> None:
    """Damage begins with what is right; and some of what is damaged still has bars."""
    choose = choosing(np.random.default_rng(3))
    body = whole(dialect)
    again = [read(tmp_path / "bars", damaged(body, choose), dialect) for _ in range(60)]

    assert read(tmp_path / "bars", body, dialect)
    assert 0 < sum(again) < len(again)


@pytest.mark.parametrize("dialect", _ROW)
def test_a_damaged_file_is_refused_or_read(dialect: str, tmp_path: Path) -> None:
    """A short search over damage, any bytes and any text."""
    body = whole(dialect)

    @st.composite
    def bodies(draw: st.DrawFn) -> bytes:
        def choose(below: int) -> int:
            return draw(st.integers(0, below - 1))

        return damaged(body, choose)

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.one_of(bodies(), bodies(), st.binary(max_size=200), st.text().map(str.encode)))
    def search(content: bytes) -> None:
        read(tmp_path / "bars", content, dialect)

    search()


@pytest.mark.long
@pytest.mark.parametrize("dialect", _ROW)
def test_many_damaged_files_are_refused_or_read(dialect: str, tmp_path: Path) -> None:
    """Three thousand of them; a file that fails is written into the message."""
    choose = choosing(np.random.default_rng(20_260_301))
    body = whole(dialect)
    for _ in range(LONG):
        content = damaged(body, choose)
        try:
            read(tmp_path / "bars", content, dialect)
        except Exception as error:
            raise AssertionError(f"{dialect}: {content[:3000]!r}") from error
