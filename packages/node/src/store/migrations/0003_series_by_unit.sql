-- A position is a record in lat and one in lon, of one name: they are two series.
UPDATE rollups SET unit = '' WHERE unit IS NULL;
ALTER TABLE rollups ALTER COLUMN unit SET NOT NULL;
ALTER TABLE rollups DROP CONSTRAINT rollups_pkey;
ALTER TABLE rollups ADD PRIMARY KEY (machine_id, stream, name, unit, minute_ms);
