"""What is shipped: the wheel is built, opened, and run without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from daemon.runtime.version import VERSION
from tests.builders import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = folder.glob("*.whl")
    return built


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_owns_five_names(wheel: Path) -> None:
    """Four packages and one module reach site-packages; no test, no benchmark, no document."""
    tops = {name.split("/", 1)[0] for name in _names(wheel)}

    assert tops == {
        "adapters",
        "config",
        "daemon",
        "state",
        "foliod.py",
        f"foliod-{VERSION}.dist-info",
    }


def test_the_wheel_has_the_packages_data(wheel: Path) -> None:
    """Every TOML, SQL and template file is inside, and nothing that a run left behind."""
    data = {
        str(path.relative_to(ROOT))
        for package in ("adapters", "config", "daemon", "state")
        for suffix in ("toml", "sql", "json", "html", "css")
        for path in (ROOT / package).rglob(f"*.{suffix}")
    }
    names = set(_names(wheel))

    assert {"config/catalogue.toml", "state/migrations/0001_begin.sql"} <= data
    assert data <= names
    assert [name for name in names if name.endswith((".pyc", ".db", ".csv", ".log"))] == []


def test_the_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere it scaffolds a configuration from its own data and accepts it."""
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environ = {**os.environ, "PYTHONPATH": str(site)}

    def foliod(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "foliod", *arguments],
            cwd=work,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    made = foliod("init")
    shown = foliod("config", "show")
    where = subprocess.run(
        [sys.executable, "-c", "import daemon; print(daemon.__file__)"],
        cwd=work,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert where.stdout.startswith(str(site))
    assert (made.returncode, made.stderr) == (0, made.stderr)
    assert shown.returncode == 0, shown.stderr
    assert "[portfolio]" in shown.stdout


def test_the_metadata_is_the_projects(wheel: Path) -> None:
    """Version, licence, Python and the console script are what pyproject and the code say."""
    with zipfile.ZipFile(wheel) as archive:
        info = f"foliod-{VERSION}.dist-info"
        metadata = archive.read(f"{info}/METADATA").decode()
        scripts = archive.read(f"{info}/entry_points.txt").decode()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert f"\nVersion: {VERSION}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert f"\nRequires-Python: {project['requires-python']}\n" in metadata
    assert "foliod = daemon.cli.main:main" in scripts
