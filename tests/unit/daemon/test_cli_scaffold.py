"""``foliod init`` and ``foliod config``: what a new operator meets first (U6)."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from config.load import load
from daemon.cli.config import config
from daemon.cli.init import EXAMPLES, init
from daemon.cli.options import Options
from state.errors import ConfigError


def run(command: object, *arguments: str, options: Options | None = None) -> Result:
    """Run a command as the main program would, errors let through."""
    assert command in (init, config)
    chosen = init if command is init else config
    return CliRunner().invoke(
        chosen, list(arguments), obj=options or Options(), catch_exceptions=False
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_init_then_load(tmp_path: Path, example: str) -> None:
    """What init scaffolds is accepted, its folders exist, and the next steps are said."""
    home = tmp_path / "new"
    result = run(init, "--example", example, str(home))
    assert result.exit_code == 0
    assert load([home / "foliod.toml"], {}).portfolio.id == example
    assert {path.name for path in home.iterdir()} == {"foliod.toml", "var", "control", "bars"}
    assert f"foliod -c {home / 'foliod.toml'} check" in result.stdout


@pytest.mark.parametrize(("name", "example"), [("india", "india"), ("mine", "london")])
def test_init_takes_the_example_that_the_folder_is_named_after(
    tmp_path: Path, name: str, example: str
) -> None:
    """``foliod init india`` is an Indian portfolio, and which one it is is said."""
    result = run(init, str(tmp_path / name))
    assert load([tmp_path / name / "foliod.toml"], {}).portfolio.id == example
    assert f"the example {example}" in result.stdout
    assert run(init, "--example", "crypto", "--force", str(tmp_path / name)).exit_code == 0
    assert load([tmp_path / name / "foliod.toml"], {}).portfolio.id == "crypto"


def test_init_overwrites_only_when_told(tmp_path: Path) -> None:
    """An existing configuration is kept, unless --force is given."""
    path = tmp_path / "foliod.toml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="--force"):
        run(init, str(tmp_path))
    assert path.read_text() == "mine"
    assert run(init, "--force", str(tmp_path)).exit_code == 0
    assert "mine" not in path.read_text()


def test_init_into_a_file(tmp_path: Path) -> None:
    """A DIR that is a file is a clear mistake, not a traceback."""
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        run(init, str(path / "deeper"))


def test_config_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text is TOML with the hash and the parameter sets; the environment is in it."""
    run(init, str(tmp_path))
    options = Options(config_paths=(tmp_path / "foliod.toml",))
    monkeypatch.setenv("FOLIOD_RISK__DAILY_R_STOP", "-4")
    text = run(config, "show", options=options).stdout
    assert text.startswith("# hash ")
    assert "# lsg EURUSD: parameters tuned:EURUSD:5m:london" in text
    shown = tomllib.loads(text)
    assert shown["risk"]["daily_r_stop"] == -4.0
    assert shown["bars"][0]["path"] == str(tmp_path / "bars" / "EURUSD-1m.csv")
    found = json.loads(run(config, "show", "--json", options=options).stdout)
    assert f"# hash {found['hash']}" == text.splitlines()[0]
    assert found["settings"]["risk"]["daily_r_stop"] == -4.0


def test_config_show_hides_secrets(tmp_path: Path) -> None:
    """A value under a secret's name is hidden in both forms (X1)."""
    run(init, str(tmp_path))
    path = tmp_path / "foliod.toml"
    path.write_text(path.read_text().replace("retest = true", 'api_token = "canary-7731"'))
    for extra in ((), ("--json",)):
        result = run(config, "show", *extra, options=Options(config_paths=(path,)))
        assert "canary" not in result.stdout
        assert "(hidden)" in result.stdout


def test_config_schema() -> None:
    """The schema is printed as JSON."""
    found = json.loads(run(config, "schema").stdout)
    assert found["$schema"].endswith("2020-12/schema")
