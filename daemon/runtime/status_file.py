"""The status lines of a run: ``logs/portfolio_live_YYYYMMDD.jsonl`` and, when asked, stdout.

Decides only when a line is due; what it says comes from ``daemon.core.status_board``.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

from daemon.runtime.dated_lines import DatedLines

STEM: Final = "portfolio_live_"
BLOCK_BEGIN: Final = b"###BEGIN-AXFL-LIVE-PORT###\n"
BLOCK_END: Final = b"\n###END-AXFL-LIVE-PORT###\n"


class StatusFile:
    """Writes status lines at least every ``every_ns`` of the run's clock and on every change.

    ``blocks`` is a stream that gets each object framed by the two marker lines (``--blocks``), at
    once; the file is buffered until ``flush``.
    """

    def __init__(
        self, folder: Path, every_ns: int, blocks: BinaryIO | None = None, least_bytes: int = 0
    ) -> None:
        """Write below ``folder`` (the run's ``logs``); ``least_bytes`` as in ``DatedLines``."""
        self._lines = DatedLines(folder, STEM, least_bytes)
        self._every_ns = every_ns
        self._blocks = blocks
        self.due_ns = 0
        """The next line is due at this instant of the run's clock, change or no change."""

    @property
    def repaired(self) -> list[str]:
        """What was cut from torn files, one sentence each."""
        return self._lines.repaired

    def write(self, now_ns: int, line: bytes) -> None:
        """Take one status line.

        Raises:
            OSError: the file or the stream cannot be written; the next line is due all the same.
        """
        self.due_ns = now_ns + self._every_ns
        if self._blocks is not None:
            self._blocks.write(BLOCK_BEGIN + line + BLOCK_END)
            self._blocks.flush()
        self._lines.write(now_ns, line)

    def flush(self) -> None:
        """Hand every line to the operating system. Raises OSError as ``DatedLines.flush``."""
        self._lines.flush()

    def close(self) -> None:
        """Flush and close."""
        self._lines.close()

    def drop(self) -> None:
        """Forget the lines that were not flushed, and close."""
        self._lines.drop()
