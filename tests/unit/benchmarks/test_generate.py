"""The speed workload's generator: same bars for any chunk, readable as bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adapters.feeds.files.source import open_bars
from adapters.feeds.files.spec import BarFileSpec
from benchmarks.generate import chunks, write
from state.units import MINUTE_NS


def test_bars_do_not_depend_on_the_chunk() -> None:
    """A walk cut in pieces is the walk, to the last bit."""
    (whole,) = chunks(5, 1000)
    pieces = [np.concatenate(parts) for parts in zip(*chunks(5, 1000, 137), strict=True)]
    assert all((one == other).all() for one, other in zip(whole, pieces, strict=True))


def test_a_written_file_is_read_as_clean_1m_bars(tmp_path: Path) -> None:
    """Every minute has a bar; each opens at the close before."""
    write(tmp_path / "SYM000.parquet", 1000, 3000)
    spec = BarFileSpec(path=tmp_path / "SYM000.parquet", symbol="SYM000", price="mid")
    source = open_bars(spec)
    (batch,) = source.batches()
    assert source.refused == []
    assert (np.diff(batch.open_ns) == MINUTE_NS).all()
    assert len(batch) == 3000
    assert (batch.open[1:] == batch.close[:-1]).all()
