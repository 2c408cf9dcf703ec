"""Generate the bars of the speed workload: seeded random walks, one Parquet file a symbol.

Run ``python -m benchmarks.generate FOLDER --symbols 2 --bars 500000``. Every minute of every day
has a bar, ``open`` is the close before, prices have five decimals and stamps are bar opens in UTC.
Written in chunks, so that 10^7 bars need no more memory than 10^5.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

START: Final = "2015-01-01T00:00"
"""Opening of the first bar: 10^7 minutes later it is 2034, within the years windows know."""
FIRST_PRICE: Final = 1.10
STEPS: Final = 8
"""Prices drawn in a minute; highs and lows are extremes of these."""
SIGMA: Final = 1.5e-4
"""Standard deviation of a minute's log return, before the time of day scales it."""
CHUNK: Final = 100_000
"""Bars made, and written as one row group, at a time."""

_MINUTE_NS: Final = 60_000_000_000
_FIELDS: Final = ("ts", "open", "high", "low", "close", "volume")


def chunks(seed: int, count: int, rows: int = CHUNK) -> Iterator[tuple[NDArray[np.generic], ...]]:
    """Yield ``count`` bars as (open_ns, open, high, low, close, volume); equal for any ``rows``."""
    seeds = np.random.SeedSequence(seed).spawn(2)
    path, size = (np.random.Generator(np.random.PCG64(one)) for one in seeds)
    start_ns = int(np.datetime64(START, "ns").astype(np.int64))
    level, last = 0.0, FIRST_PRICE
    for begin in range(0, count, rows):
        minutes = np.arange(begin, min(begin + rows, count), dtype=np.int64)
        of_day = minutes % 1440
        busy = np.where((of_day >= 420) & (of_day < 960), 1.3, 0.8)
        steps = path.standard_normal((len(minutes), STEPS)) * (SIGMA / STEPS**0.5)
        walk = (steps * busy[:, None]).ravel()
        walk[0] += level
        walk = np.cumsum(walk)
        level = float(walk[-1])
        prices = np.round(FIRST_PRICE * np.exp(walk), 5).reshape(-1, STEPS)
        close = prices[:, -1].copy()
        open_ = np.concatenate(([last], close[:-1]))
        last = float(close[-1])
        high = np.maximum(open_, prices.max(axis=1))
        low = np.minimum(open_, prices.min(axis=1))
        volume = size.integers(1, 1000, len(minutes)).astype(np.float64)
        yield start_ns + minutes * _MINUTE_NS, open_, high, low, close, volume


def write(path: Path, seed: int, count: int) -> None:
    """Write ``count`` bars to a Parquet file, a row group for each chunk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = pa.float64()
    types = (pa.timestamp("ns", tz="UTC"), number, number, number, number, number)
    schema = pa.schema([pa.field(*pair) for pair in zip(_FIELDS, types, strict=True)])
    # Small plain pages: whoever reads a hundred such files at once holds a page of each column.
    with pq.ParquetWriter(
        path, schema, compression="lz4", data_page_size=1 << 16, use_dictionary=False
    ) as writer:
        for columns in chunks(seed, count):
            arrays = [pa.array(column) for column in columns]
            arrays[0] = arrays[0].cast(types[0])
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("folder", type=Path, help="where SYM000.parquet and so on are written")
    parser.add_argument("--symbols", type=int, default=1, help="files (default %(default)s)")
    parser.add_argument("--bars", type=int, default=500_000, help="per file (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1000, help="of the first file, then counting")
    given = parser.parse_args()
    if given.symbols < 1 or given.bars < 1:
        parser.error("--symbols and --bars must be at least 1")
    given.folder.mkdir(parents=True, exist_ok=True)
    for number in range(given.symbols):
        write(given.folder / f"SYM{number:03d}.parquet", given.seed + number, given.bars)
    print(f"wrote {given.symbols} x {given.bars} bars to {given.folder}")


if __name__ == "__main__":
    main()
