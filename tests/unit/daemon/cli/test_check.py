"""``foliod check``: a scaffold is accepted; each planted fault is found, with its remedy (C1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from importlib.metadata import distributions
from pathlib import Path

import pytest

from config.load import load
from daemon import checks
from daemon.cli.check import findings, lines
from daemon.cli.options import Options
from daemon.runtime import machine, ownership
from daemon.runtime.machine import MIB, Finding
from daemon.wiring import holidays_of
from state.errors import ConfigError
from state.lock import PortfolioLock, this_process
from state.units import DAY_NS, EPOCH_ORDINAL
from tests.homes import write_home
from tests.run_folders import two_days, write_run
from tests.small_runs import CONFIG, call, said

NOW = (date(2026, 7, 1).toordinal() - EPOCH_ORDINAL) * DAY_NS
ROWS = "ts,open,high,low,close,volume\n" + "".join(
    f"2024-01-15T00:{minute:02d}:00Z,1.05,1.06,1.04,1.05,1\n" for minute in range(30)
)


@dataclass
class SetClock:
    """A clock that says what it is told, one reading after the other; the last one stays."""

    readings: list[int]

    def now_ns(self) -> int:
        """Return the next reading."""
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a configuration and bars in which nothing is wrong."""
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "EURUSD_1m.csv").write_text(ROWS)
    plain = CONFIG[: CONFIG.index('[[strategies]]\nname = "pausing"')]
    (tmp_path / "foliod.toml").write_text(plain)
    return tmp_path


def look(home: Path, *, now_ns: int = NOW, extra: str = "") -> list[Finding]:
    """Check the configuration of ``home`` with ``extra`` lines after it."""
    path = home / "foliod.toml"
    path.write_text(path.read_text() + extra)
    settings = load([path], {})
    ground = checks.Ground(settings, (path,), settings.portfolio.data_dir, now_ns)
    return checks.check(ground)


def only(found: list[Finding], level: str = "fail") -> Finding:
    """Return the one finding of a level; it has a remedy."""
    (one,) = [one for one in found if one.level == level]
    assert one.remedy
    return one


def edit(home: Path, old: str, new: str) -> None:
    """Replace a text in the configuration that must be there."""
    path = home / "foliod.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_nothing_wrong(home: Path) -> None:
    """All is well: every finding is ok, the folders are made, and a second look says the same."""
    found = look(home)
    assert {one.level for one in found} == {"ok"}
    assert (home / "var" / "runs").is_dir()
    assert (home / "control").is_dir()
    assert [one.what for one in look(home)] == [one.what for one in found]


@pytest.mark.parametrize("example", ["london", "india", "crypto"])
def test_what_init_makes_is_accepted(
    tmp_path: Path, example: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fresh scaffold has no bars yet: said, with what to do, and no failure."""
    assert call("init", "--example", example, tmp_path) == 0
    assert call("-c", tmp_path / "foliod.toml", "check") == 0
    text = said(capsys)
    assert "is not there yet -> put it there before `foliod replay`" in text
    assert text.endswith("0 failed")


def test_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No configuration: 78, the way to one, and the machine is checked all the same."""
    monkeypatch.chdir(tmp_path)
    assert call("check") == 78
    text = said(capsys)
    assert "`foliod init` makes a commented one" in text
    assert "ok clock" in text


def test_every_mistake_of_a_configuration(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration that does not load: 78, and each of its mistakes is a finding."""
    edit(home, "equity = 100_000", "equity = 0\nzone = 'Mars/Base'\ncolour = 1")
    assert call("--json", "-c", home / "foliod.toml", "check") == 78
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    wrong = [one for one in found["findings"] if one["level"] == "fail"]
    assert len(wrong) == 3
    assert {one["what"] for one in wrong} == {"configuration"}


def test_a_failure_makes_the_exit_status(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One failing check: exit 1; live mode is refused in plain words."""
    edit(home, "equity = 100_000", 'equity = 100_000\nmode = "live"')
    assert call("-c", home / "foliod.toml", "check") == 1
    text = said(capsys)
    assert "this version has no live mode" in text
    assert '-> set portfolio.mode = "paper"' in text


def test_lines_fit_a_terminal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text is wrapped at 80 columns, but for a path that is longer than that."""
    call("-c", home / "foliod.toml", "check")
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 or str(home) in line for line in lines)


def test_the_data_folder_of_the_command_line(home: Path, tmp_path: Path) -> None:
    """--data-dir is what is checked, when it is given."""
    there = tmp_path / "elsewhere"
    options = Options((home / "foliod.toml",), data_dir=there)
    found, code = findings(options, SetClock([NOW]))
    assert code == 0
    assert any(str(there / "runs") in one.found for one in found)


# Bars, strategies, calendars, news ---------------------------------------------------------------


def test_a_bar_file_that_leaves_something_to_guess(home: Path) -> None:
    """The file is named, and the command that shows what it is."""
    (home / "bars" / "EURUSD_1m.csv").write_text("20240115 000000;1.05;1.06;1.04;1.05;0\n" * 3)
    found = only(look(home))
    assert found.what == "bars EURUSD"
    assert "foliod bars" in found.remedy


def test_bars_too_coarse(home: Path) -> None:
    """5m engines cannot be fed by a file of 1h bars."""
    edit(home, 'price = "mid"', 'price = "mid"\ninterval = "1h"')
    rows = [f"2024-01-15T{hour:02d}:00:00Z,1.05,1.06,1.04,1.05,1\n" for hour in range(20)]
    (home / "bars" / "EURUSD_1m.csv").write_text(ROWS.splitlines()[0] + "\n" + "".join(rows))
    # The settings are checked for this when the interval is said, the file when it is not.
    with pytest.raises(ConfigError, match="cannot be made of the bars given"):
        look(home)
    edit(home, 'price = "mid"\ninterval = "1h"', 'price = "mid"')
    found = only(look(home))
    assert found.what == "series"
    assert "needs 5m bars, but its files have 1h" in found.found


def test_an_unused_file(home: Path) -> None:
    """A file of a symbol that nothing trades is a warning."""
    (home / "g.csv").write_text(ROWS)
    found = look(home, extra='[[bars]]\nsymbol = "GBPUSD"\npath = "g.csv"\nprice = "mid"\n')
    assert "nothing uses" in only(found, "warn").found


def test_a_strategy_file_that_is_missing(home: Path) -> None:
    """The file that is not there is named, and where it is configured."""
    edit(home, 'kind = "ARLS"', 'kind = "mine.py:Mine"')
    found = only(look(home))
    assert found.what == "strategy arls"
    assert "there is no file" in found.found
    assert found.remedy == "correct [[strategies]] arls"


def test_an_unknown_parameter_of_a_strategy_file(home: Path) -> None:
    """Parameters of a user's strategy are held to its own fields."""
    planted = Path(__file__).parents[3] / "fakes" / "planted.py"
    edit(home, 'kind = "ARLS"', f'kind = "{planted}:Honest"\nparams = {{ speed = 3 }}')
    assert "params.speed: unknown" in only(look(home)).found


def test_an_unknown_calendar(home: Path) -> None:
    """Told once, by the calendar's own line, and not again by each strategy."""
    found = only(look(home, extra='[instruments.EURUSD]\ncalendar = "NYSEE"\n'))
    assert found.what == "calendar NYSEE"
    assert "did you mean NYSE" in found.found


def test_a_calendar_that_ends_soon(home: Path) -> None:
    """Within 60 days of its end: a warning, since its windows will stay shut."""
    calendar = '[instruments.EURUSD]\ncalendar = "NSE"\n'
    settings_end = holidays_of("NSE", home).last
    last_ns = (settings_end - EPOCH_ORDINAL) * DAY_NS
    found = look(home, now_ns=last_ns - 60 * DAY_NS, extra=calendar)
    assert not [one for one in found if one.level != "ok"]
    found = look(home, now_ns=last_ns - 59 * DAY_NS)
    assert "it ends within 60 days" in only(found, "warn").found


def test_a_news_file(home: Path) -> None:
    """A broken file fails; one that ends more than a week before the bars is a warning."""
    news = home / "news.csv"
    news.write_text("date,time_utc,currencies,impact,title\n2024-01-15,25:00,USD,high,x\n")
    found = only(look(home, extra='[news]\nfile = "news.csv"\n'))
    assert "line 2" in found.found
    news.write_text("date,time_utc,currencies,impact,title\n2024-01-07,23:00,USD,high,x\n")
    assert "the bars go on to" in only(look(home), "warn").found
    news.write_text("date,time_utc,currencies,impact,title\n2024-01-08,23:00,USD,high,x\n")
    assert {one.level for one in look(home)} == {"ok"}


# Folders, runs -----------------------------------------------------------------------------------


def test_folders(home: Path) -> None:
    """A data folder that is a file fails; one that anybody may write is a warning."""
    (home / "control").mkdir()
    (home / "control").chmod(0o777)
    assert only(look(home), "warn").remedy == f"chmod o-w {home / 'control'}"
    (home / "control").chmod(0o755)
    (home / "var" / "runs").rmdir()
    (home / "var").rmdir()
    (home / "var").write_text("")
    found = [one for one in look(home) if one.level == "fail"]
    assert [one.what for one in found] == ["folder data", "folder runs"]


def test_the_newest_run(home: Path) -> None:
    """Held, killed, damaged, of the future: each said of the newest run."""
    folder = write_run(home / "var" / "runs" / "20170201T000000Z-rabc", two_days())
    assert look(home)[-1].found.startswith(f"{folder.name}: complete, ")
    with PortfolioLock(folder, this_process("foliod replay", NOW)):
        found = only(look(home), "warn")
        assert "is held by process" in found.found
    # It began on 2017-02-01; a clock of the day before is wrong.
    early = (date(2017, 1, 31).toordinal() - EPOCH_ORDINAL) * DAY_NS
    assert "not yet" in only(look(home, now_ns=early)).found
    (folder / "foliod.db").write_bytes(b"no database" * 1000)
    assert "foliod verify" in only(look(home)).remedy
    write_run(home / "var" / "runs" / "20170202T000000Z-rabc", two_days(), "running")
    assert ": interrupted, " in only(look(home), "warn").found


# The machine -------------------------------------------------------------------------------------


def test_disk_space() -> None:
    """Below 1 GiB a warning, below 100 MiB a failure."""
    levels = [machine.disk(Path("/"), size * MIB).level for size in (1024, 1023, 100, 99)]
    assert levels == ["ok", "warn", "warn", "fail"]


def test_the_clock() -> None:
    """A year that cannot be, and a clock that goes back, fail."""
    assert machine.clock_runs(SetClock([NOW])).level == "ok"
    assert machine.clock_runs(SetClock([0])).level == "fail"
    assert "went back" in machine.clock_runs(SetClock([NOW + 1, NOW])).found


def test_libraries() -> None:
    """An SQLite before 3.51.3 is warned of with the reason why it is safe here; zones age."""
    assert machine.database_library((3, 51, 3)).level == "ok"
    old = machine.database_library((3, 51, 2))
    assert old.level == "warn"
    assert "one writing connection" in old.found
    assert machine.zone_data("2025.2", NOW).level == "ok"
    assert machine.zone_data("2024.1", NOW).level == "warn"
    assert machine.event_loop(is_there=True).level == "ok"
    assert "--loop asyncio" in machine.event_loop(is_there=False).remedy


def install(folder: Path, name: str, listing: str, content: str) -> None:
    """Write what an installed distribution leaves."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / listing).write_text(content)


def test_another_distribution_owns_a_name(tmp_path: Path) -> None:
    """Named with what it claims, from RECORD or top_level.txt; names alike in part are no claim."""
    install(tmp_path, "foliod", "RECORD", "state/units.py,,\nconfig/load.py,,\n")
    install(tmp_path, "apart", "RECORD", "states/x.py,,\nmy/config/x.py,,\nfoliod_x.py,,\n")
    install(tmp_path, "thief", "RECORD", "config/__init__.py,,\nstate/machine.py,,\n")
    install(tmp_path, "old", "top_level.txt", "old\nfoliod")
    found = ownership.problems(distributions(path=[str(tmp_path)]), {})
    assert len(found) == 2
    assert any("thief 1.0 installs config, state too" in one for one in found)
    assert any("old 1.0 installs foliod too" in one for one in found)


def test_a_name_from_another_folder(tmp_path: Path) -> None:
    """A package of that name elsewhere on the path of Python is named with its folder."""
    (found,) = ownership.problems([], {"config": tmp_path})
    assert f"config is imported from {tmp_path}" in found


def test_here_all_names_are_our_own() -> None:
    """The check that runs before each replay passes where the program is whole."""
    ownership.check_ownership()


def test_a_foreign_owner_is_a_finding() -> None:
    """Somebody else's name fails the check, and says what to do."""

    def refuse() -> None:
        raise ConfigError("the distribution thief 1.0 installs state too")

    found = machine.ownership(refuse)
    assert found.level == "fail"
    assert "thief" in found.found
    assert found.remedy


def test_the_daemons_database_is_looked_at_as_its_start_will(home: Path) -> None:
    """Not there yet; sound, held, and gone with the way back."""
    settings = load([home / "foliod.toml"], {})
    folder = settings.portfolio.data_dir / settings.portfolio.id
    (none,) = (one for one in look(home) if one.what == "database")
    assert (none.level, "none yet" in none.found) == ("ok", True)

    write_home(folder, two_days())
    (sound,) = (one for one in look(home) if one.what == "database")
    assert sound.level == "ok"
    assert f"{len(two_days())} entries, whole; no backup yet" in sound.found
    with PortfolioLock(folder, this_process("foliod run", 0)):
        (held,) = (one for one in look(home) if one.what == "database")
        assert (held.level, "foliod run" in held.found) == ("ok", True)

    (folder / "foliod.db").unlink()
    (gone,) = (one for one in look(home) if one.what == "database")
    assert (gone.level, "it is missing" in gone.found) == ("fail", True)
    assert "recovery.md" in gone.remedy


def test_a_long_name_and_what_was_found_do_not_run_together() -> None:
    """And short ones stand in columns, their remedies below what was found."""
    found = [
        Finding("ok", "disk", "there"),
        Finding("ok", "reach feed oanda: history", "its host answers"),
        Finding("warn", "clock", "is late", "set it"),
    ]

    assert list(lines(found)) == [
        "ok    disk                there",
        "ok    reach feed oanda: history its host answers",
        "warn  clock               is late",
        "                          -> set it",
        "2 ok, 1 warned of, 0 failed",
    ]
