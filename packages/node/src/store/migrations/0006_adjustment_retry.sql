-- When a refused adjustment is tried again.
ALTER TABLE adjustments ADD COLUMN retry_ms bigint NOT NULL DEFAULT 0;
