-- Where machines stand that do not measure it, as their owners say: degrees of WGS 84 times 10^7.
CREATE TABLE machine_places (
  machine_id    numeric(78,0) PRIMARY KEY,
  latitude_e7   int NOT NULL CHECK (latitude_e7 BETWEEN -900000000 AND 900000000),
  longitude_e7  int NOT NULL CHECK (longitude_e7 BETWEEN -1800000000 AND 1800000000)
);

-- The newest position of a machine that measures it.
CREATE INDEX rollups_positions ON rollups (machine_id, minute_ms DESC) WHERE unit = 'lat';

-- What is not priced, and what was declared: few among many, and asked for by every page of a machine.
CREATE INDEX envelopes_notable ON envelopes (machine_id, log_index) WHERE code <> 'OK' OR readings = 0;
CREATE INDEX metered_unpriced ON metered (agreement_id, digest) WHERE code <> 'OK';
