"""Secrets: found in three places, refused where others can read them, shown nowhere (X1, SEC-1)."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from config.load import load
from config.secrets import HIDDEN, Secret, Secrets, hide
from state.errors import ConfigError
from tests.builders import ROOT

CANARY = "https://hooks.example/T0/CANARY-4711"
LONDON = ROOT / "config" / "examples" / "london.toml"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a secret file with a mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_order_of_the_places(tmp_path: Path) -> None:
    """systemd's credential wins over the file, the file over the variable."""
    environ = {"FOLIOD_SECRET_OPS": "from-variable"}
    secrets = Secrets(tmp_path / "secrets", environ)
    assert secrets.get("ops").reveal() == "from-variable"
    write(tmp_path / "secrets" / "ops", "from-file\n")
    assert secrets.get("ops").reveal() == "from-file"
    write(tmp_path / "given" / "ops", "from-systemd", 0o440)
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path / "given")
    found = Secrets(tmp_path / "secrets", environ).get("ops")
    assert found.reveal() == "from-systemd"
    assert "systemd credential" in found.source


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644, 0o666])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    """Any bit for group or others refuses the file; the variable behind it is not taken instead."""
    path = write(tmp_path / "ops", CANARY, mode)
    secrets = Secrets(tmp_path, {"FOLIOD_SECRET_OPS": "other"})
    with pytest.raises(ConfigError, match=f"chmod 600 {path}") as refused:
        secrets.get("ops")
    assert "CANARY" not in str(refused.value)
    assert secrets.fact("ops").remedy == f"chmod 600 {path}"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"a\nCANARY", "more than one line"),
        (b"CANARY\xff", "is not UTF-8"),
        (b"CANARY" * 12_000, "is larger than"),
    ],
    ids=["nothing", "blank", "lines", "bytes", "large"],
)
def test_what_is_no_secret(tmp_path: Path, content: bytes, told: str) -> None:
    """What cannot be one is refused in words that do not repeat it."""
    path = tmp_path / "ops"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=told) as refused:
        Secrets(tmp_path, {}).get("ops")
    assert "CANARY" not in str(refused.value)


def test_a_secret_that_is_nowhere(tmp_path: Path) -> None:
    """All three ways to give it are named."""
    fact = Secrets(tmp_path, {}).fact("ops")
    for way in (str(tmp_path / "ops"), "FOLIOD_SECRET_OPS", "LoadCredential=ops:"):
        assert way in fact.remedy


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    """A folder of the secret's name is said to be one."""
    (tmp_path / "ops").mkdir()
    assert "cannot be read" in Secrets(tmp_path, {}).fact("ops").problem


def test_a_secret_shows_itself_to_nobody() -> None:
    """repr, str, format, JSON, pickle and copy give no value; only ``reveal`` does."""
    secret = Secret("ops", CANARY, "variable")
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>90}", f"{[secret]}"):
        assert "CANARY" not in text
        assert HIDDEN in text
    for write_out in (pickle.dumps, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as refused:
            write_out(secret)
        assert "CANARY" not in str(refused.value)
    assert not hasattr(secret, "__dict__")
    assert secret.reveal() == CANARY
    assert hide(f"no answer from {CANARY}", secret) == f"no answer from {HIDDEN}"


@pytest.mark.parametrize(
    "text",
    [
        f'webhook = "{CANARY}"',
        f'url = "{CANARY}"',
        f'apprise = ["mail", "{CANARY}"]',
        f'apprise = "{CANARY}"',
        f'[notify.levels]\nstart = "{CANARY}"',
        f'[notify.levels]\nwebhook = "{CANARY}"',
    ],
    ids=["key", "unknown", "in a list", "no list", "level", "unknown level"],
)
def test_an_address_in_the_configuration_is_refused_unseen(tmp_path: Path, text: str) -> None:
    """Whoever puts an address where its name belongs is told so, and it is not repeated."""
    path = tmp_path / "foliod.toml"
    path.write_text(f"{LONDON.read_text()}\n[notify]\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        load([path], {})
    assert "notify" in str(refused.value)
    assert "CANARY" not in str(refused.value)
    with pytest.raises(ConfigError) as refused:
        load([LONDON], {"FOLIOD_NOTIFY__WEBHOOK": CANARY})
    assert "allowed: the name of a secret" in str(refused.value)
    assert "CANARY" not in str(refused.value)


def test_a_variable_that_holds_a_secret_is_no_setting() -> None:
    """FOLIOD_SECRET_NAME is accepted beside settings, and becomes none of them."""
    settings = load([LONDON], {"FOLIOD_SECRET_OPS": CANARY, "FOLIOD_SECRET_NOTIFY__X": CANARY})
    assert "CANARY" not in repr(settings)
