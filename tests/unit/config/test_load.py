"""Loading: layers, strictness, and every mistake at once (U6, P2, CFG-1)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from config.load import load
from config.settings import Settings
from state.errors import ConfigError, ExitCode

GOOD = """
[portfolio]
id = "main"
base_currency = "USD"
equity = 100_000
[risk.caps]
max_order_value = 1_000_000
max_gross_exposure = 2_000_000
max_positions = 3
max_positions_per_symbol = 1
[[strategies]]
name = "lsg"
kind = "LSG"
symbols = ["EURUSD"]
profile = "london"
"""


def write(folder: Path, text: str, name: str = "foliod.toml") -> Path:
    """Write a configuration file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, **environ: str) -> Settings:
    """Load one file with an environment."""
    return load([write(folder, text)], environ)


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    """Return the mistakes of a configuration that must be refused."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, **environ)
    return caught.value.problems


def only(folder: Path, text: str, **environ: str) -> str:
    """Return the one mistake of a configuration."""
    found = problems(folder, text, **environ)
    assert len(found) == 1, found
    return found[0]


def test_defaults_of_silent_config(tmp_path: Path) -> None:
    """A silent configuration has the defaults of R1, R2, R4, P2, E5 and E6 in force."""
    settings = loaded(tmp_path, GOOD)
    risk, pacing = settings.risk, settings.pacing
    assert (risk.daily_r_stop, risk.open_r, risk.worst_case) == (-5.0, True, False)
    assert (risk.strategy.trades_per_day, risk.strategy.r_stop) == (3, -2.0)
    assert risk.strategy.win_lock_r is None
    assert (risk.drawdown.lock_fraction, risk.drawdown.cool_off_m) == (Decimal("0.05"), 120)
    assert (pacing.spacing_s, pacing.symbol_spacing_s) == (180, 900)
    assert (pacing.per_hour, pacing.per_day) == (5, 120)
    assert (pacing.cooldown_win_m, pacing.cooldown_loss_m, pacing.cooldown_stop_m) == (10, 60, 120)
    assert (pacing.loss_streak, pacing.loss_streak_cooldown_m) == (3, 60)
    assert settings.sizing.risk_fraction == Decimal("0.005")
    assert settings.costs.slippage_min_pips == Decimal("1.0")
    assert settings.end_of_day.at == 23 * 3600 + 55 * 60


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Five mistakes in five sections are five lines, cross-checks included."""
    text = (
        GOOD.replace('base_currency = "USD"', 'base_currency = "EUR"')
        .replace("max_positions = 3", "max_positions = 0")
        .replace('symbols = ["EURUSD"]', 'symbols = ["EURUSD", "GBPUDS"]')
        + "[pacing]\nspacing_s = 3601\n[costs]\nfil = 'close'\n"
    )
    found = problems(tmp_path, text)
    where = sorted(line.split(": ")[1] for line in found)
    assert where == [
        "conversion.USD",
        "costs.fil",
        "pacing.spacing_s",
        "risk.caps.max_positions",
        'strategies[0].symbols ("lsg")',
    ]
    assert all(line.startswith(str(tmp_path / "foliod.toml")) for line in found)


def test_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    """An unknown key is refused with what was given and the nearest known name."""
    line = only(tmp_path, GOOD + "[pacing]\nspacng_s = 7\n")
    assert 'pacing.spacng_s: unknown key (given: 7); did you mean "spacing_s"?' in line


def test_key_of_another_section_is_pointed_to(tmp_path: Path) -> None:
    """A key in the wrong section is refused with the place where it belongs."""
    line = only(tmp_path, GOOD + "[costs]\nper_hour = 4\n")
    assert 'did you mean "pacing.per_hour"?' in line


def test_mistake_in_one_strategy_hides_none_elsewhere(tmp_path: Path) -> None:
    """A strategy with a wrong key still takes part in the checks between sections."""
    text = GOOD + '[[strategies]]\nname = "lsg"\nkind = "EMA"\nsymbols = ["USDJPY"]\nat_end = "x"\n'
    found = "\n".join(problems(tmp_path, text))
    assert 'strategies[1].at_end ("lsg"): found "x", allowed: "close", "hold" or "reduce"' in found
    assert "strategies[1].name" in found
    assert "conversion.JPY: no conversion of JPY to USD" in found


def test_secrets_are_not_repeated(tmp_path: Path) -> None:
    """A value under a name that looks secret never reaches a message (SEC-1)."""
    line = only(tmp_path, GOOD + '[costs]\napi_token = "canary-7731"\n')
    assert "canary" not in line
    assert "(hidden)" in line


def test_required_caps_each_named(tmp_path: Path) -> None:
    """R3's caps have no default: a configuration without [risk] lacks four keys by name."""
    head, tail = GOOD.split("[risk.caps]")
    text = head + tail[tail.index("[[strategies]]") :]
    keys = [line.split(": ")[1] for line in problems(tmp_path, text)]
    assert keys == [
        "risk.caps.max_order_value",
        "risk.caps.max_gross_exposure",
        "risk.caps.max_positions",
        "risk.caps.max_positions_per_symbol",
    ]


def test_price_side_has_no_default(tmp_path: Path) -> None:
    """A bar source that does not say bid, mid or ask is refused (I3)."""
    line = only(tmp_path, GOOD + '[[bars]]\nsymbol = "EURUSD"\npath = "x.csv"\n')
    assert "bars[0].price" in line
    assert "is required and has no default" in line


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("pacing.spacing_s", '"180"'),
        ("pacing.spacing_s", "true"),
        ("pacing.spacing_s", "180.0"),
        ("risk.open_r", "1"),
        ("risk.daily_r_stop", '"-5"'),
        ("risk.daily_r_stop", "true"),
        ("risk.daily_r_stop", "nan"),
        ("risk.daily_r_stop", "-inf"),
        ("risk.daily_r_stop", "0"),
        ("sizing.risk_fraction", "1e-400"),
        ("sizing.risk_fraction", "-1e999999"),
        ("news.impact", '"high"'),
        ("replay.commands", "1"),
        ("conversion.JPY", "1"),
    ],
)
def test_types_are_strict(tmp_path: Path, key: str, value: str) -> None:
    """Text is no number, true is no 1, 180.0 is no whole number, NaN and infinity are none."""
    section, name = key.split(".")
    assert key in only(tmp_path, f"{GOOD}[{section}]\n{name} = {value}\n")


def test_false_switches_off(tmp_path: Path) -> None:
    """What may be off is off with false, and None inside."""
    text = GOOD + "[risk]\ndaily_r_stop = false\n[risk.strategy]\nr_stop = false\n"
    settings = loaded(tmp_path, text + "trades_per_day = false\n")
    assert settings.risk.daily_r_stop is None
    assert settings.risk.strategy.r_stop is None
    assert settings.risk.strategy.trades_per_day is None


def test_money_is_exact(tmp_path: Path) -> None:
    """A decimal in the file is that decimal, not the nearest binary float."""
    settings = loaded(tmp_path, GOOD + "[instruments.EURUSD]\nspread_pips = 0.7\n")
    assert settings.instrument("EURUSD").spread_pips == Decimal("0.7")


def test_later_file_wins(tmp_path: Path) -> None:
    """Tables merge key by key, the later file wins, and a mistake names its own file."""
    first = write(tmp_path, GOOD)
    second = write(tmp_path, "[risk]\ndaily_r_stop = -3\n[pacing]\nper_hour = 2\n", "more.toml")
    settings = load([first, second], {})
    assert (settings.risk.daily_r_stop, settings.pacing.per_hour) == (-3.0, 2)
    assert settings.risk.caps.max_positions == 3
    second.write_text("[risk]\nopen_r = 3\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load([first, second], {})
    assert caught.value.problems == [f"{second}: risk.open_r: found 3, allowed: true or false"]


def test_environment_wins(tmp_path: Path) -> None:
    """FOLIOD_SECTION__KEY wins over files; nested tables, symbols and currencies included."""
    settings = loaded(
        tmp_path,
        GOOD,
        FOLIOD_RISK__DAILY_R_STOP="-4",
        FOLIOD_RISK__STRATEGY__TRADES_PER_DAY="false",
        FOLIOD_PORTFOLIO__ZONE="Europe/London",
        FOLIOD_INSTRUMENTS__EURUSD__SPREAD_PIPS="0.8",
        FOLIOD_CONVERSION__JPY="USDJPY",
        FOLIOD_NEWS__IMPACT='["high", "medium"]',
        FOLIOD_END_OF_DAY__AT="23:51:00",
        HOME="/nowhere",
    )
    assert settings.risk.daily_r_stop == -4.0
    assert settings.risk.strategy.trades_per_day is None
    assert settings.portfolio.zone == "Europe/London"
    assert settings.instrument("EURUSD").spread_pips == Decimal("0.8")
    assert settings.conversion.pairs == {"JPY": "USDJPY"}
    assert settings.news.impact == ("high", "medium")
    assert settings.end_of_day.at == 23 * 3600 + 51 * 60


def test_environment_is_strict(tmp_path: Path) -> None:
    """A variable that names no section is refused; a wrong value names its variable."""
    found = problems(
        tmp_path,
        GOOD,
        FOLIOD_RISC__OPEN_R="true",
        FOLIOD_RISK_OPEN_R="true",
        FOLIOD_PACING__PER_HOUR="many",
        FOLIOD_PACING__PER_HUOR="3",
    )
    text = "\n".join(found)
    assert 'FOLIOD_RISC__OPEN_R: no such setting; did you mean "FOLIOD_RISK__OPEN_R"?' in text
    assert 'FOLIOD_RISK_OPEN_R: no such setting; did you mean "FOLIOD_RISK__OPEN_R"?' in text
    assert 'environment: FOLIOD_PACING__PER_HOUR: pacing.per_hour: found "many"' in text
    assert 'pacing.per_huor: unknown key (given: 3); did you mean "per_hour"?' in text
    assert len(found) == 4


def test_process_environment_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the environment handed over counts, so that a replay is a function of its inputs."""
    monkeypatch.setenv("FOLIOD_RISK__DAILY_R_STOP", "-1")
    assert loaded(tmp_path, GOOD).risk.daily_r_stop == -5.0


def test_relative_paths_belong_to_their_file(tmp_path: Path) -> None:
    """Relative paths start at the folder of the file that has them; absolute ones stay."""
    folder = tmp_path / "etc"
    folder.mkdir()
    source = '[[bars]]\nsymbol = "EURUSD"\npath = "bars/a.csv"\nprice = "bid"\n'
    strategy = '[[strategies]]\nname = "own"\nkind = "own.py:Own"\nsymbols = ["EURUSD"]\n'
    text = GOOD.replace("equity", 'data_dir = "var"\nequity') + source + strategy
    settings = load([write(folder, text + '[news]\nfile = "/n.csv"\n')], {})
    assert settings.bars[0].path == folder / "bars/a.csv"
    assert settings.portfolio.data_dir == folder / "var"
    assert settings.news.file == Path("/n.csv")
    assert settings.strategies[1].kind == f"{folder}/own.py:Own"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"[portfolio\nid = 1", "not valid TOML"),
        (b"a = 1\nb = = 2\n", "line 2"),
        (b"[portfolio]\nid = '\xff'\n", "line 2: not UTF-8"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"a = " + b"9" * 5000, "not valid TOML"),
        (b"#" * 1_048_577, "larger than 1024 KiB"),
    ],
)
def test_unreadable_files(tmp_path: Path, raw: bytes, said: str) -> None:
    """A file that is no configuration is one clear line, with its name, and never a traceback."""
    path = tmp_path / "foliod.toml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load([path], {})
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert caught.value.exit_code is ExitCode.CONFIG


def test_missing_files_all_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every missing file is named; with none given, foliod.toml here is used or asked for."""
    with pytest.raises(ConfigError) as caught:
        load([tmp_path / "a.toml", tmp_path], {})
    assert "no such file" in caught.value.problems[0]
    assert "is a folder" in caught.value.problems[1]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="foliod init"):
        load([], {})
    write(tmp_path, GOOD)
    assert load([], {}).portfolio.id == "main"


def test_conversion_by_one_hop(tmp_path: Path) -> None:
    """JPY reaches EUR through USD; without the second pair the missing key is named."""
    text = GOOD.replace('base_currency = "USD"', 'base_currency = "EUR"').replace(
        '["EURUSD"]', '["EURUSD", "USDJPY"]'
    )
    good = text + '[conversion]\nJPY = "USDJPY"\nUSD = "EURUSD"\n'
    assert loaded(tmp_path, good).conversion.pairs == {"JPY": "USDJPY", "USD": "EURUSD"}
    found = problems(tmp_path, text + '[conversion]\nJPY = "USDJPY"\n')
    assert all("set conversion.USD" in line for line in found)
    assert "no pair of JPY" in "\n".join(
        problems(tmp_path, good.replace('USDJPY"\nU', 'GBPUSD"\nU'))
    )


def test_unknown_symbol_is_refused(tmp_path: Path) -> None:
    """A symbol without entry is refused with the nearest one, unless described in full (I1)."""
    text = GOOD.replace('["EURUSD"]', '["EURUSD", "TATASTEEL"]')
    entry = '[instruments.TATASTEEL]\nquote_currency = "USD"\ntick = 0.05\nlot = 1\n'
    assert "spread_pips missing" in only(tmp_path, text + entry)
    made = loaded(tmp_path, text + entry + "spread_pips = 1\n").instrument("TATASTEEL")
    assert (made.pip, made.min_quantity) == (Decimal("0.05"), Decimal(1))
    assert 'did you mean "EURUSD"?' in only(tmp_path, GOOD.replace('["EURUSD"]', '["EURUDS"]'))


def test_bars_must_be_able_to_make_the_interval(tmp_path: Path) -> None:
    """5m bars cannot be made of 15m bars; one source per symbol and interval."""
    source = '[[bars]]\nsymbol = "EURUSD"\npath = "x.csv"\nprice = "bid"\ninterval = "15m"\n'
    assert "strategies[0].interval" in only(tmp_path, GOOD + source)
    twice = GOOD + source.replace("15m", "60m") + source.replace("15m", "1h").replace("x.", "y.")
    assert "bars[1].interval" in "\n".join(problems(tmp_path, twice))


def test_zone_suggestion(tmp_path: Path) -> None:
    """A zone that does not exist is refused with the nearest one."""
    text = GOOD.replace("equity", 'zone = "Asia/Kolkatta"\nequity')
    assert 'did you mean "Asia/Kolkata"?' in only(tmp_path, text)
    text = GOOD.replace("equity", 'zone = "melbourne"\nequity')
    assert 'did you mean "Australia/Melbourne"?' in only(tmp_path, text)
