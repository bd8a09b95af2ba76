-- Orders as their makers signed them, and what the ledger says became of them. Times of orders in seconds, as signed.
CREATE TABLE market_orders (
  order_id    bytea PRIMARY KEY,
  position    bigint GENERATED ALWAYS AS IDENTITY,
  side        text  NOT NULL CHECK (side IN ('sale', 'offer')),
  kind        text  NOT NULL CHECK (kind IN ('machine', 'receivable', 'right', 'share')),
  maker       bytea NOT NULL,
  token       bytea NOT NULL,
  token_id    numeric(78,0),                      -- null: shares
  agreement_id bytea,                             -- of a receivable: its token_id
  amount      numeric(78,0) NOT NULL,             -- smallest units of the share, 1 of all else
  price_minor numeric(78,0) NOT NULL,
  start_s     bigint NOT NULL,
  end_s       bigint NOT NULL,
  counter     numeric(78,0) NOT NULL,
  order_json  jsonb NOT NULL,
  signature   bytea NOT NULL,
  posted_ms   bigint NOT NULL
);
CREATE INDEX market_orders_by_maker ON market_orders (maker, end_s);
CREATE INDEX market_orders_by_end ON market_orders (end_s);

CREATE TABLE market_fills (
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  tx_hash     bytea  NOT NULL,
  order_id    bytea  NOT NULL,
  kind        text   NOT NULL,
  maker       bytea  NOT NULL,
  taker       bytea  NOT NULL,
  token       bytea  NOT NULL,
  token_id    numeric(78,0),
  amount      numeric(78,0) NOT NULL,
  price_minor numeric(78,0) NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (block, log_index)
);
CREATE INDEX market_fills_by_order ON market_fills (order_id);
CREATE INDEX market_fills_by_token ON market_fills (token, token_id);

CREATE TABLE market_cancellations (
  order_id  bytea  NOT NULL,
  block     bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index int    NOT NULL,
  PRIMARY KEY (order_id, block, log_index)
);

-- A new counter cancels all that its maker signed before.
CREATE TABLE market_counters (
  maker     bytea  NOT NULL,
  counter   numeric(78,0) NOT NULL,
  block     bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index int    NOT NULL,
  PRIMARY KEY (maker, block, log_index)
);
