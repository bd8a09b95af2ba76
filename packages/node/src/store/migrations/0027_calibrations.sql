-- What streams declared of their sensors, in the transaction that logged it: certificates as they were issued, and which part gave way to
-- which. Kept also where the envelope's bytes were archived.
CREATE TABLE sensor_declarations (
  log_index   bigint PRIMARY KEY,
  machine_id  numeric NOT NULL,
  stream      text NOT NULL,
  seq         bigint NOT NULL,
  certificate bytea,
  replaced_ms bigint,
  old_part    text,
  new_part    text,
  last_mantissa  numeric,
  last_exponent  smallint,
  first_mantissa numeric,
  first_exponent smallint,
  CHECK ((certificate IS NULL) <> (replaced_ms IS NULL))
);
CREATE INDEX sensor_declarations_by_stream ON sensor_declarations (machine_id, stream, seq DESC);
CREATE INDEX replacements_by_machine ON sensor_declarations (machine_id, log_index DESC) WHERE replaced_ms IS NOT NULL;

-- What the calibration of the meters leaves open of an amount owed; null where no meter must be calibrated.
ALTER TABLE owed
  ADD COLUMN lower_minor numeric,
  ADD COLUMN upper_minor numeric,
  ADD COLUMN uncertainty_ppm int;
