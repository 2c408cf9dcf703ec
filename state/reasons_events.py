"""Reason codes of orders, exits, plans, bars and engines."""

from __future__ import annotations

from typing import Final

from state.reason import Reason, bar, exit_, order, plan

EVENTS: Final = (
    order(
        "JOURNAL_BLOCKED",
        "daemon",
        "The disk takes no entry of the journal, or no bar of a live feed's recording. What is not "
        "on the disk is not sent, so the entry order was kept back and entries are halted; exits "
        "and protection go on in memory and are written when the disk takes them.",
        "Free space on the disk or mend it; `foliod status` says what is wrong. Then look at what "
        "happened and lift the halt: `foliod reset journal`.",
    ),
    order("NO_BAR", "order", "No bar opened within one interval of the decision, so the entry was "
           "cancelled instead of filled at an old wish.",
           "Usual before weekends and holidays; otherwise look for gaps with `foliod bars FILE`."),
    order("LAST_ENTRY", "order", "The last-entry time came before the order was filled.",
           "Nothing: a working entry never outlives its last-entry time."),
    order("LEVEL_ALREADY_CROSSED", "order", "At the price of the fill the stop or the target had "
           "already been passed, so the trade would have closed at once.",
           "Nothing: the market gapped over the plan."),
    order("HALT", "order", "A halt for the portfolio cancelled the working entry.",
           "Look at the halt: `foliod status` names it."),
    order("STRATEGY_CANCEL", "order", "The strategy withdrew its working entry.", "Nothing."),
    order("TRADE_CLOSED", "order", "The trade of the order closed, so what remained of the order "
           "was cancelled.", "Nothing."),
    order("PAPER_REJECT", "paper broker", "The paper broker was told to reject this order, as a "
           "rehearsal.", "Nothing; switch the rehearsal off if you did not mean it."),
    order("NO_POSITION", "desk", "The strategy asked for an exit and had no position.",
           "Nothing: the position had closed already."),
    order("NO_ORDER", "desk", "The strategy withdrew an entry and had no working order.",
           "Nothing: the order had ended already."),
    order("FILL_UNREADABLE", "desk: broker", "The broker told a fill that cannot be: quantity, "
           "price, costs, side, instant or names are none. It is kept as told.",
           "Look at the account; the entry `FillSuspended` has the broker's words."),
    order("FILL_TOLD_DIFFERENTLY", "desk: broker", "The broker told an execution of a number that "
           "is known, and says something else of it. The first one counts.",
           "Look at the account: a correction of the venue, or two fills of one number."),
    order("FILL_UNKNOWN_ORDER", "desk: broker", "The broker told a fill of an order that is not "
           "open and not among the last that ended.",
           "Look at the account: another program or person may trade on it."),
    order("FILL_NOT_OF_ORDER", "desk: broker", "The broker told a fill of an order, and symbol, "
           "side, kind or trade are not those of that order.", "Look at the account."),
    order("FILL_OTHER_SIDE", "desk: broker", "An order filled late while its engine holds a trade "
           "to the other side, so it could not join that.",
           "Look at the account: the two may have closed each other there."),
    order("FILL_NOTHING_OPEN", "desk: broker", "The broker told that an exit filled, and its trade "
           "is not open: stop and exit may both have filled.",
           "Look at the account: what was sold twice is open to the other side."),
    order("FILL_TOO_LARGE", "desk: broker", "The broker filled more than was ordered or is open. "
           "What fits is booked, the rest is kept as told.",
           "Look at the account: the rest is open there and in no book."),
    exit_("TP", "The target was reached.", "Nothing."),
    exit_("SL", "The stop was reached, a trailed or widened one too; at a gap, the first tradable "
          "price beyond it.", "Nothing."),
    exit_("TIME", "The time-stop closed the position: the end of its window, or `flatten_before_s` "
          "earlier.", "Nothing. `at_end` sets the policy: close, hold or reduce."),
    exit_("SIGNAL", "The strategy asked for the exit.", "Nothing."),
    exit_("FLATTEN", "The position was closed by a flatten: an operator, the kill switch at level "
          "`flatten`, or the R-stop with `risk.flatten = true`.",
          "Find out which: the journal has the halt or the command at the same instant."),
    exit_("REDUCE", "Part of the position was closed at the end of the window; the rest is held.",
          "Nothing. `reduce_fraction` sets the part."),
    exit_("END", "The replay ended and was told to close what was open at the last close.",
          "Nothing. Without `--close-at-end` positions stay open and are reported."),
    plan("TRAIL", "The stop followed the close of a bar.", "Nothing."),
    plan("WIDENED", "Stop and target were widened for the night.", "Nothing."),
    plan("HELD", "The rest of a reduced position is held.", "Nothing."),
    plan("OVERNIGHT_RISK", "The plan was not widened: the loss at the wider stop would be more "
          "than `max_overnight_r` initial risks.", "Nothing: the stop of before goes on. "
          "`max_overnight_r` sets the limit.", "loss at the wider stop, base currency",
          "`max_overnight_r` x initial risk, base currency"),
    plan("OVERNIGHT_NO_ROOM", "The plan was not widened: the nights before have used up "
          "`overnight_widen_max_fraction`, or what is left is less than half a tick.",
          "Nothing: the stop of before goes on.", "distance so far, distance left",
          "`overnight_widen_max_fraction` x entry price"),
    plan("OVERNIGHT_LEVEL", "The plan was not widened: a level would be at or below zero.",
          "Nothing: the plan of before goes on.", "the level", "above 0"),
    plan("OVERNIGHT_HALTED", "The plan was not widened: a wider stop is more risk, and a kill "
          "switch or halt in force admits none.", "Look at the halt: `foliod status` names it.",
          "the kill switch's level, or the names of the halts", "no halt"),
    bar("NOT_FINITE", "A price is missing, not a number or infinite.", "Repair the source."),
    bar("NOT_POSITIVE", "A price is zero or negative.", "Repair the source."),
    bar("HIGH_TOO_LOW", "The high is below the open or the close.", "Repair the source."),
    bar("LOW_TOO_HIGH", "The low is above the open or the close.", "Repair the source."),
    bar("DUPLICATE", "A row of the same instant came before; the first one counts.",
         "Nothing, or write the file without the duplicates."),
    bar("UNREADABLE_NUMBER", "A price or volume is not a number.",
         "Look at the line named with it: decimal commas, thousands separators, missing fields."),
    bar("UNREADABLE_TIME", "The time of the row cannot be read in the file's dialect.",
         "Look at the line named with it, and at the dialect that `foliod bars FILE` found."),
    bar("WRONG_FIELDS", "The row has too few or too many fields.",
         "Look at the line named with it: a torn last line, or another separator."),
    Reason("ENGINE_QUARANTINED", "engine", "The strategy raised. Its engine decides nothing more "
           "in this run and its working entry was cancelled; its open position stays protected "
           "and the rest of the portfolio goes on.", "", "",
           "Read the traceback in the journal, correct the strategy, start again.",
           kind="engine"),
)  # fmt: skip
