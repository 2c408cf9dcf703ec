"""``python -m tests.history FOLDER``: check a folder, say what does not hold.

Exit status 0: everything holds; 1: something does not; 2: it cannot be read.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from pathlib import Path

from tests.history.checker import DATABASE, check_folder
from tests.history.journal import difference


def main(arguments: list[str] | None = None) -> int:
    """Check what the command line names and return the exit status."""
    parser = argparse.ArgumentParser("python -m tests.history", description=__doc__)
    parser.add_argument("folder", type=Path, help="a portfolio's or a run's folder")
    parser.add_argument("--config", type=Path, help="the configuration, not FOLDER/config.toml")
    parser.add_argument("--twin", type=Path, help="a folder that must have decided the same")
    given = parser.parse_args(arguments)
    for folder in (given.folder, given.twin):
        if folder is not None and not (folder / DATABASE).is_file():
            print(f"{folder} holds no {DATABASE}", file=sys.stderr)
            return 2
    try:
        report = check_folder(given.folder, given.config)
        if given.twin is not None:
            report.found += difference(given.folder / DATABASE, given.twin / DATABASE)
    except (sqlite3.Error, ValueError, OSError) as problem:
        print(f"{given.folder} cannot be read: {problem}", file=sys.stderr)
        return 2
    for one in report.found:
        print(one)
    for text in report.left_out:
        print(f"not looked at: {text}")
    broken, proved = (", ".join(sorted(ids)) for ids in (report.broken, report.proved))
    print(f"{report.entries} entries, looked for {proved}")
    print(f"{len(report.found)} violations{' of ' if broken else ''}{broken}")
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
