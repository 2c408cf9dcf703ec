"""Detect: which dialect a file is, by its content. Adding a dialect means adding it here."""

from __future__ import annotations

from typing import Final, Protocol, cast

from adapters.feeds.files import binance, foliod, histdata, mt5, parquet, yahoo
from adapters.feeds.files.blocks import Head
from adapters.feeds.files.layout import Layout, shown
from state.errors import FeedError


class Dialect(Protocol):
    """What a dialect module has: its name, what is looked for, and ``recognise``."""

    NAME: str
    LOOKS_LIKE: str

    def recognise(self, lines: tuple[str, ...]) -> Layout | None:
        """Return the layout, or None when this is another dialect."""
        ...


_TEXT: Final = tuple(cast("Dialect", m) for m in (foliod, mt5, binance, yahoo, histdata))


def detect(head: Head, dialect: str) -> Layout:
    """Return the layout of a file; ``dialect`` is ``auto`` or the one it must be.

    Raises:
        FeedError: no dialect fits (says what was looked for and shows the first line), another one
            fits, a column is missing, or there are no rows.
    """
    try:
        return _detect(head, dialect)
    except FeedError as error:
        text = str(error)
        raise FeedError(text if text.startswith(str(head.path)) else f"{head.path}: {text}") from (
            None
        )


def _detect(head: Head, dialect: str) -> Layout:
    if head.is_parquet:
        if head.is_gzip:
            raise FeedError("is Parquet inside gzip; decompress it first")
        if dialect not in ("auto", parquet.NAME):
            raise FeedError(f"is Parquet, but dialect = {dialect!r} was set; use 'auto'")
        return parquet.recognise(head.path)
    layout = next((found for d in _TEXT if (found := d.recognise(head.lines))), None)
    if layout is None:
        looked = "\n".join(f"  {d.NAME:9} {d.LOOKS_LIKE}" for d in (*_TEXT, _PARQUET))
        raise FeedError(
            f"is no dialect foliod knows; its first line is {shown(head.lines[0])}. Looked for:\n"
            f"{looked}"
        )
    if dialect not in ("auto", layout.dialect):
        raise FeedError(f"is {layout.dialect}, but dialect = {dialect!r} was set; use 'auto'")
    if len(head.lines) <= layout.header_lines:
        raise FeedError(f"has a header and no rows: {shown(head.lines[0])}")
    return layout


_PARQUET: Final = cast("Dialect", parquet)
