-- What anybody may ask for costs as much as what is shown of it, however long an agreement has lasted.

-- The newest events of an agreement, those of a page of its periods, and its payments by time.
CREATE INDEX agreement_events_newest ON agreement_events (agreement_id, block DESC, log_index DESC);
CREATE INDEX agreement_events_by_period ON agreement_events (agreement_id, period) WHERE period IS NOT NULL;
CREATE INDEX agreement_events_paid ON agreement_events (agreement_id, at_ms) WHERE kind IN ('settled', 'collected', 'adjusted');

-- As before, and what decides is in the index: of a period's values most are passed over without a look at their rows.
DROP INDEX agreement_events_settled;
CREATE INDEX agreement_events_settled
  ON agreement_events (agreement_id, period, block, log_index, as_of, ((detail->>'owed')::numeric)) WHERE kind = 'settled';

-- By `seq`: the newest verdicts of a meter that are not OK.
DROP INDEX metered_unpriced;
CREATE INDEX metered_unpriced ON metered (agreement_id, meter, seq DESC) WHERE code <> 'OK';

-- When something was last refused from a machine.
CREATE INDEX refusals_by_time ON refusals (machine_id, at_ms);
