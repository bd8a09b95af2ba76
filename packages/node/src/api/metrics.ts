import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { ApiContext } from './context.ts'
import { paced } from './paced.ts'
import type { PacedFigures } from './paced-figures.ts'
import { statusView } from './status-view.ts'

interface Sample {
  labels: Record<string, string>
  value: number
}

type Read = () => Sample[] | Promise<Sample[]>

/** Without a value there is no sample: a figure that is not known is not zero. */
function one(value: number | bigint | undefined, labels: Record<string, string> = {}): Sample[] {
  return value === undefined ? [] : [{ labels, value: Number(value) }]
}

function each(label: string, values: Record<string, number | bigint>): Sample[] {
  return Object.entries(values).flatMap(([name, value]) => one(value, { [label]: name }))
}

/**
 * The node's figures for Prometheus, in seconds, bytes and smallest units, read when they are asked for. What cannot be read is
 * left out, and a scrape is answered within seconds, whatever else does not answer. docs/operation.md lists them.
 */
export function createMetrics(context: ApiContext, figures: PacedFigures): Registry {
  const registry = new Registry()
  for (const metric of context.measures.all) registry.registerMetric(metric)
  collectDefaultMetrics({ register: registry })
  const kinds = { gauge: Gauge, counter: Counter }
  const add = (
    kind: keyof typeof kinds,
    name: string,
    help: string,
    labelNames: string[],
    read: Read,
  ) => {
    registry.registerMetric(
      new kinds[kind]({
        name: `liquefy_${name}`,
        help,
        labelNames,
        registers: [],
        async collect() {
          const samples = await read()
          this.reset()
          // The library puts a zero where nothing is known.
          if (labelNames.length === 0) this.remove()
          for (const { labels, value } of samples) this.inc(labels, value)
        },
      }),
    )
  }
  const gauge = add.bind(undefined, 'gauge')
  const counter = add.bind(undefined, 'counter')
  addIngest(context, gauge, counter)
  addDatabase(context, figures, gauge, counter)
  addLedger(context, figures, gauge)
  addMoney(context, figures, gauge)
  return registry
}

type Add = (name: string, help: string, labelNames: string[], read: Read) => void

function addIngest(context: ApiContext, gauge: Add, counter: Add): void {
  counter('frames_received_total', 'Frames that arrived since the start.', [], () =>
    one(context.frames().received),
  )
  counter(
    'frames_total',
    'Frames since the start, by what became of them. What is cut off at the door (a log-in, a topic, a size) is no frame; liquefy_refusals_total counts it.',
    ['outcome'],
    () => {
      const { logged, duplicate, refused } = context.frames()
      return each('outcome', { logged, duplicate, refused })
    },
  )
  gauge('inbox_frames', 'Frames that have arrived and are not committed.', [], () =>
    one(context.frames().held),
  )
  gauge('inbox_bytes', 'Bytes of the frames that are not committed.', [], () =>
    one(context.frames().heldBytes),
  )
  gauge('connected_machines', 'Machines with a connection to the embedded broker.', [], () =>
    one(context.connectedMachines()),
  )
  gauge(
    'tls_certificate_expiry_timestamp_seconds',
    'When the certificate of the outside listeners ends; absent without TLS.',
    [],
    () => {
      const expiresMs = context.certificateExpiresMs()
      return one(expiresMs === undefined ? undefined : expiresMs / 1_000)
    },
  )
  gauge('log_halted', '1 while the evidence log is halted: nothing is logged.', [], () =>
    one(context.evidence.halted() === undefined ? 0 : 1),
  )
}

function addDatabase(
  context: ApiContext,
  { databaseUp, stored, disk }: PacedFigures,
  gauge: Add,
  counter: Add,
): void {
  const { pool } = context.database
  const figure = (
    name: string,
    help: string,
    pick: (known: NonNullable<Awaited<ReturnType<typeof stored>>>) => number | bigint | undefined,
  ) =>
    gauge(name, help, [], async () => {
      const known = await stored()
      return known ? one(pick(known)) : []
    })
  const age = (sinceMs: number | undefined) =>
    sinceMs === undefined ? undefined : Math.max(0, context.clock.nowMs() - sinceMs) / 1_000

  gauge('database_up', '1 if the database answers within 1.5 s.', [], async () =>
    one((await databaseUp()) ? 1 : 0),
  )
  gauge('database_connections', 'Connections to the database.', ['state'], () =>
    each('state', { idle: pool.idleCount, used: pool.totalCount - pool.idleCount }),
  )
  gauge('database_waiting', 'Requests that wait for a connection to the database.', [], () =>
    one(pool.waitingCount),
  )
  figure('database_size_bytes', 'Size of the database.', (known) => known.databaseBytes)
  gauge('disk_free_bytes', 'Free space where the data folder lies.', [], async () => {
    const space = await disk()
    return space ? one(space.freeBytes) : []
  })
  gauge('disk_size_bytes', 'Size of the file system where the data folder lies.', [], async () => {
    const space = await disk()
    return space ? one(space.sizeBytes) : []
  })
  counter(
    'refusals_total',
    'Frames and connections turned away, of all time, by code (docs/protocol/verdicts.md).',
    ['code'],
    async () => each('code', (await stored())?.refusals ?? {}),
  )
  figure(
    'log_split_views',
    "Contradictions to the evidence log that the log's own key has signed.",
    ({ splitViews }) => splitViews,
  )
  figure('log_leaves', 'Leaves of the evidence log.', ({ logSize }) => logSize)
  figure('log_anchored_leaves', 'Leaves anchored on the ledger.', (known) => known.anchoredSize)
  figure('anchor_age_seconds', 'Since the newest anchor; absent before the first.', (known) =>
    age(known.anchorMs),
  )
  figure('checkpoint_age_seconds', 'Since the newest checkpoint was signed.', (known) =>
    age(known.checkpointMs),
  )
  gauge('outbox_intents', 'Transactions asked for, by state.', ['status'], async () => {
    const none = { queued: 0, sent: 0, included: 0, final: 0, reverted: 0 }
    const known = await stored()
    return known ? each('status', { ...none, ...known.outbox }) : []
  })
  figure(
    'outbox_oldest_pending_age_seconds',
    'Since the oldest transaction was asked for that is not in a block; 0 if there is none.',
    (known) => age(known.pendingSinceMs) ?? 0,
  )
  figure(
    'settlement_queue_values',
    'Accepted meter values that wait for a transaction.',
    ({ unsettled }) => unsettled,
  )
  figure(
    'settlement_oldest_age_seconds',
    'Since the oldest of them was accepted; 0 if there is none.',
    (known) => age(known.unsettledSinceMs) ?? 0,
  )
  figure(
    'fold_lag_envelopes',
    'Logged envelopes that metering has not read yet, one for each fold.',
    ({ foldLag }) => foldLag,
  )
}

function addLedger(context: ApiContext, { operatorBalance }: PacedFigures, gauge: Add): void {
  gauge('ledger_block', 'Blocks of the ledger: applied, and final.', ['part'], () => {
    const { included, final } = context.block()
    return each('part', { applied: included, final })
  })
  gauge('follower_lag_blocks', 'Blocks behind the head of the ledger that was seen last.', [], () =>
    one(context.ledgerLag().blocks),
  )
  gauge(
    'follower_lag_seconds',
    'Since the tables were level with the ledger; grows while it does not answer.',
    [],
    () => one(context.ledgerLag().seconds),
  )
  gauge(
    'operator_balance_wei',
    'What the operator has left for gas, in smallest units of the coin.',
    [],
    async () => one(await operatorBalance()),
  )
}

function addMoney(context: ApiContext, { moneyCheck }: PacedFigures, gauge: Add): void {
  const status = paced(() => statusView(context))
  gauge('envelopes', 'Envelopes by verdict, of all time.', ['verdict', 'code'], async () => {
    const envelopes = (await status())?.envelopes
    if (!envelopes) return []
    const coded = (['unpriced', 'refused'] as const).flatMap((verdict) =>
      Object.entries(envelopes[verdict]).flatMap(([code, count]) => one(count, { verdict, code })),
    )
    return [
      ...one(envelopes.priced, { verdict: 'priced', code: 'OK' }),
      ...one(envelopes.waiting, { verdict: 'waiting', code: 'WAITING' }),
      ...one(envelopes.duplicate, { verdict: 'duplicate', code: 'DUPLICATE' }),
      ...coded,
    ]
  })
  gauge(
    'money_minor',
    'Owed and settled, smallest units; rounded by the format.',
    ['part'],
    async () => {
      const known = await status()
      if (!known) return []
      const { owedMinor, settledMinor } = known
      return each('part', { owed: Number(owedMinor), settled: Number(settledMinor) })
    },
  )
  gauge(
    'money_check_ok',
    '1 if the view of money equals the events of the ledger (INV-5), 0 if not.',
    [],
    async () => {
      const known = await moneyCheck()
      return known ? one(known.ok ? 1 : 0) : []
    },
  )
  gauge(
    'notices',
    'Agreements that are low on escrow (`escrow-low`), or owe more than it holds (`escrow-short`); with a stream whose calibration ends soon (`calibration-ends`), or is missing (`uncalibrated`).',
    ['kind'],
    () =>
      (['escrow-low', 'escrow-short', 'calibration-ends', 'uncalibrated'] as const).flatMap(
        (kind) => {
          const told = context.notices().filter((notice) => notice.kind === kind)
          return one(new Set(told.map(({ agreementId }) => agreementId)).size, { kind })
        },
      ),
  )
}
