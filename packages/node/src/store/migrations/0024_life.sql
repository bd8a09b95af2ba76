-- Why a machine was suspended, as its owner said on the ledger: told in the log behind that of the state. One without a row has no reason.
CREATE TABLE suspension_reasons (
  machine_id  numeric(78,0) NOT NULL,
  reason      text   NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  PRIMARY KEY (machine_id, block, log_index)
);

-- What the log's account has signed of what was erased, for ever (docs/protocol/life.md).
CREATE TABLE erasures (
  erasure_id  int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  machine_id  numeric(78,0) NOT NULL,
  statement   jsonb  NOT NULL,
  signature   bytea  NOT NULL
);
CREATE INDEX erasures_by_machine ON erasures (machine_id);

-- Of an erased envelope, as of an archived one, only the bytes leave.
ALTER TABLE envelopes ADD COLUMN erasure_id int;
ALTER TABLE envelopes DROP CONSTRAINT envelopes_somewhere;
ALTER TABLE envelopes ADD CONSTRAINT envelopes_somewhere
  CHECK ((raw IS NULL) = (archive_id IS NOT NULL OR erasure_id IS NOT NULL)) NOT VALID;

-- What has left for a file, few or none of most machines: asked for by whoever buys or erases one.
CREATE INDEX envelopes_archived ON envelopes (machine_id, stream) WHERE archive_id IS NOT NULL;

-- Signed statements of makers about a machine's design and its parts: COSE_Sign1, kept as they came.
CREATE TABLE machine_records (
  record_id   bytea  NOT NULL,                    -- SHA-256 of raw
  machine_id  numeric(78,0) NOT NULL,
  kind        text   NOT NULL CHECK (kind IN ('design', 'build')),
  issuer      text   NOT NULL,
  subject     text   NOT NULL,
  raw         bytea  NOT NULL,
  added_by    bytea  NOT NULL,
  added_ms    bigint NOT NULL,
  PRIMARY KEY (machine_id, record_id)
);
