-- Parquet files outside that hold the bytes of old envelopes. By name: the folder is wherever the operator keeps them.
CREATE TABLE archives (
  archive_id  int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  file        text    NOT NULL UNIQUE,
  complete    boolean NOT NULL DEFAULT false      -- nothing of it is left to take out of the database
);

-- Of an archived envelope only the bytes leave: its place, its digest and its chain are needed by what is logged later.
ALTER TABLE envelopes ADD COLUMN archive_id int;
ALTER TABLE envelopes ALTER COLUMN raw DROP NOT NULL;
-- Not valid for what is there, which has its bytes: no reading of the whole table while devices wait.
ALTER TABLE envelopes ADD CONSTRAINT envelopes_somewhere CHECK ((raw IS NULL) = (archive_id IS NOT NULL)) NOT VALID;
