"""Writing a report so that a reader sees the old one or the new one, never a part.

Reports are derived and can be written again, so nothing here waits for the disk.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

_DRAFT: Final = ".part"


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file at once, making its folder where needed.

    Raises:
        OSError: the folder cannot be written; the old file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}{_DRAFT}")  # two may write the same report
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


@lru_cache(maxsize=64)
def _tidy(folder: Path) -> None:
    """Remove, once for each folder, the drafts of processes that were killed over them."""
    for draft in folder.glob(f".*{_DRAFT}"):
        number = draft.name.removesuffix(_DRAFT).rpartition(".")[2]
        if number.isdecimal() and not Path("/proc", number).exists():
            draft.unlink(missing_ok=True)
