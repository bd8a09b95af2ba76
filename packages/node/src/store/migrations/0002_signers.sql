-- One signature of an attestor over many meter values: they can be relayed together only.
CREATE TABLE attestations (
  attestation_id bytea PRIMARY KEY,               -- the EIP-712 digest that was signed
  signer_kind    smallint NOT NULL,
  signer         bytea NOT NULL,
  signature      bytea NOT NULL,                  -- as the contract wants it: low s
  items          jsonb NOT NULL,                  -- the meter values in the order signed, those not accepted too
  received_ms    bigint NOT NULL
);

-- Null: the value has a signature of its own, or is owed by time and needs none (an empty one).
ALTER TABLE meter_values ADD COLUMN attestation_id bytea REFERENCES attestations;
CREATE INDEX meter_values_by_attestation ON meter_values (attestation_id) WHERE attestation_id IS NOT NULL;
