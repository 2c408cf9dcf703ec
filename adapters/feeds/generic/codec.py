"""A generic socket on the wire: bars as JSON, found by the names of their fields.

An object that has none of the price and time fields is no bar and yields nothing (an answer, a
heartbeat); one that has some of them but not all is refused. A bar of a symbol that this codec was
not made with is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from adapters.feeds.frames import bar, decoded, instant_ns, shown, stamp_ns
from adapters.feeds.generic.messages import UNITS, Fields, Missing, Path
from adapters.feeds.generic.plain import plain_reader
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import BarUpdate, Event, FrameError, checked_side
from state.bars import Bar
from state.errors import ConfigError

NAME: Final = "generic"

_ANY: Final = msgspec.json.Decoder()
_PRICES: Final = ("open", "high", "low", "close")
_TRUE: Final = (True, 1, "1", "true", "True")
_FALSE: Final = (False, 0, "0", "false", "False")
_MOST_BARS: Final = 5000


class GenericCodec:
    """Bars of one interval for the symbols it was made with.

    ``subscribe`` is what to send after connecting: ``{symbol}`` stands for one venue symbol (the
    text is sent once for each), ``{symbols}`` for all of them joined by commas (sent once),
    ``{key}`` for the key. Other braces stand for themselves.
    """

    name = NAME

    def __init__(
        self,
        symbols: Mapping[str, str],
        fields: Fields,
        *,
        interval_ns: int,
        side: str,
        subscribe: str = "",
        key: str = "",
    ) -> None:
        """Take foliod's symbols with the socket's, and where things are.

        Raises:
            ConfigError: a path, unit, interval or side that cannot be; several symbols and no
                field that tells them apart; a template that asks for a key that is not given.
        """
        self.side = checked_side(NAME, side)
        self._symbols = VenueSymbols(NAME, symbols)
        self._interval_ns = interval_ns
        self._subscribe = subscribe
        self._key = key
        self._paths = {
            name: Path(getattr(fields, name), name)
            for name in ("open_time", *_PRICES, "volume", "symbol", "closed", "bars")
        }
        self._unit = fields.unit
        self._check(fields)
        back = {name: symbol for symbol, name in symbols.items()}
        self._plain = plain_reader(fields, back, interval_ns)

    def _check(self, fields: Fields) -> None:
        for name in ("open_time", *_PRICES):
            if not getattr(fields, name):
                raise ConfigError(f"{NAME}: expected the name of the {name} field, found none")
        if fields.unit not in UNITS:
            raise ConfigError(
                f"{NAME}: expected a unit of {', '.join(UNITS)}, found {shown(fields.unit)}"
            )
        if self._interval_ns <= 0:
            raise ConfigError(f"{NAME}: expected an interval above 0, found {self._interval_ns} ns")
        if not fields.symbol and len(self._symbols.names) > 1:
            raise ConfigError(f"{NAME}: expected the name of the symbol field for several symbols")
        if "{key}" in self._subscribe and not self._key:
            raise ConfigError(f"{NAME}: the subscription asks for a key and none is given")

    def hello(self) -> Sequence[bytes]:
        """Return the subscriptions, with the key where the template has its place."""
        if not self._subscribe:
            return ()
        text = self._subscribe.replace("{key}", self._key)
        if "{symbol}" in text:
            return tuple(text.replace("{symbol}", one).encode() for one in self._symbols.names)
        return (text.replace("{symbols}", ",".join(self._symbols.names)).encode(),)

    def decode(self, frame: bytes | str) -> Sequence[Event]:
        """Return the bars of one frame.

        Raises:
            FrameError: it is not as the fields say; the key is not in the text.
        """
        update = self._plain(frame) if self._plain is not None else None
        if update is not None:
            return (update,)
        try:
            return self._events(decoded(NAME, _ANY, frame))
        except FrameError:
            text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
            if self._key and self._key in text:
                raise FrameError(
                    f"{NAME}: expected bars as the fields say, found a frame that repeats the key; "
                    "it is not shown"
                ) from None
            raise

    def _events(self, whole: Any) -> Sequence[Event]:  # noqa: ANN401  (JSON of any shape)
        found = self._paths["bars"].of(whole)
        if found is Missing:
            return ()
        if not isinstance(found, list):
            found = [found]
        if len(found) > _MOST_BARS:
            raise FrameError(f"{NAME}: expected at most {_MOST_BARS} bars, found {len(found)}")
        made = [self._update(one) for one in found]
        return tuple([one for one in made if one is not None])

    def _update(self, one: Any) -> BarUpdate | None:  # noqa: ANN401
        needed = {name: self._paths[name].of(one) for name in ("open_time", *_PRICES)}
        missing = [name for name, value in needed.items() if value is Missing]
        if len(missing) == len(needed):
            return None
        if missing:
            raise FrameError(
                f"{NAME}: expected {missing[0]} at {shown(self._paths[missing[0]].text)}, "
                "found the other fields of a bar without it"
            )
        symbol = self._symbol(one)
        return BarUpdate(symbol, self._interval_ns, self._bar(one, needed), self._closed(one))

    def _bar(self, one: Any, needed: dict[str, Any]) -> Bar:  # noqa: ANN401
        volume = None
        if self._paths["volume"].text:
            volume = self._paths["volume"].of(one)
            if volume is Missing:
                raise FrameError(
                    f"{NAME}: expected volume at {shown(self._paths['volume'].text)}, found none"
                )
        prices = (needed["open"], needed["high"], needed["low"], needed["close"])
        open_ns = self._instant(needed["open_time"])
        return bar(open_ns, self._interval_ns, prices, volume, "generic: bar")

    def _symbol(self, one: Any) -> str:  # noqa: ANN401
        if not self._paths["symbol"].text:
            return self._symbols.symbol(self._symbols.names[0])
        name = self._paths["symbol"].of(one)
        if not isinstance(name, str):
            raise FrameError(
                f"{NAME}: expected a symbol at {shown(self._paths['symbol'].text)}, "
                f"found {'none' if name is Missing else shown(name)}"
            )
        return self._symbols.symbol(name)

    def _closed(self, one: Any) -> bool:  # noqa: ANN401
        if not self._paths["closed"].text:
            return True
        flag = self._paths["closed"].of(one)
        if flag in _TRUE:
            return True
        if flag in _FALSE:
            return False
        raise FrameError(
            f"{NAME}: expected true or false at {shown(self._paths['closed'].text)}, "
            f"found {'none' if flag is Missing else shown(flag)}"
        )

    def _instant(self, value: Any) -> int:  # noqa: ANN401
        where = f"{NAME}: open time"
        if self._unit == "iso":
            if isinstance(value, str):
                return stamp_ns(value, where, zoned=True)
        elif isinstance(value, str) and value.isdecimal() and value.isascii() and len(value) < 20:
            return instant_ns(int(value), UNITS[self._unit], where)
        elif isinstance(value, int) and not isinstance(value, bool):
            return instant_ns(value, UNITS[self._unit], where)
        raise FrameError(f"{where}: expected a count of {self._unit}, found {shown(value)}")

    def __repr__(self) -> str:
        """Name the source; neither template nor key."""
        return f"GenericCodec({', '.join(self._symbols.names)})"
