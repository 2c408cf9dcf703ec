"""How it is deployed: units, users, folders and the image, held to what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.builders import ROOT

UNITS = sorted((ROOT / "systemd").glob("*.service"))
EXPOSURE = 1.5


def _unit(path: Path) -> dict[str, list[str]]:
    """Return the settings of a unit, every value of each."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_is_hardened(unit: Path) -> None:
    """U5: its exposure, as systemd reckons it, is at most 1.5."""
    done = _run(_tool("systemd-analyze"), "security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)

    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_is_understood(unit: Path, tmp_path: Path) -> None:
    """No setting is unknown or misspelt; a program of that path is the only thing it may lack."""
    text = unit.read_text(encoding="utf-8")
    program = re.search(r"^ExecStart=(\S+)", text, re.MULTILINE)
    assert program is not None
    (tmp_path / "python").write_text("#!/bin/sh\n")
    (tmp_path / "python").chmod(0o755)
    copy = tmp_path / unit.name
    copy.write_text(
        "\n".join(
            line.replace(program[1], str(tmp_path / "python"))
            for line in text.splitlines()
            if not line.startswith("Documentation=")
        )
    )

    done = _run(_tool("systemd-analyze"), "verify", "--man=no", str(copy))
    said = [line for line in (done.stdout + done.stderr).splitlines() if unit.stem in line]

    assert said == []


def test_the_check_of_units_can_fail(tmp_path: Path) -> None:
    """Control: a misspelt setting is told, and a unit without any guard is far too exposed."""
    path = tmp_path / "loose.service"
    path.write_text("[Service]\nExecStart=/bin/true\nWatchdogSecs=5\n")

    done = _run(_tool("systemd-analyze"), "verify", "--man=no", str(path))
    assert "WatchdogSecs" in done.stderr
    done = _run("systemd-analyze", "security", "--offline=true", "--no-pager", str(path))
    found = re.search(r"exposure level for .*: ([\d.]+)", done.stdout)
    assert found is not None and float(found[1]) > 9


def test_the_daemons_unit_is_watched_and_braked() -> None:
    """U5, C4: it says when it is ready, is watched, comes back, and not for ever."""
    unit = _unit(ROOT / "systemd" / "foliod@.service")

    assert unit["Type"] == ["notify"]
    assert unit["NotifyAccess"] == ["main"]
    assert unit["WatchdogSec"] == ["30s"]
    assert unit["Restart"] == ["on-failure"]
    assert (unit["StartLimitBurst"], unit["StartLimitIntervalSec"]) == (["5"], ["10min"])
    assert unit["ExecStart"][0].endswith(" run")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_lets_pythons_of_the_usual_places_run(unit: Path) -> None:
    """The environment's python is a link: where it leads to must be among what may be run."""
    found = _unit(unit)

    assert found["NoExecPaths"] == ["/"]
    allowed = found["ExecPaths"][0].split()
    assert {"/opt/foliod", "/usr/bin", "/usr/local/bin"} <= set(allowed)


def test_users_and_folders_are_made_as_they_are_named(tmp_path: Path) -> None:
    """The operators' group may write the control folder, and no one else but root."""
    sysusers, tmpfiles = _tool("systemd-sysusers"), _tool("systemd-tmpfiles")
    if os.geteuid():
        pytest.skip("only root can give folders to a group")
    (tmp_path / "etc").mkdir()
    root = f"--root={tmp_path}"

    done = _run(sysusers, root, str(ROOT / "systemd" / "foliod.sysusers"))
    if done.returncode:
        pytest.skip(f"no user can be made here: {done.stderr.strip()[:80]}")
    done = _run(tmpfiles, root, "--create", str(ROOT / "systemd" / "foliod.tmpfiles"))
    assert done.returncode == 0, done.stderr

    groups = dict(
        (line.split(":")[0], int(line.split(":")[2]))
        for line in (tmp_path / "etc" / "group").read_text().splitlines()
    )
    users = [line.split(":")[0] for line in (tmp_path / "etc" / "passwd").read_text().splitlines()]
    control = (tmp_path / "etc" / "foliod" / "control").stat()
    assert users == ["foliod"]
    assert control.st_mode & 0o7777 == 0o2775
    assert (control.st_uid, control.st_gid) == (0, groups["foliod-operators"])


def _copied() -> list[str]:
    """Return what the image's first stage takes from the checkout."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def _allowed() -> list[str]:
    """Return what the build may see at all."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "*"
    return [line[1:] for line in lines if line.startswith("!")]


def test_the_image_takes_what_the_wheel_has() -> None:
    """Every source is there; the packages are the wheel's, and beside them what builds it."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    beside = {"pyproject.toml", "README.md", "LICENSE", "requirements.lock"}

    assert [name for name in _copied() if not (ROOT / name).exists()] == []
    assert set(_copied()) == {*wheel["build"]["only-include"], *beside}
    assert sorted(_copied()) == sorted(_allowed())


def test_the_image_takes_no_cache_and_no_secret() -> None:
    """What git ignores (caches, local settings) is ignored by the build, too."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == "**/__pycache__"
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git checkout")
    ignored = _run(
        *("git", "-C", str(ROOT), "ls-files", "--others", "--ignored", "--exclude-standard", "--"),
        *_copied(),
    ).stdout.splitlines()

    assert [name for name in ignored if "__pycache__" not in Path(name).parts] == []
    tracked = _run("git", "-C", str(ROOT), "ls-files", "--", *_copied()).stdout.splitlines()
    assert len(tracked) > 100
    secret = re.compile(r"(^|/)(\.env.*|.*\.(pem|key|p12|db|log))$")
    assert [name for name in tracked if secret.search(name)] == []


def test_the_image_runs_as_nobody_special() -> None:
    """Not root, two volumes, a health check that is the program's own."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    stage = text.rpartition("\nFROM ")[2]

    assert re.search(r"^USER foliod$", stage, re.MULTILINE)
    made = re.findall(r"--(gid|uid) (\d+)", stage)
    assert sorted(made) == [("gid", "10001"), ("gid", "10001"), ("uid", "10001")]
    volumes = re.search(r"^VOLUME (.*)$", stage, re.MULTILINE)
    assert volumes is not None and json.loads(volumes[1]) == ["/data", "/control"]
    health = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", stage, re.MULTILINE)
    assert health is not None and json.loads(health[1]) == ["foliod", "status", "--check"]
    assert stage.rstrip().endswith('CMD ["foliod", "run"]')
