"""Reason codes of live feeds: of prices, bars, gaps, silence and lines."""

from __future__ import annotations

from typing import Final

from state.reason import feed

FEED: Final = (
    feed("LATE_TICK", "feed: prices",
     "A price came for an interval that was closed already. It was dropped: a bar that was decided "
     "on is never rewritten.",
     "A few are usual. Many: compare this machine's clock with the venue's, or raise "
     "the grace after a bar's end."),
    feed("CROSSED", "feed: prices", "A quote has a bid above its ask.",
     "Nothing for a few of them; otherwise ask the venue."),
    feed("NOT_TRADEABLE", "feed: prices",
     "The venue takes no orders at the quote, so it makes no bar.",
     "Nothing: usual while the market is closed."),
    feed("FROM_FUTURE", "feed: prices and bars",
     "A price or a closed bar is stamped later than this machine's clock allows.",
     "Set the clock of this machine (`timedatectl` says whether it is synchronised). If it is "
     "right, the source's stamps are wrong."),
    feed("LATE_BAR", "feed: bars",
     "A bar came after the grace of its interval and after a later bar was accepted, or it is from "
     "before the feed was started.",
     "Nothing: it never rewrites a decision. Often: the source is slow or sends old bars again."),
    feed("OUT_OF_ORDER", "feed: bars", "A bar came in time, yet after a later one was accepted.",
     "Nothing; often: the source, or a proxy before it, reorders."),
    feed("REVISED", "feed: bars",
     "A second bar of an accepted interval came with other prices. The first one counts.",
     "Nothing: strategies have decided on the first. Often: the source sends forming bars as "
     "closed ones."),
    feed("WRONG_SYMBOL", "feed: prices and bars",
     "The source sent a symbol that nobody asked it for.",
     "Look at the venue symbols of the instruments."),
    feed("WRONG_INTERVAL", "feed: bars",
     "A bar is not of the interval asked for, or does not begin where such intervals begin, "
     "counted from 00:00 UTC.",
     "Look at the interval of the feed, and at the time zone of the source's stamps."),
    feed("INCOMPLETE", "feed: bars",
     "The line was not up for the whole interval, so high and low are not known to be true.",
     "Nothing: usual once after a connect or a lost line. A source with history has the bar "
     "filled in."),
    feed("OFF_COLLAR", "feed: bars",
     "A price of the bar is further from the last accepted close than the collar allows.",
     "Look at the market. If the price is true, later bars that agree with each other are accepted "
     "again by themselves."),
    feed("FEED_GAP", "feed: bars",
     "Bars are missing where the market was expected to be open. They are asked for from the "
     "source's history when it has one.",
     "Nothing once they are filled in; the line says from when to when."),
    feed("GAP_UNFILLED", "feed: history",
     "The history had no bars for some of the gap, or nobody to ask: strategies go on without "
     "them.",
     "Usual for minutes in which nobody traded; otherwise compare with another source."),
    feed("FILL_FAILED", "feed: history",
     "Asking the source's history failed. Nothing was invented in its place.",
     "Read the error beside it: address, key, limits of the venue."),
    feed("FEED_STALE", "feed: silence",
     "No bar came by the instant at which the next one was due. Pings prove nothing: only bars do.",
     "See whether the venue is in maintenance and whether the market is really open; the session "
     "connects anew by itself."),
    feed("FRAME_REFUSED", "feed: line",
     "A message of the venue is not what it documents; it was dropped.",
     "Some after a change at the venue mean that the program must follow: it never guesses."),
    feed("FRAME_TOO_LARGE", "feed: line",
     "A message is larger than the limit, so the line was dropped.",
     "Raise the limit only if the venue documents such messages."),
    feed(
        "VENUE_CLOSED",
        "feed: venue",
        "The venue says that it is halted or in maintenance, or that it takes no orders for a "
        "symbol (OANDA's prices say so). Entries, of the symbol or of all, are halted until then.",
        "Nothing: the halt `venue` or `venue/SYMBOL` ends when the venue says that it is open.",
    ),
    feed("VENUE_REFUSED", "feed: line",
     "The venue said no, and asking again cannot help.",
     "Look at key, account and symbols; the venue's words stand beside the code."),
    feed("LINE_LOST", "feed: line", "The line could not be opened, or ended.",
     "Nothing: the session connects anew, each time after a longer pause."),
    feed("RECORD_FAILED", "feed: recorder",
     "A message (`record_frames = true`) could not be written to the recording.",
     "Look at the disk and at the folder; the feed goes on, and the messages have a hole. Bars "
     "wait for the disk instead."),
    feed("LINE_SILENT", "feed: line",
     "The line is open, yet no price came on it for too long, so it was dropped and opened anew.",
     "Nothing once prices flow; otherwise ask the venue."),
)  # fmt: skip
