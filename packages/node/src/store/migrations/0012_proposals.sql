-- Agreements that one party has proposed to the other: the terms with the proposer's signature, for the other one to open them with.
-- Only these two may see them. Whether one was accepted, the ledger says.
CREATE TABLE proposals (
  proposal_id  bytea   PRIMARY KEY,                -- the agreement's id: the EIP-712 digest of the terms
  position     bigint  GENERATED ALWAYS AS IDENTITY,
  proposer     bytea   NOT NULL,
  counterparty bytea   NOT NULL,
  terms        jsonb   NOT NULL,                   -- termsToJson of the protocol package
  rules        jsonb   NOT NULL,                   -- in the order of the meters
  signature    bytea   NOT NULL,                   -- of the proposer, over the terms
  fund_minor   numeric(78,0) NOT NULL,             -- what the payer is asked to put into escrow at first
  message      text    NOT NULL,
  replaces     bytea   REFERENCES proposals ON DELETE SET NULL,
  created_ms   bigint  NOT NULL,
  open_by_ms   bigint  NOT NULL,
  answer       text    CHECK (answer IN ('declined', 'withdrawn', 'replaced')),
  answer_words text,
  answered_ms  bigint
);
CREATE INDEX proposals_by_proposer ON proposals (proposer, position);
CREATE INDEX proposals_by_counterparty ON proposals (counterparty, position);
-- An offer is answered by one counter-offer at most.
CREATE UNIQUE INDEX proposals_by_replaced ON proposals (replaces);
