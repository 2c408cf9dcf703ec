"""Measure the bar stream: reading, resampling, merging and turning into lists, per bar.

Run ``python -m benchmarks.generate FOLDER --symbols 10`` first, then ``python -m benchmarks.feed
FOLDER``. CPU time of this process; each row adds one stage to the one above it.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from adapters.feeds.columns import Columns
from adapters.feeds.files.source import open_bars
from adapters.feeds.files.spec import BarFileSpec
from adapters.feeds.merge import SeriesFeed, Slice, batch_rows, merge, series_bytes
from adapters.feeds.resample import resample
from state.units import MINUTE_NS


def read(path: Path, rows: int) -> Iterator[Columns]:
    """Open one file and yield its batches."""
    spec = BarFileSpec(path=path, symbol=path.stem, price="mid", interval_ns=MINUTE_NS)
    return open_bars(spec).batches(rows)


def merged(paths: list[Path], minutes: int) -> Iterator[Slice]:
    """Yield the slices of all files at an interval of ``minutes``."""
    rows = batch_rows(len(paths))
    interval = minutes * MINUTE_NS
    return merge(
        [
            SeriesFeed(path.stem, interval, resample(read(path, rows), MINUTE_NS, interval))
            for path in paths
        ]
    )


def _read(paths: list[Path]) -> int:
    rows = batch_rows(len(paths))
    return sum(len(batch) for path in paths for batch in read(path, rows))


def _merge(paths: list[Path], minutes: int) -> int:
    return sum(len(part) for part in merged(paths, minutes))


def _digest(paths: list[Path]) -> int:
    parts = (series_bytes(part, 0, len(part)) for part in merged(paths, 1))
    return sum(item[1] for part in parts for item in part)


def _lists(paths: list[Path]) -> int:
    count = 0
    for part in merged(paths, 1):
        columns = (part.close_ns, part.series, part.open_ns, part.open, part.high, part.low)
        rows = zip(
            *(column.tolist() for column in (*columns, part.close, part.volume)), strict=True
        )
        count += sum(1 for _ in rows)
    return count


def main() -> None:
    """Print a table of stages for the files of a folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feed", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds the generated Parquet files")
    paths = sorted(parser.parse_args().folder.glob("*.parquet"))
    if not paths:
        parser.error("the folder has no .parquet file; run benchmarks.generate first")
    stages: dict[str, Callable[[], int]] = {
        "read": partial(_read, paths),
        "read, merge": partial(_merge, paths, 1),
        "read, resample to 5m, merge": partial(_merge, paths, 5),
        "read, merge, bytes of the digest": partial(_digest, paths),
        "read, merge, lists": partial(_lists, paths),
    }
    total = _read(paths)
    print(f"{len(paths)} series, {total} bars of 1m")
    base = 0.0
    for name, run in stages.items():
        began = time.process_time()
        run()
        each = (time.process_time() - began) / total * 1e6
        base = base or each
        print(f"{name:34}{each:8.3f} us a bar{each / base:7.2f} x reading")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
