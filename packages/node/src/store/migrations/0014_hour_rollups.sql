-- When a minute's last reading was taken: an earlier one that arrives later does not take its place. 0: of before this column.
ALTER TABLE rollups ADD COLUMN last_ms bigint NOT NULL DEFAULT 0;

-- The same by hours, written with the minutes: a chart of a year reads 8,760 hours a series, not 525,600 minutes.
CREATE TABLE hour_rollups (
  machine_id  numeric(78,0) NOT NULL,
  stream      text   NOT NULL,
  hour_ms     bigint NOT NULL,
  name        text   NOT NULL,
  unit        text   NOT NULL,                    -- empty: none
  count       int    NOT NULL,
  min         double precision NOT NULL,
  max         double precision NOT NULL,
  sum         double precision NOT NULL,
  last        double precision NOT NULL,
  last_ms     bigint NOT NULL,
  PRIMARY KEY (machine_id, stream, hour_ms, name, unit)
) WITH (fillfactor = 80);                         -- the newest row of a stream changes all the time: room for it on its page

INSERT INTO hour_rollups
SELECT machine_id, stream, minute_ms / 3600000 * 3600000, name, unit, sum(count), min(min), max(max), sum(sum),
       (array_agg(last ORDER BY minute_ms DESC))[1], max(minute_ms)
  FROM rollups GROUP BY 1, 2, 3, 4, 5;

-- Whoever looks for the envelopes of some seconds looks at those that end soon after them, and at these.
CREATE INDEX envelopes_long ON envelopes (machine_id, stream, last_ms) WHERE last_ms - first_ms > 3600000;
