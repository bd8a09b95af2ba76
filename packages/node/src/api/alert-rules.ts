import type { Alert } from '@liquefy/client'
import type { Recorded } from './recorded.ts'

/** What an operator is warned of: the same conditions, names and times as operation/prometheus-rules.yml (`LiquefyNodeDown` but a page can see). */
export interface AlertRule {
  name: string
  severity: Alert['severity']
  /** So long the condition holds before anybody is told. */
  holdsMs: number
  /** As Prometheus has it; `found` is the same in code, and packages/node/test/api/alerts.test.ts runs the same cases through both. */
  condition: string
  /** Where the condition holds now, with what makes it hold. */
  found(recorded: Recorded): Finding[]
  words(finding: Finding): string
  /** As docs/operation.md has it. */
  toDo: string
  /** What it is about only the process knows that takes in, settles or keeps the data: one that serves the page alone cannot judge it. */
  ofWorkers?: true
}

/** `label`: the code or kind that it is about; empty where there is one case only. */
interface Finding {
  label: string
  value: number
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const one = (value: number | undefined, holds: (value: number) => boolean): Finding[] =>
  value !== undefined && holds(value) ? [{ label: '', value }] : []

const seconds = (value: number) => `${Math.round(value)} s`
const count = (value: number) => String(Math.round(value))
const aSecond = (value: number) => value.toPrecision(2)

const noticed = (kind: string) => (recorded: Recorded) =>
  one(recorded.now(`liquefy_notices{kind="${kind}"}`), (agreements) => agreements > 0)

const ESCROW_TO_DO = 'Tell the payer (`/v1/notices`): `liquefy agreement fund`.'
const CALIBRATION_TO_DO =
  'Tell the owner of the machine (`/v1/notices`): the sensor wants a laboratory, and its stream the certificate.'
const OVERLOAD_TO_DO =
  'More arrives than is committed: look at commit and judging time; faster disk, more cores, or a second node for some machines.'
const STUCK_TO_DO =
  'Gas money, a fee market that rose, or an RPC that drops transactions; the log names the intent. Nothing is paid twice by a restart.'

export const ALERT_RULES: readonly AlertRule[] = [
  {
    name: 'LiquefyLogHalted',
    ofWorkers: true,
    severity: 'critical',
    holdsMs: 0,
    condition: 'liquefy_log_halted == 1',
    found: (recorded) => one(recorded.now('liquefy_log_halted'), (halted) => halted === 1),
    words: () => 'The evidence log is halted: it has, or would have, two roots for one size.',
    toDo: 'Stop the node, keep the data folder as it is, and compare it with the anchors on the ledger (`liquefy audit`): database restored from an old state, or tampered with.',
  },
  {
    name: 'LiquefySplitView',
    severity: 'critical',
    holdsMs: 0,
    condition: 'liquefy_log_split_views > 0',
    found: (recorded) => one(recorded.now('liquefy_log_split_views'), (views) => views > 0),
    words: () =>
      'The log’s key has signed what this log does not have: there are two logs under one name.',
    toDo: 'Stop the node. `/v1/log/split-view` has both signatures: restored from an old state, a copy that runs beside it, or a stolen key (docs/protocol/receipt.md). This log never goes on.',
  },
  {
    name: 'LiquefyDatabaseLost',
    severity: 'critical',
    holdsMs: MINUTE,
    condition: 'liquefy_database_up == 0',
    found: (recorded) => one(recorded.now('liquefy_database_up'), (up) => up === 0),
    words: () => 'The database does not answer: nothing is acknowledged.',
    toDo: 'Bring it back. The node goes on by itself, and acknowledges nothing before.',
  },
  {
    name: 'LiquefyOverloaded',
    severity: 'warning',
    holdsMs: 5 * MINUTE,
    condition: 'rate(liquefy_refusals_total{code="OVERLOADED"}[5m]) > 0',
    found: (recorded) =>
      one(
        recorded.rate('liquefy_refusals_total{code="OVERLOADED"}', 5 * MINUTE),
        (rate) => rate > 0,
      ),
    words: ({ value }) =>
      `More arrives than can be committed: ${aSecond(value)} frames a second are refused.`,
    toDo: OVERLOAD_TO_DO,
  },
  {
    name: 'LiquefyIngestSlow',
    ofWorkers: true,
    severity: 'warning',
    holdsMs: 10 * MINUTE,
    condition:
      'histogram_quantile(0.99, sum by (job, instance, le) (rate(liquefy_ingest_lag_seconds_bucket[5m]))) > 5',
    found: (recorded) =>
      one(recorded.quantile('liquefy_ingest_lag_seconds', 0.99, 5 * MINUTE), (lag) => lag > 5),
    words: ({ value }) => `Frames are committed ${seconds(value)} after they arrived.`,
    toDo: OVERLOAD_TO_DO,
  },
  {
    name: 'LiquefyRefusalsRising',
    severity: 'warning',
    holdsMs: 10 * MINUTE,
    condition:
      'rate(liquefy_refusals_total[10m]) > 0.1 and rate(liquefy_refusals_total[10m]) > 4 * rate(liquefy_refusals_total[6h])',
    found: (recorded) =>
      recorded.series('liquefy_refusals_total').flatMap(({ series, labels }) => {
        const value = recorded.rate(series, 10 * MINUTE) ?? 0
        const usual = recorded.rate(series, 6 * HOUR) ?? 0
        return value > 0.1 && value > 4 * usual ? [{ label: labels.code ?? '', value }] : []
      }),
    words: ({ label, value }) =>
      `${aSecond(value)} a second are turned away as ${label}, four times what was usual.`,
    toDo: 'The code says who is at fault; `/v1/machines/<id>/refusals` shows samples. `SIGNATURE_INVALID` of many: somebody tries; `TOKEN_INVALID`: clocks.',
  },
  {
    name: 'LiquefyMeteringLate',
    severity: 'warning',
    holdsMs: 15 * MINUTE,
    condition: 'liquefy_fold_lag_envelopes > 10000',
    found: (recorded) => one(recorded.now('liquefy_fold_lag_envelopes'), (lag) => lag > 10_000),
    words: ({ value }) => `Metering is ${count(value)} envelopes behind the log.`,
    toDo: 'Metering cannot keep up: the database is slow, or many agreements were opened on old streams, which passes.',
  },
  {
    name: 'LiquefyAnchorsLate',
    severity: 'warning',
    holdsMs: 10 * MINUTE,
    condition:
      '(liquefy_log_leaves > liquefy_log_anchored_leaves) unless (liquefy_anchor_age_seconds <= 600)',
    found: (recorded) => {
      const leaves = recorded.now('liquefy_log_leaves')
      const anchored = recorded.now('liquefy_log_anchored_leaves')
      const age = recorded.now('liquefy_anchor_age_seconds')
      if (leaves === undefined || anchored === undefined) return []
      return one(leaves - anchored, (open) => open > 0 && !(age !== undefined && age <= 600))
    },
    words: () =>
      'The log has grown and was not anchored: a stolen key could unsay what is not anchored.',
    toDo: 'Look at the outbox: no gas, or a ledger that refuses. Until it is anchored, a stolen key can unsay what it has signed.',
  },
  {
    name: 'LiquefyFollowerBehind',
    severity: 'critical',
    holdsMs: 2 * MINUTE,
    condition: 'liquefy_follower_lag_seconds > 60',
    found: (recorded) => one(recorded.now('liquefy_follower_lag_seconds'), (lag) => lag > 60),
    words: ({ value }) => `The tables have not been level with the ledger for ${seconds(value)}.`,
    toDo: 'The RPC does not answer, or is behind itself: another `RPC_URL`, and a restart.',
  },
  {
    name: 'LiquefyOutboxStuck',
    severity: 'critical',
    holdsMs: 5 * MINUTE,
    condition: 'liquefy_outbox_oldest_pending_age_seconds > 600',
    found: (recorded) =>
      one(recorded.now('liquefy_outbox_oldest_pending_age_seconds'), (age) => age > 600),
    words: ({ value }) => `A transaction has waited for a block for ${seconds(value)}.`,
    toDo: STUCK_TO_DO,
  },
  {
    name: 'LiquefySettlementLate',
    severity: 'warning',
    holdsMs: 5 * MINUTE,
    condition: 'liquefy_settlement_oldest_age_seconds > 900',
    found: (recorded) =>
      one(recorded.now('liquefy_settlement_oldest_age_seconds'), (age) => age > 900),
    words: ({ value }) => `A signed meter value has waited ${seconds(value)} for a transaction.`,
    toDo: STUCK_TO_DO,
  },
  {
    name: 'LiquefyGasMoneyLow',
    ofWorkers: true,
    severity: 'warning',
    holdsMs: 10 * MINUTE,
    condition:
      'liquefy_operator_balance_wei < 7 * 86400 * sum by (job, instance) (rate(liquefy_ledger_fees_wei_total[1d]))',
    found: (recorded) => {
      const rates = recorded
        .series('liquefy_ledger_fees_wei_total')
        .map(({ series }) => recorded.rate(series, DAY) ?? 0)
      const week = 7 * 86_400 * rates.reduce((sum, rate) => sum + rate, 0)
      return one(recorded.now('liquefy_operator_balance_wei'), (balance) => balance < week)
    },
    words: () => 'The operator has gas for less than a week at yesterday’s rate.',
    toDo: 'Send coin to the operator (`liquefy keys list`).',
  },
  {
    name: 'LiquefyMoneyCheckFailed',
    severity: 'critical',
    holdsMs: 3 * MINUTE,
    condition: 'liquefy_money_check_ok == 0',
    found: (recorded) => one(recorded.now('liquefy_money_check_ok'), (ok) => ok === 0),
    words: () => 'The money that is shown differs from the events of the ledger.',
    toDo: '`/healthz` names the agreements. Do not repair the database by hand: stop, keep the folder, replay the ledger into a new one.',
  },
  {
    name: 'LiquefyEscrowLow',
    severity: 'info',
    holdsMs: 10 * MINUTE,
    condition: 'liquefy_notices{kind="escrow-low"} > 0',
    found: noticed('escrow-low'),
    words: ({ value }) => `Agreements low on escrow: ${count(value)}.`,
    toDo: ESCROW_TO_DO,
  },
  {
    name: 'LiquefyEscrowShort',
    severity: 'warning',
    holdsMs: 10 * MINUTE,
    condition: 'liquefy_notices{kind="escrow-short"} > 0',
    found: noticed('escrow-short'),
    words: ({ value }) => `Agreements that owe more than their escrow holds: ${count(value)}.`,
    toDo: ESCROW_TO_DO,
  },
  {
    name: 'LiquefyCalibrationEnds',
    severity: 'info',
    holdsMs: HOUR,
    condition: 'liquefy_notices{kind="calibration-ends"} > 0',
    found: noticed('calibration-ends'),
    words: ({ value }) =>
      `Agreements with a stream whose calibration ends within 14 days: ${count(value)}.`,
    toDo: CALIBRATION_TO_DO,
  },
  {
    name: 'LiquefyUncalibrated',
    severity: 'warning',
    holdsMs: 10 * MINUTE,
    condition: 'liquefy_notices{kind="uncalibrated"} > 0',
    found: noticed('uncalibrated'),
    words: ({ value }) =>
      `Agreements with a stream whose readings count nothing, uncalibrated: ${count(value)}.`,
    toDo: CALIBRATION_TO_DO,
  },
  {
    name: 'LiquefyDiskNearlyFull',
    ofWorkers: true,
    severity: 'warning',
    holdsMs: 15 * MINUTE,
    condition:
      'liquefy_disk_free_bytes < 0.1 * liquefy_disk_size_bytes or predict_linear(liquefy_disk_free_bytes[6h], 86400) < 0',
    found: (recorded) => {
      const size = recorded.now('liquefy_disk_size_bytes') ?? 0
      const soon = recorded.predicted('liquefy_disk_free_bytes', 6 * HOUR, DAY)
      return one(
        recorded.now('liquefy_disk_free_bytes'),
        (free) => free < 0.1 * size || (soon !== undefined && soon < 0),
      )
    },
    words: () => 'The disk is nearly full, or will be within a day.',
    toDo: 'More disk, or older evidence to the archive. On a full disk nothing is acknowledged, and nothing that was acknowledged is lost.',
  },
  {
    name: 'LiquefyCertificateExpires',
    severity: 'warning',
    holdsMs: HOUR,
    condition: 'liquefy_tls_certificate_expiry_timestamp_seconds - time() < 14 * 86400',
    found: (recorded) => {
      const ends = recorded.now('liquefy_tls_certificate_expiry_timestamp_seconds')
      const left = ends === undefined ? undefined : ends - recorded.nowMs() / SECOND
      return one(left, (rest) => rest < 14 * 86_400)
    },
    words: ({ value }) => `The certificate ends in ${Math.floor(value / 86_400)} days.`,
    toDo: "Renewal did not run, or the node's user cannot read the new key: its log says so.",
  },
  {
    name: 'LiquefyEventLoopBlocked',
    severity: 'warning',
    holdsMs: 10 * MINUTE,
    condition: 'nodejs_eventloop_lag_p99_seconds{job="liquefy"} > 0.5',
    found: (recorded) => one(recorded.now('nodejs_eventloop_lag_p99_seconds'), (lag) => lag > 0.5),
    words: ({ value }) =>
      `The process is busy beyond its cores: the event loop is ${count(value * 1_000)} ms late.`,
    toDo: 'The process wants more than its core: fewer dashboards on `/v1/status`, or a second node.',
  },
]
