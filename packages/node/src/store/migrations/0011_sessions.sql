-- Who is signed in at the API (Sign-In with Ethereum): found by the SHA-256 of the secret that only the person has.
CREATE TABLE sessions (
  token_hash  bytea  PRIMARY KEY,
  address     bytea  NOT NULL,
  expires_ms  bigint NOT NULL
);

-- Nonces that signed somebody in: each is good once. All others are checked by the key alone, so that asking for them stores nothing.
CREATE TABLE sign_in_nonces (
  nonce       text   PRIMARY KEY,
  expires_ms  bigint NOT NULL
);
CREATE TABLE sign_in_key (
  one  boolean PRIMARY KEY DEFAULT true CHECK (one),
  key  bytea   NOT NULL
);
