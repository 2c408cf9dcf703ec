-- Venues number executions for each symbol, so two symbols may use the same number (S4).

CREATE TABLE fills_before AS SELECT * FROM fills;
DROP TABLE fills;
CREATE TABLE fills (
    venue        TEXT NOT NULL,
    account      TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    intent_id    TEXT NOT NULL,
    trade_id     TEXT NOT NULL,
    leg          TEXT NOT NULL,         -- entry, stop, target, exit
    symbol       TEXT NOT NULL,
    strategy     TEXT NOT NULL,
    side         TEXT NOT NULL,
    quantity     TEXT NOT NULL,
    price        TEXT NOT NULL,         -- before costs
    fill         TEXT NOT NULL,         -- after costs
    filled_ns    INTEGER NOT NULL,
    day          INTEGER NOT NULL,
    spread       TEXT NOT NULL,
    slippage     TEXT NOT NULL,
    fee          TEXT NOT NULL,
    pnl          TEXT NOT NULL,
    rate         TEXT NOT NULL,
    PRIMARY KEY (venue, account, symbol, execution_id)
);
INSERT INTO fills SELECT * FROM fills_before;
DROP TABLE fills_before;
