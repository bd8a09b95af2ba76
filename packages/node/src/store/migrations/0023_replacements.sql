-- Which sensor of a stream gave way to which, as machines declared it: kept also where the envelope's bytes were archived.
CREATE TABLE replacements (
  log_index      bigint PRIMARY KEY,
  machine_id     numeric(78,0) NOT NULL,
  stream         text NOT NULL,
  seq            bigint NOT NULL,
  at_ms          bigint NOT NULL,
  old_part       text,
  new_part       text,
  last_mantissa  numeric,
  last_exponent  smallint,
  first_mantissa numeric,
  first_exponent smallint
);
CREATE INDEX replacements_by_machine ON replacements (machine_id, log_index DESC);
