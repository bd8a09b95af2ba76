-- Machines that many own (docs/protocol/vault.md). Every row stands in a block, and goes with it.

CREATE TABLE vaults (
  vault       bytea  PRIMARY KEY,
  governor    bytea  NOT NULL,
  timelock    bytea  NOT NULL,
  founder     bytea  NOT NULL,
  name        text   NOT NULL,
  symbol      text   NOT NULL,
  asset       bytea,                              -- told right behind the creation, in the same transaction
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  tx_hash     bytea  NOT NULL,
  at_ms       bigint NOT NULL
);
CREATE INDEX vaults_by_place ON vaults (block, log_index);

-- Those that a vault began with.
CREATE TABLE vault_machines (
  vault       bytea  NOT NULL,
  machine_id  numeric(78,0) NOT NULL,
  position    int    NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  PRIMARY KEY (vault, position)
);
CREATE INDEX vault_machines_by_machine ON vault_machines (machine_id);

-- What holds of a vault since then, until the next row of the same name: phase, operator, waterfall, sale, an offer, a setting of its governor.
CREATE TABLE vault_facts (
  vault       bytea  NOT NULL,
  name        text   NOT NULL,
  value       jsonb  NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (vault, name, block, log_index)
);
CREATE INDEX vault_facts_operators ON vault_facts (value) WHERE name = 'operator';

-- One row an account whose shares a transfer changed; of the zero account, all shares that exist.
CREATE TABLE share_moves (
  vault       bytea  NOT NULL,
  account     bytea  NOT NULL,
  delta       numeric(78,0) NOT NULL,
  shares      numeric(78,0) NOT NULL,             -- after it
  other       bytea  NOT NULL,                    -- whom they went to or came from; zero: made or burned
  per_share   numeric(78,0) NOT NULL,             -- of income in blocks before: what these shares have not earned
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  tx_hash     bytea  NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (vault, account, block, log_index)
);
CREATE INDEX share_moves_by_account ON share_moves (account);

CREATE TABLE share_delegates (
  vault       bytea  NOT NULL,
  account     bytea  NOT NULL,
  delegate    bytea  NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  PRIMARY KEY (vault, account, block, log_index)
);

CREATE TABLE share_votes (
  vault       bytea  NOT NULL,
  account     bytea  NOT NULL,
  votes       numeric(78,0) NOT NULL,             -- from then on
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (vault, account, block, log_index)
);
CREATE INDEX share_votes_by_account ON share_votes (account);

-- The allow-list that a vault's operator keeps.
CREATE TABLE share_allowed (
  vault       bytea  NOT NULL,
  account     bytea  NOT NULL,
  allowed     boolean NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  PRIMARY KEY (vault, account, block, log_index)
);

CREATE TABLE vault_incomes (
  vault       bytea  NOT NULL,
  minor       numeric(78,0) NOT NULL,
  reserve     numeric(78,0) NOT NULL,
  lender      numeric(78,0) NOT NULL,
  fees        numeric(78,0) NOT NULL,
  owners      numeric(78,0) NOT NULL,
  sole_owner  bytea,                              -- whose it was when the vault was no longer many people's
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  tx_hash     bytea  NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (vault, block, log_index)
);

-- What a share has earned by the end of a block with income, in 2^-96 of a smallest unit, as the contract reckons it.
CREATE TABLE income_records (
  vault       bytea  NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,                    -- of the newest income of the block
  owners      numeric(78,0) NOT NULL,             -- the owners' part of all its incomes
  supply      numeric(78,0) NOT NULL,             -- shares at its end
  per_share   numeric(78,0) NOT NULL,             -- of all blocks up to this one
  remainder   numeric(78,0) NOT NULL,
  tx_hash     bytea  NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (vault, block)
);

-- What accounts got beside their shares, and (negative) were paid of it: a lender, a fee, the founder's proceeds.
CREATE TABLE vault_credits (
  vault       bytea  NOT NULL,
  account     bytea  NOT NULL,
  minor       numeric(78,0) NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  PRIMARY KEY (vault, account, block, log_index)
);
CREATE INDEX vault_credits_by_account ON vault_credits (account);

-- Money and shares that moved between a vault and somebody.
CREATE TABLE vault_payments (
  vault       bytea  NOT NULL,
  kind        text   NOT NULL,                    -- bought, refunded, claimed, credit-paid, spent, redeemed, refused (an offer)
  account     bytea  NOT NULL,
  other       bytea,                              -- who paid, or was paid, where that is another
  shares      numeric(78,0) NOT NULL,
  minor       numeric(78,0) NOT NULL,
  words       text   NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  tx_hash     bytea  NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (vault, block, log_index)
);
CREATE INDEX vault_payments_by_account ON vault_payments (vault, account, kind);

CREATE TABLE vault_proposals (
  vault            bytea  NOT NULL,
  proposal_id      numeric(78,0) NOT NULL,
  proposer         bytea  NOT NULL,
  calls            jsonb  NOT NULL,               -- [{target, value, data}]
  description      text   NOT NULL,
  description_hash bytea  NOT NULL,               -- of the words as they were given
  snapshot_s       bigint NOT NULL,
  deadline_s       bigint NOT NULL,
  operation_id     bytea  NOT NULL,               -- in the timelock
  block            bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index        int    NOT NULL,
  tx_hash          bytea  NOT NULL,
  at_ms            bigint NOT NULL,
  PRIMARY KEY (vault, proposal_id)
);
CREATE INDEX vault_proposals_by_place ON vault_proposals (vault, block, log_index);
CREATE INDEX vault_proposals_by_operation ON vault_proposals (vault, operation_id);

CREATE TABLE proposal_votes (
  vault       bytea  NOT NULL,
  proposal_id numeric(78,0) NOT NULL,
  voter       bytea  NOT NULL,
  support     smallint NOT NULL,                  -- 0 against, 1 for, 2 abstain
  weight      numeric(78,0) NOT NULL,
  reason      text   NOT NULL,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  log_index   int    NOT NULL,
  tx_hash     bytea  NOT NULL,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (vault, proposal_id, voter)
);

CREATE TABLE proposal_steps (
  vault       bytea  NOT NULL,
  proposal_id numeric(78,0) NOT NULL,
  step        text   NOT NULL CHECK (step IN ('queued', 'executed', 'canceled')),
  eta_s       bigint,
  block       bigint NOT NULL REFERENCES blocks ON DELETE CASCADE,
  at_ms       bigint NOT NULL,
  PRIMARY KEY (vault, proposal_id, step)
);

-- A reorganisation asks for rows by block.
CREATE INDEX vault_machines_by_block ON vault_machines (block);
CREATE INDEX vault_facts_by_block ON vault_facts (block);
CREATE INDEX share_moves_by_block ON share_moves (block);
CREATE INDEX share_delegates_by_block ON share_delegates (block);
CREATE INDEX share_votes_by_block ON share_votes (block);
CREATE INDEX share_allowed_by_block ON share_allowed (block);
CREATE INDEX vault_incomes_by_block ON vault_incomes (block);
CREATE INDEX income_records_by_block ON income_records (block);
CREATE INDEX vault_credits_by_block ON vault_credits (block);
CREATE INDEX vault_payments_by_block ON vault_payments (block);
CREATE INDEX vault_proposals_by_block ON vault_proposals (block);
CREATE INDEX proposal_votes_by_block ON proposal_votes (block);
CREATE INDEX proposal_steps_by_block ON proposal_steps (block);
