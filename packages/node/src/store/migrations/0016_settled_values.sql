-- Which readings a settled meter value covers. meter_values forgets a value when a higher one of its period comes.
CREATE TABLE settled_values (
  agreement_id  bytea NOT NULL,
  period        int   NOT NULL,
  as_of         bigint NOT NULL,
  evidence_head bytea NOT NULL,
  heads         jsonb NOT NULL,                   -- [{stream, seq}]
  PRIMARY KEY (agreement_id, period, as_of, evidence_head)
);

-- Whether a settlement proved more than those of its period before it, and which was the first to cover an envelope.
CREATE INDEX agreement_events_settled ON agreement_events (agreement_id, period, block, log_index) WHERE kind = 'settled';
