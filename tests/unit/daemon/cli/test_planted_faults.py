"""``foliod check`` finds each planted fault: its line, its level, its remedy, and no more (C1)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from adapters.brokers.access import HttpAccess, PaperAccess
from adapters.clock import Sync, sync
from adapters.ports import BrokerAccess
from adapters.reach import reach
from config.load import load
from config.settings import Settings
from config.settings_operation import Check
from daemon import checks
from daemon.runtime import machine, surroundings
from daemon.runtime.machine import Finding
from daemon.runtime.surroundings import Endpoint as Place
from daemon.wiring import holidays_of
from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS, SECOND_NS
from tests.fakes.endpoints import Endpoint, dead_port, serving_apart
from tests.run_folders import two_days, write_run
from tests.small_runs import CONFIG, call, said
from tests.unit.daemon.cli.test_check import NOW, ROWS, SetClock

CANARY = "CANARY-4711"


@dataclass
class Home:
    """A folder in which nothing is wrong, until a test plants something."""

    folder: Path
    extra: str = ""
    now_ns: int = NOW
    online: bool = False
    access: BrokerAccess = field(default_factory=PaperAccess)

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "foliod.toml"

    def secret(self, text: str = f"http://127.0.0.1/{CANARY}", mode: int = 0o600) -> Path:
        """Write the secret ``ops`` and return its file."""
        path = self.folder / "secrets" / "ops"
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.write_text(text)
        path.chmod(mode)
        return path

    def settings(self) -> Settings:
        """Write the extra lines and load."""
        self.config.write_text(self.config.read_text() + self.extra)
        return load([self.config], {})

    def look(self) -> list[Finding]:
        """Check."""
        settings = self.settings()
        ground = checks.Ground(
            settings,
            (self.config,),
            settings.portfolio.data_dir,
            self.now_ns,
            online=self.online,
            access=self.access,
        )
        return checks.check(ground)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a home in which nothing is wrong."""
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "EURUSD_1m.csv").write_text(ROWS)
    plain = CONFIG[: CONFIG.index('[[strategies]]\nname = "pausing"')]
    (tmp_path / "foliod.toml").write_text(plain)
    return Home(tmp_path)


NOTIFY = '[notify]\nwebhook = "ops"\n'


def _too_early(home: Home) -> None:
    # NOW is midnight UTC, 05:30 in Kolkata.
    home.extra = '[check]\nzone = "Asia/Kolkata"\nearliest = 06:00:00\nlatest = 23:00:00\n'


def _too_late(home: Home) -> None:
    home.extra = "[check]\nearliest = 06:00:00\nlatest = 23:00:00\n"
    home.now_ns = NOW + 23 * HOUR_NS


def _no_secret(home: Home) -> None:
    home.extra = NOTIFY


def _readable_secret(home: Home) -> None:
    home.extra = NOTIFY
    home.secret(mode=0o640)


def _empty_secret(home: Home) -> None:
    home.extra = NOTIFY
    home.secret("\n")


def _stray_secret(home: Home) -> None:
    home.secret(mode=0o644)


def _open_folder(home: Home) -> None:
    home.extra = NOTIFY
    home.secret().parent.chmod(0o770)


def _no_apprise_address(home: Home) -> None:
    home.extra = '[notify]\napprise = ["ops"]\n'
    home.secret(f"nosuchthing://{CANARY}")


def _dead_endpoint(home: Home) -> None:
    home.extra = NOTIFY
    home.online = True
    home.secret(f"http://127.0.0.1:{dead_port()}/{CANARY}")


def _data_is_a_file(home: Home) -> None:
    (home.folder / "control").mkdir()
    (home.folder / "var").mkdir()
    (home.folder / "var" / "runs").write_text("")


def _anybody_may_write(home: Home) -> None:
    (home.folder / "control").mkdir()
    (home.folder / "control").chmod(0o777)


def _killed(home: Home) -> None:
    (home.folder / "control").mkdir()
    (home.folder / "control" / "KILL_SWITCH").touch()


def _torn_database(home: Home) -> None:
    path = write_run(home.folder / "var" / "small", two_days()) / "foliod.db"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)


def _foreign_database(home: Home) -> None:
    folder = home.folder / "var" / "small"
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / "foliod.db") as connection:
        connection.execute("CREATE TABLE x (y)")
    connection.close()


def _calendar_ends(home: Home) -> None:
    home.extra = '[instruments.EURUSD]\ncalendar = "NSE"\n'
    last = holidays_of("NSE", home.folder).last
    home.now_ns = (last - EPOCH_ORDINAL) * DAY_NS - 10 * DAY_NS


def _unknown_calendar(home: Home) -> None:
    home.extra = '[instruments.EURUSD]\ncalendar = "NYSEE"\n'


def _no_bars(home: Home) -> None:
    (home.folder / "bars" / "EURUSD_1m.csv").unlink()


def _guess_bars(home: Home) -> None:
    path = home.folder / "bars" / "EURUSD_1m.csv"
    path.write_text("20240115 000000;1.05;1.06;1.04;1.05;0\n" * 3)


def _no_strategy_file(home: Home) -> None:
    text = home.config.read_text()
    home.config.write_text(text.replace('kind = "ARLS"', 'kind = "mine.py:Mine"'))


def _broken_news(home: Home) -> None:
    news = "date,time_utc,currencies,impact,title\n2024-01-15,25:00,USD,high,x\n"
    (home.folder / "news.csv").write_text(news)
    home.extra = '[news]\nfile = "news.csv"\n'


def _clock_behind(home: Home) -> None:
    write_run(home.folder / "var" / "runs" / "20170201T000000Z-rabc", two_days())
    home.now_ns = (date(2017, 1, 31).toordinal() - EPOCH_ORDINAL) * DAY_NS


PLANTED = [
    (_too_early, "fail", "time of day", "start within these hours"),
    (_too_late, "fail", "time of day", "start within these hours"),
    (_no_secret, "fail", "secret ops", "FOLIOD_SECRET_OPS"),
    (_readable_secret, "fail", "secret ops", "chmod 600"),
    (_empty_secret, "fail", "secret ops", "put the secret alone into the file"),
    (_stray_secret, "warn", "secrets folder", "or remove it"),
    (_open_folder, "warn", "secrets folder", "chmod 700"),
    (_no_apprise_address, "fail", "notifications", "put the right address there"),
    (_dead_endpoint, "warn", "reach webhook ops", "look at the network"),
    (_data_is_a_file, "fail", "folder runs", "give yourself the right"),
    (_anybody_may_write, "warn", "folder control", "chmod o-w"),
    (_killed, "warn", "kill switch", "foliod reset kill"),
    (_torn_database, "fail", "database", "restore the folder from a backup"),
    (_foreign_database, "fail", "database", "recovery.md"),
    (_calendar_ends, "warn", "calendar NSE", "update pandas-market-calendars"),
    (_unknown_calendar, "fail", "calendar NYSEE", "correct instruments.SYMBOL.calendar"),
    (_no_bars, "warn", "bars EURUSD", "put it there before"),
    (_guess_bars, "fail", "bars EURUSD", "foliod bars"),
    (_no_strategy_file, "fail", "strategy arls", "correct [[strategies]] arls"),
    (_broken_news, "fail", "news", "a half-read file is no guard"),
    (_clock_behind, "fail", "newest run", "set the clock"),
]


@pytest.mark.parametrize(
    ("plant", "level", "what", "remedy"), PLANTED, ids=[one[0].__name__ for one in PLANTED]
)
def test_a_planted_fault(
    home: Home, plant: Callable[[Home], None], level: str, what: str, remedy: str
) -> None:
    """One finding that is not ok, at its level, by its name, with what to do; no secret in any."""
    plant(home)
    found = home.look()
    (one,) = [finding for finding in found if finding.level != "ok"]
    assert (one.level, one.what) == (level, what)
    assert remedy in one.remedy
    assert all(CANARY not in f"{finding.found} {finding.remedy}" for finding in found)


def test_nothing_planted(home: Home) -> None:
    """The home itself has nothing wrong, with notifications, hours and a database of its own."""
    with serving_apart(Endpoint()) as endpoint:
        home.secret(endpoint.url)
        home.extra = NOTIFY + "[check]\nearliest = 00:00:00\nlatest = 24:00\n"
        home.extra = home.extra.replace("24:00", '"24:00"')
        home.online = True
        write_run(home.folder / "var" / "small", two_days())
        found = home.look()
    assert [one for one in found if one.level != "ok"] == []
    told = {one.what: one.found for one in found}
    assert "entries, whole" in told["database"]
    assert told["reach webhook ops"] == "its host answers; nothing was sent"
    assert told["secret ops"].startswith("there, in the file ")
    assert endpoint.asked == []


def test_online_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``--online`` nobody is reached for; with it the line is there."""
    home = Home(tmp_path)
    home.config.write_text(CONFIG[: CONFIG.index('[[strategies]]\nname = "pausing"')] + NOTIFY)
    home.secret(f"http://127.0.0.1:{dead_port()}/")
    call("-c", home.config, "check")
    assert "reach webhook" not in said(capsys)
    call("-c", home.config, "check", "--online")
    assert "warn reach webhook ops" in said(capsys)


def test_feeds_are_reached_too(home: Home) -> None:
    """What a caller names beside the notifications gets its line."""
    settings = home.settings()
    place = Place("feed finnhub", f"wss://127.0.0.1:{dead_port()}/?token={CANARY}")
    ground = checks.Ground(
        settings, (home.config,), settings.portfolio.data_dir, NOW, online=True, endpoints=(place,)
    )
    (one,) = [one for one in checks.check(ground) if one.what == "reach feed finnhub"]
    assert (one.level, CANARY in one.found) == ("warn", False)


# The broker ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "level", "told"),
    [
        (200, "ok", "takes the credentials"),
        (401, "fail", "refuses the credentials (it answers 401)"),
        (403, "fail", "refuses the credentials (it answers 403)"),
        (500, "warn", "answers 500, which says nothing of the credentials"),
        (429, "warn", "answers 429"),
    ],
)
def test_what_a_broker_says(home: Home, answer: int, level: str, told: str) -> None:
    """Over a real server: its refusal fails, whatever else goes wrong warns; one GET, one token."""
    with serving_apart(Endpoint(script=[answer]), "/v3/accounts?x=1") as endpoint:
        headers = {"Authorization": f"Bearer {CANARY}"}
        home.access = HttpAccess("oanda", endpoint.url, headers)
        found = home.look()
    (one,) = [one for one in found if one.what == "broker oanda"]
    assert (one.level, told in one.found) == (level, True)
    assert (level == "ok") == (not one.remedy)
    assert [method for method, _ in endpoint.asked] == ["GET"]
    assert endpoint.headers[0]["Authorization"] == f"Bearer {CANARY}"
    assert CANARY not in repr(home.access) + one.found


def test_a_broker_that_cannot_be_asked() -> None:
    """Nobody listens, nobody answers, no TLS, no address: warned of in words."""
    dead = surroundings.broker(HttpAccess("x", f"http://127.0.0.1:{dead_port()}/{CANARY}", {}))
    tls = surroundings.broker(HttpAccess("x", f"https://127.0.0.1:{dead_port()}/{CANARY}", {}))
    wrong = surroundings.broker(HttpAccess("x", f"http://127.0.0.1:99999/{CANARY}", {}))
    bad = surroundings.broker(HttpAccess("x", "http://127.0.0.1:1/", {"A": f"{CANARY}\n"}))
    silent = Endpoint(hold=asyncio.Event())
    with serving_apart(silent) as endpoint:
        slow = surroundings.broker(HttpAccess("x", endpoint.url, {}, 0.1))
    assert "no answer within 0.1 s" in slow.found
    for one in (dead, tls, wrong, bad, slow):
        assert one.level == "warn"
        assert one.remedy
        assert CANARY not in one.found


# Reach, clock, hours ------------------------------------------------------------------------------


def test_reach() -> None:
    """A host that answers, one that speaks no TLS, one that is not there, what is no address."""
    with serving_apart(Endpoint()) as endpoint:
        assert reach(endpoint.url, 5) == ""
        assert reach(endpoint.url.replace("http:", "ws:"), 5) == ""
        assert "does not speak TLS" in reach(endpoint.url.replace("http:", "https:"), 5)
        assert endpoint.asked == []
    assert "cannot be reached" in reach(f"http://127.0.0.1:{dead_port()}/{CANARY}", 5)
    for url in (
        CANARY,
        "mailto://x",
        "http://",
        "http://[",
        "http://127.0.0.1:99999/",
        "http://" + "a" * 80,
    ):
        problem = reach(url, 5)
        assert problem
        assert CANARY not in problem


def test_the_clock_is_kept_or_not() -> None:
    """What the kernel says, in words: kept, not kept, kept badly, not said."""
    levels = [
        machine.clock_kept(one).level
        for one in (Sync(True, 0.02), Sync(False, 16.0), Sync(True, 1.5), None)
    ]
    assert levels == ["ok", "warn", "warn", "ok"]
    assert sync() is None or isinstance(sync(), Sync)


def test_the_clock_of_the_disk(tmp_path: Path) -> None:
    """A stamp between two readings, give or take a second; a share with a clock of its own."""
    assert machine.stamped(tmp_path, NOW, NOW + 1, NOW + 2).level == "ok"
    assert machine.stamped(tmp_path, NOW, NOW - SECOND_NS, NOW).level == "ok"
    late = machine.stamped(tmp_path, NOW, NOW + 3 * SECOND_NS, NOW)
    assert (late.level, "3.0 s off" in late.found) == ("warn", True)
    assert machine.stamped(tmp_path, NOW, NOW - 90 * SECOND_NS, NOW).level == "warn"
    # A clock that says 2026-07-01 whenever it is asked is not the disk's.
    assert machine.disk_clock(SetClock([1 * DAY_NS]), tmp_path).level == "warn"
    assert machine.disk_clock(SetClock([NOW]), tmp_path / "gone").level == "warn"


@pytest.mark.parametrize(
    ("second", "level"), [(0, "ok"), (-1, "fail"), (3599, "ok"), (3600, "fail")]
)
def test_hours_are_half_open(second: int, level: str) -> None:
    """From the earliest second on, and until the latest, which is out."""
    bounds = Check.model_validate({"earliest": "06:00", "latest": "07:00"})
    assert surroundings.hours(bounds, NOW + (6 * 3600 + second) * SECOND_NS).level == level
