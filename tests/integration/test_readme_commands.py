"""README's two commands in a fresh clone with a fresh environment, twice each (make long)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.builders import ROOT


def _lines() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [block.strip() for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)[:2]]


def _run(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one line as a person would, who has neither our variables nor our environment."""
    inherited = ("HOME", "LANG", "PATH", "TMPDIR")
    kept = {name: os.environ[name] for name in inherited if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.mark.long
def test_readmes_commands_work_in_a_fresh_clone(tmp_path: Path) -> None:
    """Set up, demo, check: the first time and the second."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    setup, check = _lines()

    for line, words in ((setup, "Next:"), (check, "passed")) * 2:
        done = _run(line, clone)

        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert words in done.stdout
