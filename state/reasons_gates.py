"""Reason codes of gates: one answer of each gate that allows, and every one that denies."""

from __future__ import annotations

from typing import Final

from state.reason import Reason, allow

GATES: Final = (
    Reason(
        "KILL_SWITCH",
        "kill",
        "The kill switch is set. No entry passes and working entries are cancelled; exits and "
        "protective orders go on. At level `flatten` every position is being closed too.",
        "level of the switch and the reason given with it",
        "none",
        "Find out who set it and why. Remove the kill file if there is one, then reset the switch "
        "by name. It never resets itself, not even by a restart.",
    ),
    allow("KILL_CLEAR", "kill", "The kill switch is not set.", "none", "none"),
    Reason(
        "HALTED",
        "halts",
        "Entries are halted by an operator or a circuit breaker. Positions keep their protection.",
        "name, code and reason of each halt in force",
        "no halt",
        "`foliod status` shows since when. Clear the cause, then resume; a halt of a breaker is "
        "reset by its name.",
    ),
    Reason(
        "HEALTH_BELOW",
        "halts",
        "The health gate judged the portfolio's last days at the end of a day, and a threshold was "
        "not kept. Entries are halted under the name `health`; positions keep their protection.",
        "Sharpe ratio of the daily returns, or largest fall of the days' equity",
        "the least Sharpe ratio, or the largest drawdown, of `[risk.health]`",
        "Find out what changed (`foliod report month`). `foliod reset health` lifts it and begins "
        "the record of days anew, so that it is judged again after `min_days`.",
    ),
    Reason(
        "LATE_FILL",
        "halts",
        "An order filled after the broker had said that it was cancelled or rejected. The fill "
        "stands and its position is protected; entries are halted, because books and broker did "
        "not agree on what was working.",
        "the execution and its lots",
        "no fill of an order that ended",
        "Compare the broker's account with `foliod status`, then `foliod reset late_fill`.",
    ),
    Reason(
        "BROKER_DIFFERS",
        "halts",
        "The broker told what the book cannot take: a fill of an order that nobody knows, of "
        "another symbol, of more than was ordered, of something that is not open, or no number at "
        "all. It is kept as it was told and nothing is booked of it; entries are halted under the "
        "name `broker`, exits and protection go on.",
        "what is not booked, as the broker told it",
        "what the book can take",
        "Compare the broker's account with `foliod status`, put right at the broker what should "
        "not be there, then `foliod reset broker`.",
    ),
    allow(
        "HALTS_CLEAR",
        "halts",
        "No halt of an operator or breaker is in force.",
        "no halt",
        "no halt",
    ),
    Reason(
        "OUTSIDE_WINDOW",
        "window",
        "The instant T of the decision, or the open of the deciding bar, lies in no window of the "
        "strategy. A signal at exactly the end of a window is outside.",
        "the instant, UTC",
        "the strategy's windows",
        "Usual at the edges of a session. If it is not, compare `foliod show windows` with what "
        "you meant: zone, weekdays, daylight saving time, holidays.",
    ),
    Reason(
        "AFTER_LAST_ENTRY",
        "window",
        "The window is still open, but its last-entry time has come: what opens now would have "
        "too little time before the time-stop.",
        "the instant, UTC",
        "the last-entry time, UTC",
        "Nothing, or set a later `last_entry` in the strategy's window.",
    ),
    allow(
        "WINDOW_OPEN",
        "window",
        "A window of the strategy is open and takes entries.",
        "the instant, UTC",
        "the strategy's windows",
    ),
    Reason(
        "NEWS_GUARD",
        "news",
        "An announcement that moves one of the symbol's currencies is near, or the symbol's "
        "currencies are not known.",
        "title, currencies, impact and instant of the nearest event, and its distance",
        "minutes before and after an event without entries",
        "Wait. If the event is wrong, correct the news file; `[news]` sets the minutes and the "
        "impacts that count.",
    ),
    allow(
        "NO_NEWS",
        "news",
        "No guarded event is near.",
        "the instant, UTC",
        "minutes before and after an event",
    ),
    Reason(
        "STALE_BAR",
        "freshness",
        "The last bar of the symbol is older than its limit, so the price of this decision is "
        "not today's price.",
        "age of the last bar, seconds",
        "intervals, and the same in seconds",
        "Look at the feed: `foliod status` shows its age. Entries resume with the first fresh bar.",
    ),
    Reason(
        "NO_RATE",
        "freshness, sizing",
        "No price of the conversion pair is known yet, so value and risk cannot be told in the "
        "base currency.",
        "no rate",
        "largest age of a rate, seconds",
        "Add bars of the pair named in `[conversion]`, or wait for its first bar. Exits pass.",
    ),
    Reason(
        "STALE_RATE",
        "freshness",
        "The last price of the conversion pair is older than its limit.",
        "age of the rate, seconds",
        "largest age, seconds",
        "Look at the feed of the conversion pair; `conversion.stale_after_s` sets the limit.",
    ),
    allow(
        "FRESH",
        "freshness",
        "The bar and the conversion rate are fresh enough.",
        "ages of bar and rate, seconds",
        "limits in intervals and seconds",
    ),
    Reason(
        "ABNORMAL_VOLATILITY",
        "volatility",
        "The deciding bar's true range is far above what was usual before it, or what was usual is "
        "not known yet: a price like that may be news, an error or nobody else trading.",
        "true range of the bar, in ATR(14) of the bars before it",
        "largest range in ATR(14)",
        "Nothing: entries resume with the next usual bar, exits pass at any time. "
        "`risk.volatility_atr` sets the limit, `false` switches it off.",
    ),
    allow(
        "VOLATILITY_WITHIN",
        "volatility",
        "The bar's range is not above the limit.",
        "true range of the bar, in ATR(14) of the bars before it",
        "largest range in ATR(14)",
    ),
    Reason(
        "POSITION_OPEN",
        "position",
        "This engine has an open position. An engine holds one position at a time.",
        "side and lots of the position",
        "no position, no entry order",
        "Nothing: the signal is lost on purpose. It may enter again once the position has closed.",
    ),
    Reason(
        "ORDER_WORKING",
        "position",
        "This engine has an entry order in flight: recorded, sent, working, partly filled, or of "
        "unknown outcome.",
        "side, lots and state of the order",
        "no position, no entry order",
        "Nothing while it works. An order in state UNKNOWN needs its outcome from the venue.",
    ),
    allow(
        "ENGINE_FLAT",
        "position",
        "The engine has neither a position nor an entry order.",
        "no position, no entry order",
        "no position, no entry order",
    ),
    Reason(
        "R_STOP_REACHED",
        "r_stop",
        "The portfolio's R of the trading day (realised, and open R at mark unless switched off) "
        "is at or below the daily R-stop. It is latched: entries stay denied until the trading "
        "day rolls, even if open positions recover and across restarts.",
        "R of the day; `(latched)` after it when the day was closed earlier",
        "daily R-stop, R",
        "Stop for the day. Entries resume with the next trading day in the portfolio's zone. "
        "`risk.daily_r_stop` sets the limit.",
    ),
    Reason(
        "R_STOP_WORST_CASE",
        "r_stop",
        "If every open position, every working order and this trade were stopped out, the day "
        "would end below the daily R-stop.",
        "R realised, R at risk in positions and orders, R of this trade at its stop",
        "daily R-stop, R",
        "Nothing: entries resume when open risk shrinks. `risk.worst_case = false` switches the "
        "test off.",
    ),
    allow(
        "R_WITHIN",
        "r_stop",
        "The portfolio's R of the trading day is above the daily R-stop.",
        "R of the day",
        "daily R-stop, R; or off",
    ),
    Reason(
        "STRATEGY_TRADES",
        "strategy_day",
        "The strategy has had its entries of the trading day, over all its symbols.",
        "entries that count today",
        "entries a day",
        "Nothing until the day rolls. `risk.strategy.trades_per_day` sets the limit.",
    ),
    Reason(
        "STRATEGY_R_STOP",
        "strategy_day",
        "The strategy's realised R of the trading day is at or below its stop. It is latched "
        "until the trading day rolls.",
        "the strategy's realised R today",
        "the strategy's R-stop, R",
        "Nothing until the day rolls. `risk.strategy.r_stop` sets the limit.",
    ),
    Reason(
        "STRATEGY_WIN_LOCK",
        "strategy_day",
        "The strategy has won enough for the trading day and keeps it. It is latched until the "
        "trading day rolls.",
        "the strategy's realised R today",
        "the strategy's win-lock, R",
        "Nothing until the day rolls. `risk.strategy.win_lock_r` sets the limit; leave it out to "
        "switch it off.",
    ),
    allow(
        "STRATEGY_WITHIN",
        "strategy_day",
        "The strategy's day has room for this entry.",
        "entries that count today, realised R today",
        "the three limits; or off",
    ),
    Reason(
        "DRAWDOWN_LOCK",
        "drawdown",
        "Equity fell too far below its high-water mark and the portfolio is locked for the "
        "cool-off. Deposits and withdrawals neither cause nor lift it.",
        "depth at which it locked, the mark in base currency, and the time left",
        "depth that locks, percent of the mark",
        'With `rearm = "auto"` it re-arms by itself, with the equity of that moment as the new '
        'mark; with `"manual"` reset `drawdown` by name when you have understood the loss.',
    ),
    allow(
        "DRAWDOWN_WITHIN",
        "drawdown",
        "The drawdown lock is not in force.",
        "not locked",
        "depth that locks, percent of the mark; or off",
    ),
    Reason(
        "MAX_ORDER_VALUE",
        "order_value",
        "The order is worth more than one order may be.",
        "value of the order, base currency",
        "largest value, base currency",
        "Risk less a trade, or raise `risk.caps.max_order_value`. A tight stop makes a large "
        "order: look at the distance of the stop first.",
    ),
    Reason(
        "MAX_GROSS_EXPOSURE",
        "gross_exposure",
        "With this order, positions and orders in flight would be worth more than the cap. Orders "
        "of unknown outcome count at their worst.",
        "gross exposure with this order, base currency",
        "largest gross exposure, base currency",
        "Wait for a position to close, or raise `risk.caps.max_gross_exposure`.",
    ),
    Reason(
        "MAX_POSITIONS",
        "positions",
        "The portfolio has as many positions and entry orders in flight as it may have.",
        "positions and entry orders now, plus this one",
        "most positions",
        "Wait for one to close, or raise `risk.caps.max_positions`.",
    ),
    Reason(
        "MAX_POSITIONS_SYMBOL",
        "positions_symbol",
        "The symbol has as many positions and entry orders in flight as it may have, over all "
        "strategies.",
        "positions and entry orders of the symbol now, plus this one",
        "most positions of a symbol",
        "Wait for one to close, or raise `risk.caps.max_positions_per_symbol`.",
    ),
    Reason(
        "LIMIT_MISSING",
        "order_value, gross_exposure, positions, positions_symbol",
        "No cap is configured. A cap that nobody chose protects nobody, so every entry is refused.",
        "no cap configured",
        "a cap",
        "Set all four caps of `[risk.caps]`.",
    ),
    Reason(
        "PRICE_MISSING",
        "order_value, gross_exposure",
        "A price or a conversion rate is missing, so the value cannot be told.",
        "no price or rate",
        "the cap, base currency",
        "Look at the feeds of the open symbols and of the conversion pairs.",
    ),
    allow(
        "CAP_WITHIN",
        "order_value, gross_exposure, positions, positions_symbol",
        "The cap is kept with this order.",
        "value in base currency, or a number of positions",
        "the cap",
    ),
    Reason(
        "LOSS_STREAK",
        "loss_streak",
        "Several trades in a row lost, over the whole portfolio, and all entries rest for a while.",
        "time left",
        "losses in a row, and minutes of rest",
        "Wait, or clear the cooldown `loss_streak` by name. A further loss starts it again; a win "
        "ends the run, not the cooldown.",
    ),
    allow(
        "NO_STREAK",
        "loss_streak",
        "No loss-streak cooldown runs.",
        "none",
        "losses in a row, and minutes of rest; or off",
    ),
    Reason(
        "DAILY_CAP",
        "per_day",
        "The portfolio has had its entries of the trading day.",
        "entries that count today",
        "entries a day",
        "Nothing until the day rolls. `pacing.per_day` sets the limit.",
    ),
    Reason(
        "HOURLY_CAP",
        "per_hour",
        "The portfolio has had its entries of the last 3600 seconds. An entry exactly 3600 s ago "
        "no longer counts.",
        "entries that count in the rolling hour",
        "entries an hour",
        "Wait: `foliod status` shows when the next entry is allowed. `pacing.per_hour` sets the "
        "limit.",
    ),
    Reason(
        "SPACING",
        "spacing",
        "Another entry, of any engine, was accepted too short a time ago.",
        "time since the last entry, seconds",
        "least distance, seconds",
        "Wait. `pacing.spacing_s` sets the distance, 0 switches it off.",
    ),
    Reason(
        "SYMBOL_COOLDOWN",
        "symbol_cooldown",
        "A trade in this symbol closed not long ago; the symbol rests, for longer after a loss "
        "and longest after a losing stop.",
        "time left, and outcome and instant of the trade",
        "minutes of rest by outcome",
        "Wait, or clear the cooldown of the symbol by name. `foliod show cooldowns` lists them.",
    ),
    allow(
        "NO_COOLDOWN",
        "symbol_cooldown",
        "No cooldown runs in this symbol.",
        "none",
        "minutes of rest by outcome",
    ),
    Reason(
        "SYMBOL_SPACING",
        "symbol_spacing",
        "Another entry in this symbol was accepted too short a time ago.",
        "time since the symbol's last entry, seconds",
        "least distance, seconds",
        "Wait. `pacing.symbol_spacing_s` sets the distance, 0 switches it off.",
    ),
    allow(
        "PACE_WITHIN",
        "per_day, per_hour, spacing, symbol_spacing",
        "The limit is kept with this entry.",
        "entries that count, or time since the last one",
        "the limit; or off",
    ),
    Reason(
        "NO_RISK_DISTANCE",
        "sizing",
        "The stop is at the entry price or on its wrong side, so the trade has no risk to size by.",
        "distance from the deciding close or trigger to the stop, price units",
        "more than 0",
        "The strategy asked for an impossible stop. Look at its signal with `foliod why`.",
    ),
    Reason(
        "STOP_TOO_CLOSE",
        "sizing, order",
        "The stop is nearer to the entry than the instrument's least distance (or, where it has "
        "none, than spread + 2 x slippage): costs alone would stop the trade out. A working order "
        "is cancelled with the same code when its fill would be too near to the stop.",
        "distance to the stop, price units",
        "least distance, price units",
        "Usual in quiet markets. `instruments.SYMBOL.min_stop` sets the least distance.",
    ),
    Reason(
        "SIZE_BELOW_MINIMUM",
        "sizing",
        "Risking the configured fraction of equity, rounded down to the lot step, gives less than "
        "the smallest legal order.",
        "the arithmetic of the size",
        "smallest quantity",
        "Risk more a trade (`sizing.risk_fraction`), or leave the symbol out: the account is too "
        "small for it.",
    ),
    allow("SIZED", "sizing", "The entry has a legal size.", "quantity and its arithmetic", "legal"),
)
