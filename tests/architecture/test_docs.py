"""Docs against code: links lead somewhere, commands exist, generated pages are up to date."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from daemon.cli.main import cli
from daemon.runtime.version import VERSION
from state.errors import ExitCode
from state.exit_codes_page import MEANINGS, NO_RESTART
from state.exit_codes_page import page as exit_codes_page
from tests.builders import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    headings = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", _pages(), ids=_name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    """A relative link names a file that is there, and a heading that it has."""
    missing = []
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            missing.append(link)

    assert missing == []


def test_every_page_is_reached_from_the_index() -> None:
    """Nothing is written that nobody finds: the index, or a page that it names, links to it."""
    index = ROOT / "docs" / "README.md"
    reached, ahead = {index}, [index, ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in reached:
                reached.add(target)
                ahead.append(target)

    assert [_name(page) for page in (ROOT / "docs").rglob("*.md") if page not in reached] == []


def _commands() -> list[tuple[str, str]]:
    """Return every ``foliod ...`` line of the pages' shell blocks, with its page."""
    found = []
    for page in _pages():
        for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
            if language not in ("sh", "console", "bash"):
                continue
            for line in re.split(r"\n|&&|;|\|", block.replace("\\\n", " ")):
                command = re.sub(r"^\s*(\$ )?", "", line)
                if re.match(r"(venv/bin/)?foliod( |$)", command):
                    found.append((_name(page), command.strip()))
    return found


def _parse(arguments: list[str]) -> None:
    """Parse a command line as the program would, without running it."""
    command: click.Command = cli
    context = cli.make_context("foliod", list(arguments), resilient_parsing=False)
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, found, rest = command.resolve_command(context, rest)
        assert found is not None, name
        command = found
        if "--help" in rest:
            return
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize(("page", "command"), _commands())
def test_a_command_on_a_page_is_one_that_the_program_takes(page: str, command: str) -> None:
    """Each verb, option and argument shown in a shell block parses."""
    arguments = shlex.split(command, comments=True)[1:]

    _parse([one for one in arguments if one not in (">", "2>&1")])


def test_readme_has_two_commands_that_stand_on_what_is_there() -> None:
    """The first lines of README: one sets up and runs the demo, one passes the tests."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [block.strip() for language, block in FENCE.findall(text) if language == "sh"][:2]
    setup, check = blocks

    assert "\n" not in setup + check
    assert setup.endswith("foliod replay")
    for lock in re.findall(r"-r (\S+)", setup):
        assert (ROOT / lock).is_file()
    assert check == "./check"
    for script in (ROOT / "check", ROOT / ".ci" / "run"):
        assert script.stat().st_mode & 0o111
    assert "exec ./check" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_command_page_is_up_to_date() -> None:
    """Write it anew with ``python -m daemon.cli.reference > docs/reference/cli.md``.

    In a process of its own: a command keeps the help option of whoever asked it first.
    """
    done = subprocess.run(
        [sys.executable, "-m", "daemon.cli.reference"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8") == done.stdout


def test_the_exit_code_page_is_up_to_date() -> None:
    """Write it anew with ``python -m state.exit_codes_page > docs/reference/exit-codes.md``."""
    assert (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8") == exit_codes_page()


def test_every_exit_code_has_its_meaning() -> None:
    """A status that nobody can look up is none; the units restart after none of the hopeless."""
    assert set(MEANINGS) == set(ExitCode)
    for unit in sorted((ROOT / "systemd").glob("*.service")):
        listed = re.search(
            r"^RestartPreventExitStatus=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert listed is not None, unit
        assert listed[1].split() == [str(code.value) for code in NO_RESTART], unit


def test_the_changelog_speaks_of_this_version() -> None:
    """What is shipped has been told."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.search(rf"^## {re.escape(VERSION)}\b", text, re.MULTILINE)


def test_the_makefile_runs_modules_and_verbs_that_exist() -> None:
    """A target that cannot work is found here, not by the one who needs it."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z_]+):", text, re.MULTILINE))
    modules = re.findall(r"python -m (benchmarks\.\w+)", text)

    assert targets >= {"check", "test", "long", "bench", "demo", "live_port_replay", "lock"}
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []
    for arguments in re.findall(r"\$\(BIN\)/foliod (.*)", text):
        _parse([one for one in shlex.split(arguments) if not one.startswith("$")])


def test_no_markdown_lies_about_at_the_root() -> None:
    """README and CHANGELOG; everything else is in docs."""
    assert {path.name for path in ROOT.glob("*.md")} == {"README.md", "CHANGELOG.md"}


@pytest.mark.parametrize("page", _pages(), ids=_name)
def test_toml_on_a_page_is_toml(page: Path) -> None:
    """Nobody pastes a block that does not parse."""
    for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "toml":
            assert tomllib.loads(block) is not None
