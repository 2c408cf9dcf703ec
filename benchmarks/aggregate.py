"""Aggregation speed: many equity files added up, against pandas' own reader of the same files.

Run ``python -m benchmarks.aggregate`` (see ``--help``). The files: random walks with a point every
3 to 7 seconds, stamped to the millisecond, so that no two sessions share a clock and the sum has
almost as many points as all of them together. Every figure is a fresh process, the tools in turn.
``foliod`` is everything the command does: reading, checking, adding up, measuring, correlating and
writing both reports. ``foliod read`` and pandas only read: a table of stamps and equity for each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

FILES: Final = 200
ROWS: Final = 50_000


def generate(folder: Path, files: int, rows: int) -> None:
    """Write the files, unless they are there; the same numbers give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    begin = np.datetime64("2024-01-02T09:30:00.000", "ms").astype(np.int64)
    for number in range(files):
        path = folder / f"equity_s{number:03d}.csv"
        stamps = (begin + np.cumsum(rng.integers(3000, 7000, rows))).astype("datetime64[ms]")
        equity = 100_000 * np.exp(np.cumsum(rng.normal(0, 1e-4, rows)))
        if path.exists():
            continue
        texts = np.datetime_as_string(stamps).tolist()
        lines = [f"{at},{value:.2f}" for at, value in zip(texts, equity.tolist(), strict=True)]
        path.write_text("timestamp,equity\n" + "\n".join(lines) + "\n", encoding="utf-8")


def run_foliod(folder: Path) -> float:
    """Aggregate as the command does; return the P&L."""
    from daemon.reports.aggregate import MultiSessionAggregator

    aggregator = MultiSessionAggregator(folder)
    aggregator.load_sessions()
    with tempfile.TemporaryDirectory() as scratch:
        aggregator.export_json(Path(scratch) / "out.json")
        aggregator.generate_html_report(Path(scratch) / "out.html")
    pnl: float = aggregator.compute_metrics()["total_pnl"]
    return pnl


def run_foliod_read(folder: Path) -> float:
    """Read and check all files as the command does; return the P&L."""
    from daemon.reports.aggregate import MultiSessionAggregator

    aggregator = MultiSessionAggregator(folder)
    aggregator.load_sessions()
    return sum(float(one.curve.equity[-1] - one.curve.equity[0]) for one in aggregator.sessions)


def _run_pandas(folder: Path, engine: Any) -> float:  # noqa: ANN401  a name pandas knows
    import pandas as pd

    tables = [
        pd.read_csv(path, engine=engine, parse_dates=["timestamp"], date_format="ISO8601")
        for path in sorted(folder.glob("equity_*.csv"))
    ]
    return sum(float(one["equity"].iloc[-1] - one["equity"].iloc[0]) for one in tables)


def run_pandas(folder: Path) -> float:
    """Read all files with pandas' C engine; return the P&L."""
    return _run_pandas(folder, "c")


def run_pandas_arrow(folder: Path) -> float:
    """Read all files with pandas' pyarrow engine; return the P&L."""
    return _run_pandas(folder, "pyarrow")


TOOLS: Final[dict[str, Callable[[Path], float]]] = {
    "pandas read, C engine": run_pandas,
    "pandas read, pyarrow": run_pandas_arrow,
    "foliod read": run_foliod_read,
    "foliod": run_foliod,
}


def one(name: str, folder: Path) -> dict[str, Any]:
    """Run one tool in this process, imports of it included, and return its figures."""
    cpu, wall = time.process_time(), time.perf_counter()
    pnl = TOOLS[name](folder)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall, "cpu": cpu, "mb": peak, "pnl": round(pnl, 4)}


def fresh(name: str, folder: Path) -> dict[str, Any]:
    """Run one tool in a fresh process; ``process`` is its wall time from start to exit."""
    command = [sys.executable, "-m", "benchmarks.aggregate", "--one", name, "--folder", str(folder)]
    begin = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    process = time.perf_counter() - begin
    return {**json.loads(done.stdout.splitlines()[-1]), "process": process}


def measure(folder: Path, rounds: int) -> None:
    """Let the tools take turns and print medians, with the ratio to pandas' C engine in pairs."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in TOOLS}
    for _ in range(rounds):
        for name in TOOLS:
            found[name].append(fresh(name, folder))
    base = [row["wall"] for row in found["pandas read, C engine"]]
    for name, rows in found.items():
        wall, process, cpu = (
            statistics.median(row[key] for row in rows) for key in ("wall", "process", "cpu")
        )
        ratio = statistics.median(row["wall"] / yard for row, yard in zip(rows, base, strict=True))
        best, peak = min(row["wall"] for row in rows), max(row["mb"] for row in rows)
        print(
            f"{name:22} {wall:6.2f} {best:6.2f} {process:8.2f} {cpu:6.2f} {ratio:6.2f} {peak:8.0f}"
            f" {rows[0]['pnl']:>12,.2f}",
            flush=True,
        )


def main() -> None:
    """Read the command line, write the files, measure, print one row a tool."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aggregate", description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep generated files here")
    parser.add_argument("--one", choices=list(TOOLS), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one, given.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        generate(folder, given.files, given.rows)
        size = sum(path.stat().st_size for path in folder.glob("equity_*.csv")) / 1e6
        cores = len(os.sched_getaffinity(0))
        print(f"{platform.machine()}, {cores} cores, Python {platform.python_version()}")
        print(f"{given.files} files x {given.rows:,} rows, {size:.0f} MB, {given.rounds} rounds")
        print("seconds: wall and CPU of the work with its imports, process from start to exit")
        print(
            f"{'':22} {'wall':>6} {'best':>6} {'process':>8} {'cpu':>6} {'ratio':>6} {'peak MB':>8}"
            f" {'P&L':>12}"
        )
        measure(folder, given.rounds)


if __name__ == "__main__":
    main()
