"""Arrays: from Arrow columns to numpy without pandas, which ``to_numpy`` would import (60 MB)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def floats(column: Any) -> NDArray[np.float64]:  # noqa: ANN401  (pyarrow's arrays are untyped)
    """Return a numeric Arrow array as float64 (n,), read-only; a null is NaN."""
    import pyarrow as pa

    column = column.cast(pa.float64())
    return _view(column.fill_null(float("nan")) if column.null_count else column, np.float64)


def integers(column: Any) -> NDArray[np.int64]:  # noqa: ANN401
    """Return an Arrow array of integers or timestamps as int64 (n,), read-only; a null is 0."""
    import pyarrow as pa

    column = column.cast(pa.int64())
    return _view(column.fill_null(0) if column.null_count else column, np.int64)


def valid(column: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    """Return for every value of an Arrow array whether it is there, (n,) bool."""
    import pyarrow as pa

    return _view(column.is_valid().cast(pa.uint8()), np.uint8).astype(np.bool_)


def _view(column: Any, kind: type[Any]) -> NDArray[Any]:  # noqa: ANN401
    if len(column) == 0:
        return np.empty(0, kind)
    values = np.frombuffer(column.buffers()[1], kind)
    return values[column.offset : column.offset + len(column)]
