-- The journal is the authority; orders, fills, trades, equity and portfolio_days are projections
-- of it, written in the same transaction and rebuildable. Amounts and prices are decimal text,
-- instants are UTC nanoseconds, days are proleptic ordinals.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE journal (
    seq     INTEGER PRIMARY KEY,
    at_ns   INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    payload BLOB NOT NULL,              -- canonical JSON of the entry
    chain   BLOB NOT NULL               -- BLAKE2b-128 over the previous chain and this payload
);

CREATE TABLE snapshots (
    seq     INTEGER PRIMARY KEY,        -- state after this journal entry
    at_ns   INTEGER NOT NULL,
    payload BLOB NOT NULL,
    digest  TEXT NOT NULL
);

-- Ids are hashes: a table clustered by them would touch a page of wide rows for every insert. As
-- ordinary tables rows are appended and only a narrow index is in hash order (10-20 % less CPU).

CREATE TABLE orders (
    intent_id  TEXT PRIMARY KEY,
    seq        INTEGER NOT NULL,
    purpose    TEXT NOT NULL,           -- entry, exit
    trade_id   TEXT NOT NULL,
    symbol     TEXT NOT NULL,
    strategy   TEXT NOT NULL,
    side       TEXT NOT NULL,           -- long, short
    type       TEXT NOT NULL,           -- market, stop
    quantity   TEXT NOT NULL,
    filled     TEXT NOT NULL,
    trigger    TEXT,
    stop       TEXT,
    state      TEXT NOT NULL,
    code       TEXT NOT NULL,
    decided_ns INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL
);

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
    PRIMARY KEY (venue, account, execution_id)
);

CREATE TABLE trades (
    trade_id     TEXT PRIMARY KEY,
    seq          INTEGER NOT NULL,      -- of the closing fill; 0 while open
    portfolio_id TEXT NOT NULL,
    run_id       TEXT NOT NULL,
    version      TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    strategy     TEXT NOT NULL,
    side         TEXT NOT NULL,
    quantity     TEXT NOT NULL,
    trading_day  INTEGER NOT NULL,      -- of the entry while open, of the exit once closed
    signal_ns    INTEGER NOT NULL,
    entry_ns     INTEGER NOT NULL,
    entry_price  TEXT NOT NULL,
    entry_fill   TEXT NOT NULL,
    stop         TEXT,                  -- the first stop, the one that R is measured with
    target       TEXT,
    exit_ns      INTEGER,
    exit_price   TEXT,
    exit_fill    TEXT,
    exit_reason  TEXT,
    fees         TEXT NOT NULL,
    slippage     TEXT NOT NULL,
    spread       TEXT NOT NULL,
    gross        TEXT NOT NULL,         -- before fees
    pnl          TEXT NOT NULL,         -- after fees
    risk         TEXT NOT NULL,
    r            REAL
);
CREATE INDEX trades_by_exit ON trades (exit_ns);

CREATE TABLE equity (
    seq        INTEGER PRIMARY KEY,
    at_ns      INTEGER NOT NULL,
    cash       TEXT NOT NULL,
    open_pnl   TEXT NOT NULL,
    equity     TEXT NOT NULL,
    high_water TEXT NOT NULL
);

CREATE TABLE portfolio_days (
    day            INTEGER PRIMARY KEY,
    seq            INTEGER NOT NULL,
    start_equity   TEXT NOT NULL,
    end_equity     TEXT NOT NULL,
    gross          TEXT NOT NULL,
    net            TEXT NOT NULL,
    fees           TEXT NOT NULL,
    trades         INTEGER NOT NULL,
    drawdown       REAL NOT NULL,
    open_positions INTEGER NOT NULL
);
