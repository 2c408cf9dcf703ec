-- What was open as a portfolio day ended, and what protected it (S3).

CREATE TABLE day_positions (
    day            INTEGER NOT NULL,
    trade_id       TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    symbol         TEXT NOT NULL,
    strategy       TEXT NOT NULL,
    side           TEXT NOT NULL,
    quantity       TEXT NOT NULL,
    entry          TEXT NOT NULL,         -- mean fill, after costs
    stop           TEXT,
    target         TEXT,
    trail_distance REAL,                  -- price units; null: the stop does not trail
    time_stop_ns   INTEGER,               -- null: held
    open_pnl       TEXT NOT NULL,         -- at mark, before exit costs
    risk           TEXT NOT NULL,         -- initial
    PRIMARY KEY (day, trade_id)
);

CREATE VIEW nights AS
SELECT
    date((day - 719163) * 86400, 'unixepoch') AS trading_day,
    symbol, strategy, side, trade_id,
    CAST(quantity AS REAL)                    AS quantity,
    CAST(entry AS REAL)                       AS entry,
    CAST(stop AS REAL)                        AS stop,
    CAST(target AS REAL)                      AS target,
    trail_distance,
    strftime('%Y-%m-%dT%H:%M:%SZ', time_stop_ns / 1000000000, 'unixepoch') AS time_stop,
    CAST(open_pnl AS REAL)                    AS open_pnl,
    CAST(risk AS REAL)                        AS risk
FROM day_positions;
