"""News files are read strictly, every mistake at once (W4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.news import read_events
from state.errors import ConfigError, FeedError
from state.news import NewsEvent
from state.units import HOUR_NS, MINUTE_NS

HEADER = "date,time_utc,currencies,impact,title\n"
# 2017-03-15 is 17,240 days after 1970-01-01.
DAY = 17_240 * 24 * HOUR_NS


def write(folder: Path, text: str) -> Path:
    """Write a news file."""
    path = folder / "news.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_events_come_sorted_with_currencies_taken_apart(tmp_path: Path) -> None:
    """Either separator, any case, quoted titles, a byte-order mark and blank lines are fine."""
    path = write(
        tmp_path,
        "\ufeff" + HEADER + '2017-03-15,18:30,USD,High,"Press, live"\n'
        "\n2017-03-15,18:00:30,usd|EUR;gbp,high,Statement\n",
    )
    assert read_events(path) == (
        NewsEvent(
            DAY + 18 * HOUR_NS + MINUTE_NS // 2,
            frozenset({"USD", "EUR", "GBP"}),
            "high",
            "Statement",
        ),
        NewsEvent(DAY + 18 * HOUR_NS + 30 * MINUTE_NS, frozenset({"USD"}), "high", "Press, live"),
    )


def test_every_bad_line_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    """Line, value and remedy for each; a good line does not save the file."""
    path = write(
        tmp_path,
        HEADER + "2017-03-15,18:00,USD,high,Good\n"
        "2017-02-30,18:00,USD,high,No such day\n"
        "2017-03-15,All Day,USD,hihg,Two mistakes\n"
        "2017-03-15,18:00,,high,None\n"
        "2017-03-15,18:00,US$,high,Code\n"
        "2017-03-15,18:00,USD,high,A title, unquoted\n",
    )
    with pytest.raises(FeedError) as caught:
        read_events(path)
    moment = "expected YYYY-MM-DD and HH:MM or HH:MM:SS in UTC"
    assert str(caught.value).splitlines() == [
        f"{path}: line 3: instant '2017-02-30' '18:00', {moment}",
        f"{path}: line 4: impact 'hihg', allowed: high, medium, low, none, did you mean high?; "
        f"instant '2017-03-15' 'All Day', {moment}",
        f"{path}: line 5: no currency; write codes like USD or USD|EUR",
        f"{path}: line 6: currency 'US$' is not a code like USD",
        f"{path}: line 7: expected 5 fields, found 6; quote a title that has commas",
    ]


@pytest.mark.parametrize("text", ["", "date,time,currencies,impact,title\n2017-03-15,1,2,3,4\n"])
def test_another_header_is_refused(tmp_path: Path, text: str) -> None:
    """A file of another kind is not guessed at."""
    with pytest.raises(FeedError, match="line 1: expected the header date,time_utc"):
        read_events(write(tmp_path, text))


def test_a_long_list_of_mistakes_is_cut(tmp_path: Path) -> None:
    """Twenty lines are shown, the rest counted."""
    with pytest.raises(FeedError, match="and 5 more lines") as caught:
        read_events(write(tmp_path, HEADER + "x\n" * 25))
    assert len(str(caught.value).splitlines()) == 21


def test_a_missing_or_unreadable_file_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """No guard is not the same as no news."""
    with pytest.raises(ConfigError, match=r"news file .* cannot be read"):
        read_events(tmp_path / "none.csv")
    (tmp_path / "news.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_events(tmp_path / "news.csv")
