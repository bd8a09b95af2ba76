-- The hours of machines, as the ledger tells of them (docs/protocol/rights.md). Hours of a week are 21 bytes, the last bit being Monday 00:00.
CREATE TABLE calendar_zones (
  machine_id  numeric(78,0) NOT NULL,
  zone        text   NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  PRIMARY KEY (machine_id, block, log_index)
);

-- What is on sale to anybody: the newest of a machine, until the machine changes hands. A price of 0: nothing.
CREATE TABLE hour_offers (
  machine_id      numeric(78,0) NOT NULL,
  asset           bytea  NOT NULL,
  price_per_hour  numeric(78,0) NOT NULL,
  open_bits       bytea  NOT NULL,
  until_week      bigint NOT NULL,
  block           bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index       int    NOT NULL,
  PRIMARY KEY (machine_id, block, log_index)
);

CREATE TABLE usage_rights (
  right_id        numeric(78,0) PRIMARY KEY,
  machine_id      numeric(78,0) NOT NULL,
  first_week      bigint NOT NULL,
  weeks_count     int    NOT NULL,
  hours_per_week  int    NOT NULL,
  bits            bytea  NOT NULL,
  block           bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  tx_hash         bytea  NOT NULL,
  at_ms           bigint NOT NULL
);
CREATE INDEX usage_rights_by_end ON usage_rights (machine_id, (first_week + weeks_count));

CREATE TABLE right_owners (
  right_id   numeric(78,0) NOT NULL,
  owner      bytea  NOT NULL,
  block      bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index  int    NOT NULL,
  PRIMARY KEY (right_id, block, log_index)
);
CREATE INDEX right_owners_by_owner ON right_owners (owner, right_id);

-- Whom a right is lent to, until when in seconds. The zero address: nobody.
CREATE TABLE right_users (
  right_id   numeric(78,0) NOT NULL,
  borrower      bytea  NOT NULL,
  expires    numeric(20,0) NOT NULL,
  block      bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index  int    NOT NULL,
  PRIMARY KEY (right_id, block, log_index)
);
CREATE INDEX right_users_by_user ON right_users (borrower, right_id);

-- Hours booked or given back: of one week they are to be combined by XOR.
CREATE TABLE right_hours (
  right_id   numeric(78,0) NOT NULL,
  week       bigint NOT NULL,
  bits       bytea  NOT NULL,
  kind       text   NOT NULL CHECK (kind IN ('booked', 'cancelled')),
  block      bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index  int    NOT NULL,
  PRIMARY KEY (right_id, week, block, log_index)
);

CREATE TABLE right_sales (
  right_id   numeric(78,0) PRIMARY KEY,
  buyer      bytea  NOT NULL,
  seller     bytea  NOT NULL,
  asset      bytea  NOT NULL,
  amount     numeric(78,0) NOT NULL,
  block      bigint NOT NULL REFERENCES blocks ON DELETE CASCADE
);
