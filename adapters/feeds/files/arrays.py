"""Arrays: from Arrow columns to numpy without pandas, which ``to_numpy`` would import (60 MB)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def floats(column: Any) -> NDArray[np.float64]:  # noqa: ANN401  (pyarrow's arrays are untyped)
    """Return a numeric Arrow array as float64 (n,), perhaps read-only; a null is NaN."""
    import pyarrow as pa

    return _view(column.cast(pa.float64()), np.float64, np.nan)


def integers(column: Any) -> NDArray[np.int64]:  # noqa: ANN401
    """Return an Arrow array of integers or timestamps as int64 (n,), perhaps read-only; null: 0."""
    import pyarrow as pa

    return _view(column.cast(pa.int64()), np.int64, 0)


def valid(column: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    """Return for every value of an Arrow array whether it is there, (n,) bool."""
    import pyarrow as pa

    return _view(column.is_valid().cast(pa.uint8()), np.uint8, 0).astype(np.bool_)


def _view(column: Any, kind: type[Any], absent: float) -> NDArray[Any]:  # noqa: ANN401
    if len(column) == 0:
        return np.empty(0, kind)
    whole = np.frombuffer(column.buffers()[1], kind)
    values = whole[column.offset : column.offset + len(column)]
    if column.null_count:
        values = values.copy()
        values[~valid(column)] = absent
    return values
