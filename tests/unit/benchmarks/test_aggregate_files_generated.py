"""The benchmark of aggregation generates the same files, and its tools agree on them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.aggregate import generate, run_foliod, run_foliod_read, run_pandas


def test_the_tools_do_the_same_work_on_the_same_bytes(tmp_path: Path) -> None:
    """Two generations are alike; foliod and pandas find the same P&L in them."""
    for name in ("a", "b"):
        generate(tmp_path / name, files=3, rows=200)
    first, second = (
        [path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ("a", "b")
    )
    assert first == second
    found = {round(tool(tmp_path / "a"), 6) for tool in (run_foliod, run_foliod_read, run_pandas)}
    assert len(found) == 1
