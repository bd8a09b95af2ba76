-- What streams declared of their sensors, in the transaction that logged it: certificates as they were issued, and replacements.
CREATE TABLE sensor_declarations (
  log_index   bigint PRIMARY KEY,
  machine_id  numeric NOT NULL,
  stream      text NOT NULL,
  seq         bigint NOT NULL,
  certificate bytea,
  replaced_ms bigint,
  new_part    text,
  CHECK ((certificate IS NULL) <> (replaced_ms IS NULL))
);
CREATE INDEX sensor_declarations_by_stream ON sensor_declarations (machine_id, stream, seq DESC);

-- What the calibration of the meters leaves open of an amount owed; null where no meter must be calibrated.
ALTER TABLE owed
  ADD COLUMN lower_minor numeric,
  ADD COLUMN upper_minor numeric,
  ADD COLUMN uncertainty_ppm int;
