-- What makers say of machines, as it came: W3C Verifiable Credentials in JWTs, each about one key. Those of before stay on record.
CREATE TABLE credentials (
  issuer        text    NOT NULL,                -- did:key of the maker
  credential_id text    NOT NULL,
  machine_id    numeric(78,0) NOT NULL,
  key_id        bytea   NOT NULL,
  serial        text    NOT NULL,
  valid_from_ms bigint  NOT NULL,
  accepted_ms   bigint  NOT NULL,
  in_force      boolean NOT NULL,                -- false: a newer one says what this key is
  jwt           text    NOT NULL,
  PRIMARY KEY (issuer, credential_id)
);
CREATE UNIQUE INDEX credentials_in_force ON credentials (key_id) WHERE in_force;
CREATE INDEX credentials_by_machine ON credentials (machine_id);
CREATE INDEX credentials_by_serial ON credentials (issuer, serial);

-- Which credentials their makers have revoked: the newest list of each name.
CREATE TABLE status_lists (
  issuer        text    NOT NULL,
  list_id       text    NOT NULL,
  valid_from_ms bigint  NOT NULL,
  jwt           text    NOT NULL,
  PRIMARY KEY (issuer, list_id)
);
