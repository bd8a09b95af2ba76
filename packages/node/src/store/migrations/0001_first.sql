-- Everything the node knows. What came from the ledger carries its block, so that a reorganisation is a DELETE of
-- what lies above the common ancestor; what came from devices is kept for ever.
-- Digests, hashes, addresses: bytea. Money and quantities: numeric(78,0). Times: bigint, ms since 1970, from the node's clock.

-- ── ledger ───────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE blocks (
  number      bigint PRIMARY KEY,
  hash        bytea  NOT NULL,
  time_ms     bigint NOT NULL,
  has_events  boolean NOT NULL                    -- blocks without any mark only how far the follower has come
);

CREATE TABLE machines (
  machine_id    numeric(78,0) PRIMARY KEY,
  controller    numeric(78,0) NOT NULL,           -- 0: signs for itself
  block         bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  registered_ms bigint NOT NULL
);

CREATE TABLE machine_owners (
  machine_id  numeric(78,0) NOT NULL,
  owner       bytea  NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (machine_id, block, log_index)
);

CREATE TABLE machine_states (
  machine_id  numeric(78,0) NOT NULL,
  state       text   NOT NULL CHECK (state IN ('registered', 'active', 'suspended', 'decommissioned')),
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (machine_id, block, log_index)
);

-- A row opens a key epoch, or (key_id null) says that the epoch's key was revoked.
CREATE TABLE machine_keys (
  machine_id  numeric(78,0) NOT NULL,
  epoch       bigint NOT NULL,
  key_id      bytea,
  curve       smallint,
  verifier    bytea,
  x           bytea,
  y           bytea,
  heads       jsonb  NOT NULL DEFAULT '[]',       -- [{stream, seq, digest}] that close the epoch before
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (machine_id, block, log_index)
);
CREATE INDEX machine_keys_by_key ON machine_keys (key_id);

CREATE TABLE agreements (
  agreement_id bytea PRIMARY KEY,
  machine_id   numeric(78,0) NOT NULL,
  payer        bytea NOT NULL,
  payee        bytea NOT NULL,
  asset        bytea NOT NULL,
  terms        jsonb NOT NULL,                    -- termsToJson of the protocol package
  block        bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  tx_hash      bytea  NOT NULL,
  opened_ms    bigint NOT NULL
);
CREATE INDEX agreements_by_machine ON agreements (machine_id);

-- Every later event of an agreement, as it happened; sums over it are the ledger's view of money.
CREATE TABLE agreement_events (
  block        bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index    int    NOT NULL,
  tx_hash      bytea  NOT NULL,
  agreement_id bytea  NOT NULL,
  kind         text   NOT NULL CHECK (kind IN ('funded', 'settled', 'skipped', 'escrow-short', 'collected', 'credited', 'position-transferred', 'closed')),
  period       int,
  as_of        bigint,                            -- seconds, as signed
  amount       numeric(78,0),                     -- funded, paid now, missing, collected, credited, refunded
  detail       jsonb  NOT NULL DEFAULT '{}',      -- the event's other fields, decimal strings and 0x strings
  at_ms        bigint NOT NULL,
  PRIMARY KEY (block, log_index)
);
CREATE INDEX agreement_events_by_agreement ON agreement_events (agreement_id, kind);

CREATE TABLE withdrawals (
  block      bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index  int    NOT NULL,
  tx_hash    bytea  NOT NULL,
  account    bytea  NOT NULL,
  asset      bytea  NOT NULL,
  amount     numeric(78,0) NOT NULL,
  at_ms      bigint NOT NULL,
  PRIMARY KEY (block, log_index)
);

CREATE TABLE anchors (
  log        bytea  NOT NULL,
  size       bigint NOT NULL,
  root       bytea  NOT NULL,
  block      bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  tx_hash    bytea  NOT NULL,
  at_ms      bigint NOT NULL,
  PRIMARY KEY (log, size)
);

-- One intent, one nonce lineage. A transaction is stored, signed, before it is sent.
CREATE TABLE outbox (
  intent_id   text PRIMARY KEY,                   -- chosen by the sender, so that asking twice is asking once
  kind        text NOT NULL,
  to_address  bytea,
  data        bytea NOT NULL,
  position    bigint GENERATED ALWAYS AS IDENTITY, -- order of asking
  nonce       bigint UNIQUE,
  raw         bytea,
  tx_hash     bytea,                              -- of raw; once included, of the one that was
  earlier     bytea[] NOT NULL DEFAULT '{}',      -- hashes of the same nonce with lower fees: any of them may be mined
  status      text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'sent', 'included', 'final', 'reverted')),
  block       bigint,
  error       text,
  created_ms  bigint NOT NULL,
  updated_ms  bigint NOT NULL
);
CREATE INDEX outbox_open ON outbox (status) WHERE status IN ('queued', 'sent', 'included');

-- ── evidence ─────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE envelopes (
  log_index   bigint PRIMARY KEY,                 -- position in the evidence log, from 0, without holes
  digest      bytea  NOT NULL UNIQUE,
  machine_id  numeric(78,0) NOT NULL,             -- the measured machine
  stream      text   NOT NULL,
  signer_id   numeric(78,0) NOT NULL,             -- the machine whose key signed: itself or its controller
  kid         bytea  NOT NULL,
  epoch       bigint NOT NULL,
  seq         bigint NOT NULL,
  prev        bytea  NOT NULL,
  iat         bigint NOT NULL,
  first_ms    bigint NOT NULL,                    -- time of the first and last reading (declaration: from, to)
  last_ms     bigint NOT NULL,
  readings    int    NOT NULL,
  logged_at   bigint NOT NULL,
  code        text   NOT NULL,                    -- admission
  declaration boolean NOT NULL,                   -- it says something of the stream instead of carrying readings
  raw         bytea  NOT NULL
);
CREATE INDEX envelopes_by_stream ON envelopes (machine_id, stream, seq);
CREATE INDEX envelopes_by_time ON envelopes (machine_id, stream, last_ms);
CREATE INDEX envelopes_by_log ON envelopes (machine_id, stream, log_index);

-- Hashes of complete subtrees: level 0 are the leaves.
CREATE TABLE log_nodes (
  level  smallint NOT NULL,
  idx    bigint   NOT NULL,
  hash   bytea    NOT NULL,
  PRIMARY KEY (level, idx)
);

CREATE TABLE checkpoints (
  size       bigint PRIMARY KEY,
  root       bytea  NOT NULL,
  timestamp  bigint NOT NULL,
  signature  bytea  NOT NULL
);

-- Counted for ever; the newest few of each code are kept as samples.
CREATE TABLE refusal_counts (
  machine_id  numeric(78,0) NOT NULL,             -- 0: no machine could be named
  code        text   NOT NULL,
  count       bigint NOT NULL,
  PRIMARY KEY (machine_id, code)
);

CREATE TABLE refusals (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  machine_id  numeric(78,0) NOT NULL,
  code        text   NOT NULL,
  message     text   NOT NULL,
  at_ms       bigint NOT NULL,
  sample      bytea                               -- at most the first 1,024 bytes
);
CREATE INDEX refusals_by_machine ON refusals (machine_id, id DESC);

-- Minute rollups of numeric readings, for charts. `value` in the reading's own unit.
CREATE TABLE rollups (
  machine_id  numeric(78,0) NOT NULL,
  stream      text   NOT NULL,
  name        text   NOT NULL,
  minute_ms   bigint NOT NULL,
  unit        text,
  count       int    NOT NULL,
  min         double precision NOT NULL,
  max         double precision NOT NULL,
  sum         double precision NOT NULL,
  last        double precision NOT NULL,
  PRIMARY KEY (machine_id, stream, name, minute_ms)
);

-- ── metering ─────────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE machine_names (
  machine_id  numeric(78,0) PRIMARY KEY,
  name        text NOT NULL
);

-- Rules are known by their hash; a description is accepted if it has it.
CREATE TABLE rules (
  rule_hash   bytea PRIMARY KEY,
  rule        jsonb NOT NULL,
  position    bigint GENERATED ALWAYS AS IDENTITY -- order in which they were last posted
);

-- One fold an agreement and meter. `cursor` is the log index up to which it has read; state and cursor move in one transaction.
CREATE TABLE folds (
  agreement_id bytea NOT NULL,
  meter        smallint NOT NULL,                 -- index into the terms
  machine_id   numeric(78,0) NOT NULL,
  stream       text  NOT NULL,
  start_seq    bigint NOT NULL,                   -- first seq metered
  cursor       bigint NOT NULL DEFAULT -1,
  state        jsonb NOT NULL,
  held_until_ms bigint,                           -- it waits for a missing seq, which is given up then
  backlog      boolean NOT NULL DEFAULT false,    -- more than one portion can be folded of what it has read
  PRIMARY KEY (agreement_id, meter)
);
CREATE INDEX folds_by_stream ON folds (machine_id, stream);

-- One row an envelope and period it moved: the register after it. Also the verdict of the fold.
CREATE TABLE metered (
  agreement_id bytea NOT NULL,
  meter        smallint NOT NULL,
  seq          bigint NOT NULL,
  period       int   NOT NULL,                    -- -1: moved no period
  register     numeric(78,0) NOT NULL,
  digest       bytea NOT NULL,
  code         text  NOT NULL,
  covered      boolean NOT NULL,                  -- the fold's head came by it; not so for late and second ones
  last_ms      bigint,                            -- last reading covered so far; null: none yet, or out of line
  PRIMARY KEY (agreement_id, meter, period, seq, digest)
);
CREATE INDEX metered_by_digest ON metered (digest);

-- What would be owed now: the newest registers, money and heads of a period.
CREATE TABLE owed (
  agreement_id bytea NOT NULL,
  period       int   NOT NULL,
  registers    numeric(78,0)[] NOT NULL,
  as_of        bigint NOT NULL,                   -- seconds
  owed_minor   numeric(78,0) NOT NULL,            -- min(tariff, cap)
  heads        jsonb NOT NULL,                    -- [{stream, seq}]
  updated_ms   bigint NOT NULL,
  PRIMARY KEY (agreement_id, period)
);

-- Signed meter values that equal the node's own computation.
CREATE TABLE meter_values (
  agreement_id  bytea NOT NULL,
  period        int   NOT NULL,
  as_of         bigint NOT NULL,
  registers     numeric(78,0)[] NOT NULL,
  evidence_head bytea NOT NULL,
  heads         jsonb NOT NULL,
  signature     bytea NOT NULL,                   -- as the contract wants it: low s
  owed_minor    numeric(78,0) NOT NULL,
  received_ms   bigint NOT NULL,
  intent_id     text,                             -- the outbox intent that carries it
  attempts      int    NOT NULL DEFAULT 0,        -- how often the ledger skipped it
  retry_ms      bigint NOT NULL DEFAULT 0,        -- not before
  problem       text,                             -- why the ledger skipped it last
  given_up      boolean NOT NULL DEFAULT false,
  PRIMARY KEY (agreement_id, period, as_of, evidence_head)
);
