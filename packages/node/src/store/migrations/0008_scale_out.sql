-- Who may do what only one process may do. A holder's token is larger than that of all before it.
CREATE TABLE leases (
  name text PRIMARY KEY,
  holder text NOT NULL,
  token bigint NOT NULL,
  expires_at timestamptz NOT NULL,
  -- So that a change of the token counts as one of a key: it waits for the transactions that hold FOR KEY SHARE to check it, and a
  -- renewal, which changes only the time, does not.
  UNIQUE (name, token)
);

-- Where the contracts are and whose log this is, for the processes that have no keys. At most one row.
CREATE TABLE deployment (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  contracts text NOT NULL,
  log bytea NOT NULL
);

-- How far the process that follows the ledger has come. At most one row.
CREATE TABLE ledger_progress (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  included bigint NOT NULL,
  final bigint NOT NULL,
  head bigint NOT NULL,
  -- When the tables were level with the ledger.
  level_at timestamptz NOT NULL
);
