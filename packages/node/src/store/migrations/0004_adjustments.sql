-- Adjustments and refunds are events of an agreement too.
ALTER TABLE agreement_events DROP CONSTRAINT agreement_events_kind_check;
ALTER TABLE agreement_events ADD CONSTRAINT agreement_events_kind_check CHECK (kind IN (
  'funded', 'settled', 'skipped', 'escrow-short', 'collected', 'credited', 'position-transferred', 'closed', 'adjusted', 'refunded'));

-- Registers of final periods with what came for them when they were final, after each envelope that moved them.
CREATE TABLE metered_late (
  agreement_id bytea NOT NULL,
  meter        smallint NOT NULL,
  period       int   NOT NULL,
  seq          bigint NOT NULL,
  register     numeric(78,0) NOT NULL,
  PRIMARY KEY (agreement_id, meter, period, seq)
);

-- Signed adjustments that equal the node's own computation: one a period.
CREATE TABLE adjustments (
  agreement_id  bytea NOT NULL,
  period        int   NOT NULL,
  amount        numeric(78,0) NOT NULL,
  evidence_head bytea NOT NULL,
  heads         jsonb NOT NULL,
  signature     bytea NOT NULL,                   -- as the contract wants it: low s
  received_ms   bigint NOT NULL,
  attempts      int    NOT NULL DEFAULT 0,        -- how often the ledger refused it
  PRIMARY KEY (agreement_id, period)
);
