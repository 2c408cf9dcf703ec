"""Secrets planted in every place where they are read appear in no output of any command (SEC-1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.endpoints import Endpoint, dead_port, serving_apart
from tests.small_runs import call, make_home, replayed

FILE, VARIABLE, CREDENTIAL, LOOSE = (f"CANARY-{name}-4711" for name in ("F", "V", "C", "L"))
NOTIFY = """
[notify]
webhook = "in_file"
apprise = ["in_variable"]
dead_man = "in_credential"
timeout_s = 1
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home whose secrets are in a file, a variable and a credential."""
    make_home(tmp_path)
    path = tmp_path / "foliod.toml"
    path.write_text(path.read_text() + NOTIFY)
    address = f"http://user:{{}}@127.0.0.1:{dead_port()}/{{}}?token={{}}"
    secrets, credentials = tmp_path / "secrets", tmp_path / "credentials"
    for folder, name, canary in (
        (secrets, "in_file", FILE),
        (credentials, "in_credential", CREDENTIAL),
    ):
        folder.mkdir()
        (folder / name).write_text(address.format(*[canary] * 3))
        (folder / name).chmod(0o600)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv(
        "FOLIOD_SECRET_IN_VARIABLE", address.format(*[VARIABLE] * 3).replace("http:", "json:")
    )
    monkeypatch.setenv("FOLIOD_SECRET_UNUSED", LOOSE)
    return tmp_path


def _assert_hidden(text: str) -> None:
    for canary in (FILE, VARIABLE, CREDENTIAL, LOOSE):
        assert canary not in text
    assert "CANARY" not in text


def test_no_command_shows_a_secret(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Every command that reads the configuration, and every file that a run leaves."""
    config = home / "foliod.toml"
    for arguments in (
        ("config", "show"),
        ("--json", "config", "show"),
        ("config", "schema"),
        ("check",),
        ("--json", "check"),
        ("check", "--online"),
        ("notify", "test"),
        ("--json", "notify", "test"),
        ("-v", "notify", "test"),
    ):
        call("-c", config, *arguments)
    replayed(home, "one")
    for arguments in (
        ("status",),
        ("--json", "status"),
        ("tail",),
        ("report", "day"),
        ("report", "tearsheet"),
        ("verify", "one"),
        ("show", "windows"),
        ("run", "--speed", "max"),
        ("status",),
    ):
        call("-c", config, *arguments)
    shown = capfd.readouterr()
    assert "in_file" in shown.out
    _assert_hidden(shown.out + shown.err)
    files = [path for path in (home / "var").rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        assert b"CANARY" not in path.read_bytes(), path


def test_what_the_test_command_says(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Endpoints that cannot be reached: 69, each by its name and with the reason."""
    assert call("-c", home / "foliod.toml", "notify", "test") == 69
    out = capfd.readouterr().out
    assert "fail  webhook in_file: cannot be reached" in out
    assert "fail  apprise in_variable: the service did not take the message" in out
    assert "fail  dead man in_credential: cannot be reached" in out


@pytest.mark.parametrize("mode", [0o644, 0o640])
def test_a_secret_that_others_may_read(
    home: Path, mode: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """78 with the remedy, for the test and the check alike."""
    (home / "secrets" / "in_file").chmod(mode)
    assert call("-c", home / "foliod.toml", "notify", "test") == 78
    assert f"chmod 600 {home / 'secrets' / 'in_file'}" in capfd.readouterr().err


def test_nothing_configured(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """78, and what to set."""
    make_home(tmp_path)
    assert call("-c", tmp_path / "foliod.toml", "notify", "test") == 78
    assert "names no endpoint" in capfd.readouterr().err


@pytest.fixture
def server() -> Iterator[Endpoint]:
    """Serve an endpoint on a thread of its own, since the command has a loop of its own."""
    with serving_apart(Endpoint()) as endpoint:
        yield endpoint


def test_a_message_that_arrives(
    home: Path,
    server: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """All endpoints answer: 0, one message and one ping."""
    (home / "secrets" / "in_file").write_text(server.url)
    (home / "credentials" / "in_credential").write_text(server.url)
    monkeypatch.setenv("FOLIOD_SECRET_IN_VARIABLE", server.url.replace("http:", "json:"))
    assert call("--json", "-c", home / "foliod.toml", "notify", "test") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["ok"] is True
    assert [one["name"] for one in found["endpoints"]] == [
        "webhook in_file",
        "apprise in_variable",
        "dead man in_credential",
    ]
    assert sorted(method for method, _ in server.asked) == ["GET", "POST", "POST"]
    assert any(b"small: a test" in body for _, body in server.asked)
