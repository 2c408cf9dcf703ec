"""A daemon whose disk becomes full and is freed again, for ``test_daemon_full_disk``.

``python -m tests.integration.full_disk_daemon FOLDER KEPT``: FOLDER is a small disk of its own with
a configuration in it. Prints what the daemon logged, one line of JSON each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.daemons import has_entries, wait_until

_CHUNK = bytes(65_536)
"""Written until the disk is full."""


def main() -> None:
    """Fill the disk under a running daemon, wait, free it, let the daemon end."""
    folder, kept = Path(sys.argv[1]), Path(sys.argv[2])
    log = kept.with_suffix(".log")
    with log.open("w") as stderr:
        command = [sys.executable, "-P", "-m", "daemon.cli.main", "-c", "foliod.toml"]
        process = subprocess.Popen(
            [*command, "run", "--speed", "max"],
            cwd=folder,
            stderr=stderr,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        wait_until(lambda: has_entries(folder / "demo", 300))
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while "exits only" not in log.read_text():
                    file.write(_CHUNK)
            except OSError:
                wait_until(lambda: "exits only" in log.read_text())
        ballast.unlink()
        process.wait(timeout=60)
    shutil.copytree(folder / "demo", kept)
    print(log.read_text(), end="")
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
