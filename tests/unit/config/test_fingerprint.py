"""The fingerprint: a function of the settings in force and nothing else (DET-1, S1)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.effective import effective, parameters
from config.fingerprint import fingerprint
from config.load import load
from config.toml_text import dumps
from daemon.cli.init import EXAMPLES, scaffold
from tests.builders import ROOT

EXAMPLE_FOLDER = ROOT / "config" / "examples"
PRINT = "\n".join(
    (
        "import sys; from pathlib import Path",
        "from config.load import load; from config.fingerprint import fingerprint",
        "print(fingerprint(load([Path(sys.argv[1])], {})))",
    )
)


def digest(path: Path, **environ: str) -> str:
    """Return the fingerprint of one file."""
    return fingerprint(load([path], environ))


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_same_under_any_hash_seed(seed: str) -> None:
    """Set and dict order never reach the fingerprint."""
    path = EXAMPLE_FOLDER / "london.toml"
    found = subprocess.run(
        [sys.executable, "-c", PRINT, str(path)],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == digest(path)


def test_independent_of_place(tmp_path: Path) -> None:
    """The same file in another folder, with other data and bar paths, is the same configuration."""
    source = EXAMPLE_FOLDER / "london.toml"
    moved = tmp_path / "other.toml"
    shutil.copy(source, moved)
    assert digest(moved) == digest(source)
    elsewhere = moved.read_text().replace("bars/", "/data/").replace('"var"', '"/var/lib/f"')
    moved.write_text(elsewhere)
    assert digest(moved) == digest(source)


def test_independent_of_notation(tmp_path: Path) -> None:
    """A default written out, or a number written otherwise, changes nothing; a value does."""
    source = EXAMPLE_FOLDER / "crypto.toml"
    text = source.read_text()
    other = tmp_path / "other.toml"
    other.write_text(text.replace("slippage_min_pips = 1.0", "slippage_min_pips = 1.00"))
    assert digest(other) == digest(source)
    assert digest(source, FOLIOD_RISK__OPEN_R="true") == digest(source)
    assert digest(source, FOLIOD_RISK__OPEN_R="false") != digest(source)
    assert digest(source, FOLIOD_INSTRUMENTS__BTCUSDT__SPREAD_PIPS="2") != digest(source)


def test_secrets_are_left_out(tmp_path: Path) -> None:
    """A value under a secret's name does not change the fingerprint."""
    path = tmp_path / "foliod.toml"
    path.write_text(
        (EXAMPLE_FOLDER / "london.toml").read_text().replace("retest = true", 'api_token = "a"')
    )
    first = digest(path)
    path.write_text(path.read_text().replace('"a"', '"b"'))
    assert digest(path) == first


@pytest.mark.parametrize("example", EXAMPLES)
def test_shown_settings_are_a_configuration(tmp_path: Path, example: str) -> None:
    """What is shown, loaded again, is the same configuration."""
    scaffold(tmp_path / "a", example)
    settings = load([tmp_path / "a" / "foliod.toml"], {})
    again = tmp_path / "again.toml"
    again.write_text(dumps(effective(settings)), encoding="utf-8")
    reloaded = load([again], {})
    assert fingerprint(reloaded) == fingerprint(settings)
    assert parameters(reloaded) == parameters(settings)
