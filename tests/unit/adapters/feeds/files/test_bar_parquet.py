"""Parquet files: types, sides, empty cells, and damage."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from adapters.feeds.files.source import open_bars
from adapters.feeds.files.spec import BarFileSpec
from state.errors import FeedError


def write(path: Path, **columns: Any) -> Path:  # noqa: ANN401
    """Write three minutes of bars; ``columns`` replace or add."""
    ts = [datetime(2021, 3, 10, 0, minute, tzinfo=UTC) for minute in range(3)]
    table: dict[str, Any] = {
        "ts": pa.array(ts, pa.timestamp("ms", "UTC")),
        "open": [1.0, 1.0, 1.0],
        "high": [2.0, 2.0, 2.0],
        "low": [0.5, 0.5, 0.5],
        "close": [1.5, 1.5, 1.5],
        **columns,
    }
    pq.write_table(pa.table({k: v for k, v in table.items() if v is not None}), path)
    return path


def spec(path: Path, price: str = "mid", zone: str | None = None) -> BarFileSpec:
    """Describe the file."""
    return BarFileSpec(path=path, symbol="X", price=price, zone=zone)


def test_nulls_are_refused_by_row(tmp_path: Path) -> None:
    """An empty price is not finite, an empty stamp unreadable; both are named by row."""
    at = [datetime(2021, 3, 10, 0, minute, tzinfo=UTC) for minute in range(2)]
    path = write(
        tmp_path / "a",
        ts=pa.array([*at, None], pa.timestamp("ms", "UTC")),
        high=[2.0, None, 2.0],
    )
    source = open_bars(BarFileSpec(path=path, symbol="X", price="mid", interval_ns=60_000_000_000))
    assert sum(len(batch) for batch in source.batches()) == 1
    assert {(r.reason, r.first) for r in source.refused} == {
        ("UNREADABLE_TIME", "row 3: ts is empty"),
        ("NOT_FINITE", "row 2: high nan is not finite"),
    }


def test_integer_prices_and_absent_volume(tmp_path: Path) -> None:
    """Whole prices are numbers too; without a volume column volume is NaN."""
    path = write(tmp_path / "a", open=[1, 1, 1])
    bars = next(open_bars(spec(path)).batches())
    assert bars.open.tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(bars.volume).all()


def test_wall_time_needs_a_zone(tmp_path: Path) -> None:
    """A timestamp without a time zone is wall time: refused without ``zone``, read with it."""
    naive = pa.array([1_615_334_400_000 + 60_000 * i for i in range(3)]).cast(pa.timestamp("ms"))
    path = write(tmp_path / "a", ts=naive)
    with pytest.raises(FeedError, match="set zone"):
        open_bars(spec(path))
    bars = next(open_bars(spec(path, zone="Asia/Kolkata")).batches())
    # 2021-03-10 00:00 in Kolkata is 2021-03-09 18:30 UTC.
    assert int(bars.open_ns[0]) == 1_615_314_600_000_000_000


def test_wrong_types_are_named(tmp_path: Path) -> None:
    """A column that is no time or no number is refused with the type it has."""
    path = write(tmp_path / "a", ts=[1, 2, 3], close=["a", "b", "c"])
    with pytest.raises(FeedError) as refused:
        open_bars(spec(path))
    assert "column 'ts' is int64, expected a timestamp" in str(refused.value)
    assert "column 'close' is string, expected a number" in str(refused.value)


def test_missing_column_and_no_rows(tmp_path: Path) -> None:
    """A missing price is named; a file of no rows is refused."""
    with pytest.raises(FeedError, match="column 'low' is missing"):
        open_bars(spec(write(tmp_path / "a", low=None)))
    empty = pq.read_table(write(tmp_path / "b")).slice(0, 0)
    pq.write_table(empty, tmp_path / "c")
    with pytest.raises(FeedError, match="no rows"):
        open_bars(spec(tmp_path / "c"))


def test_ask_columns_are_averaged(tmp_path: Path) -> None:
    """bidask: (1.0 + 1.5)/2 = 1.25."""
    ask = {
        "ask_open": [1.5] * 3,
        "ask_high": [2.5] * 3,
        "ask_low": [1.0] * 3,
        "ask_close": [2.0] * 3,
    }
    bars = next(open_bars(spec(write(tmp_path / "a", **ask), "bidask")).batches())
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0]) == (1.25, 2.25, 0.75, 1.75)


def test_cut_and_damaged_files(tmp_path: Path) -> None:
    """A file cut at any length, or with damaged pages, is refused and never a traceback."""
    whole = write(tmp_path / "a").read_bytes()
    path = tmp_path / "cut"
    for length in range(4, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(FeedError):
            list(open_bars(spec(path)).batches())
    damaged = bytearray(whole)
    damaged[4:300] = b"\xff" * 296
    path.write_bytes(bytes(damaged))
    with pytest.raises(FeedError, match="damaged after row 0"):
        list(open_bars(spec(path)).batches())
