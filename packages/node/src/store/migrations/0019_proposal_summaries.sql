-- What the list of proposals shows, beside the whole terms: it is asked for often.
ALTER TABLE proposals
  ADD COLUMN payer        bytea,
  ADD COLUMN machine_id   numeric(78,0),
  -- Of proposals from before this column, the price stands in the proposal itself.
  ADD COLUMN tariff_words text NOT NULL DEFAULT 'price in the proposal';
UPDATE proposals SET
  payer = decode(substr(lower(terms->>'payer'), 3), 'hex'),
  machine_id = (terms->>'machineId')::numeric;
ALTER TABLE proposals
  ALTER COLUMN payer SET NOT NULL,
  ALTER COLUMN machine_id SET NOT NULL,
  ALTER COLUMN tariff_words DROP DEFAULT;

-- Those that are too old are forgotten.
CREATE INDEX proposals_by_end ON proposals (open_by_ms);
-- With whom somebody has agreements.
CREATE INDEX agreements_by_payer ON agreements (payer, payee);
CREATE INDEX agreements_by_payee ON agreements (payee, payer);
