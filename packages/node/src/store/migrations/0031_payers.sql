-- Where the account of each machine stands, so that a party of an agreement is known for a machine. It follows from the id: nothing that a
-- reorganisation could change.
CREATE TABLE machine_accounts (
  account     bytea PRIMARY KEY,
  machine_id  numeric(78,0) NOT NULL UNIQUE
);
