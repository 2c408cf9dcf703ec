-- Views for people with a question: amounts as numbers, instants and days as text in UTC.
-- Nothing in the program reads them. docs/reference/sql.md documents each one with a query.

CREATE VIEW closed_trades AS
SELECT
    trade_id, portfolio_id, run_id, version, symbol, strategy, side,
    CAST(quantity AS REAL)                                             AS quantity,
    date((trading_day - 719163) * 86400, 'unixepoch')                  AS trading_day,
    strftime('%Y-%m-%dT%H:%M:%SZ', signal_ns / 1000000000, 'unixepoch') AS signal_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', entry_ns / 1000000000, 'unixepoch') AS entry_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', exit_ns / 1000000000, 'unixepoch')  AS exit_at,
    (exit_ns - entry_ns) / 60000000000.0                               AS held_m,
    CAST(entry_price AS REAL)                                          AS entry_price,
    CAST(entry_fill AS REAL)                                           AS entry_fill,
    CAST(stop AS REAL)                                                 AS stop,
    CAST(target AS REAL)                                               AS target,
    CAST(exit_price AS REAL)                                           AS exit_price,
    CAST(exit_fill AS REAL)                                            AS exit_fill,
    exit_reason,
    CAST(gross AS REAL) + CAST(spread AS REAL) + CAST(slippage AS REAL) AS edge,
    CAST(spread AS REAL)                                               AS spread,
    CAST(slippage AS REAL)                                             AS slippage,
    CAST(fees AS REAL)                                                 AS fees,
    CAST(pnl AS REAL)                                                  AS pnl,
    CAST(risk AS REAL)                                                 AS risk,
    r
FROM trades
WHERE exit_ns IS NOT NULL;

CREATE VIEW open_trades AS
SELECT
    trade_id, version, symbol, strategy, side,
    CAST(quantity AS REAL)                                             AS quantity,
    strftime('%Y-%m-%dT%H:%M:%SZ', entry_ns / 1000000000, 'unixepoch') AS entry_at,
    CAST(entry_fill AS REAL)                                           AS entry_fill,
    CAST(stop AS REAL)                                                 AS stop,
    CAST(target AS REAL)                                               AS target,
    CAST(risk AS REAL)                                                 AS risk
FROM trades
WHERE exit_ns IS NULL;

CREATE VIEW results_by_engine AS
SELECT
    strategy, symbol, version,
    count(*)                                  AS trades,
    sum(pnl > 0)                              AS wins,
    avg(pnl > 0)                              AS win_rate,
    sum(r)                                    AS r,
    avg(r)                                    AS expectancy_r,
    sum(max(pnl, 0)) / nullif(-sum(min(pnl, 0)), 0) AS profit_factor,
    sum(edge)                                 AS edge,
    sum(spread)                               AS spread,
    sum(slippage)                             AS slippage,
    sum(fees)                                 AS fees,
    sum(pnl)                                  AS pnl
FROM closed_trades
GROUP BY strategy, symbol, version;

CREATE VIEW results_by_day AS
SELECT
    trading_day,
    count(*)      AS trades,
    sum(pnl > 0)  AS wins,
    sum(r)        AS r,
    sum(edge)     AS edge,
    sum(spread)   AS spread,
    sum(slippage) AS slippage,
    sum(fees)     AS fees,
    sum(pnl)      AS pnl
FROM closed_trades
GROUP BY trading_day;

CREATE VIEW results_by_month AS
SELECT
    substr(trading_day, 1, 7) AS month,
    sum(trades)               AS trades,
    sum(wins)                 AS wins,
    sum(r)                    AS r,
    sum(edge)                 AS edge,
    sum(spread)               AS spread,
    sum(slippage)             AS slippage,
    sum(fees)                 AS fees,
    sum(pnl)                  AS pnl
FROM results_by_day
GROUP BY month;

CREATE VIEW days AS
SELECT
    date((day - 719163) * 86400, 'unixepoch') AS trading_day,
    CAST(start_equity AS REAL)                AS start_equity,
    CAST(end_equity AS REAL)                  AS end_equity,
    CAST(gross AS REAL)                       AS gross,
    CAST(net AS REAL)                         AS net,
    CAST(fees AS REAL)                        AS fees,
    trades, drawdown, open_positions
FROM portfolio_days;

CREATE VIEW equity_curve AS
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', at_ns / 1000000000, 'unixepoch') AS at,
    CAST(equity AS REAL)                                            AS equity,
    CAST(open_pnl AS REAL)                                          AS open_pnl,
    1 - CAST(equity AS REAL)
        / max(CAST(equity AS REAL)) OVER (ORDER BY seq)             AS underwater
FROM equity;

CREATE VIEW denials AS
SELECT
    journal.seq,
    strftime('%Y-%m-%dT%H:%M:%SZ', journal.at_ns / 1000000000, 'unixepoch') AS at,
    json_extract(entry.body, '$.strategy')                   AS strategy,
    json_extract(entry.body, '$.symbol')                     AS symbol,
    json_extract(verdict.value, '$[0]')                      AS gate,
    json_extract(verdict.value, '$[2]')                      AS code,
    json_extract(verdict.value, '$[3]')                      AS observed,
    json_extract(verdict.value, '$[4]')                      AS "limit"
FROM journal
JOIN (SELECT seq, CAST(payload AS TEXT) AS body FROM journal WHERE kind = 'Decided') AS entry
    ON entry.seq = journal.seq
JOIN json_each(entry.body, '$.verdicts') AS verdict
WHERE json_extract(entry.body, '$.outcome') <> 'ACCEPTED'
  AND verdict.key = (
      SELECT min(one.key) FROM json_each(entry.body, '$.verdicts') AS one
      WHERE json_extract(one.value, '$[1]') = 0
  );
