-- What the log's own key has signed and this log does not have: proof that there are, or would be, two logs under one name. A row halts the log.
CREATE TABLE split_views (
  size       bigint NOT NULL,
  root       bytea  NOT NULL, -- what was stated
  kind       text   NOT NULL CHECK (kind IN ('two-roots', 'ahead')),
  statement  jsonb  NOT NULL, -- as it was handed in, with its signature
  own_size   bigint NOT NULL,
  own_root   bytea  NOT NULL, -- what this log has at own_size
  own_signed bytea,           -- the same signed, as COSE; null if no process with the key answered
  at_ms      bigint NOT NULL,
  PRIMARY KEY (size, root)
);
