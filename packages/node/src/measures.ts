import { Counter, Histogram, type Metric } from 'prom-client'

/** What the pipeline tells of its work. Durations in seconds. */
export interface PipelineObserver {
  /** A batch was decoded, identified and its signatures verified. */
  judged(seconds: number): void
  /** A batch was committed. `lagSeconds`: since its oldest frame arrived. */
  committed(frames: number, seconds: number, lagSeconds: number): void
}

/** What the outbox tells of each transaction that came into a block. */
export interface OutboxObserver {
  spent(kind: string, gas: bigint, feeWei: bigint): void
}

/** What our transactions of one kind have used since the start. */
interface Spent {
  kind: string
  transactions: number
  gas: bigint
  feeWei: bigint
}

/** What is counted and timed while it happens, in contrast to what is read when somebody asks. */
export interface Measures {
  pipeline: PipelineObserver
  outbox: OutboxObserver
  /** Exact, in contrast to a metric. */
  spent(): readonly Spent[]
  all: Metric[]
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const FRAMES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]

export function createMeasures(): Measures {
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `liquefy_${name}`, help, buckets, registers: [] })
  const judging = histogram(
    'judging_duration_seconds',
    'Time to decode a batch and verify its signatures; its frames are those of liquefy_commit_frames.',
    SECONDS,
  )
  const commitFrames = histogram('commit_frames', 'Frames of a commit.', FRAMES)
  const commit = histogram(
    'commit_duration_seconds',
    'Time of the transaction of a batch.',
    SECONDS,
  )
  const lag = histogram(
    'ingest_lag_seconds',
    'From the arrival of the oldest frame of a batch until it is committed.',
    SECONDS,
  )
  const counter = (name: string, help: string) =>
    new Counter({ name: `liquefy_${name}`, help, labelNames: ['kind'], registers: [] })
  const gas = counter('ledger_gas_total', 'Gas that our transactions used, since the start.')
  const fees = counter('ledger_fees_wei_total', 'What that cost in smallest units of the coin.')
  const spent = new Map<string, Spent>()
  return {
    pipeline: {
      judged: (seconds) => judging.observe(seconds),
      committed(frames, seconds, lagSeconds) {
        commitFrames.observe(frames)
        commit.observe(seconds)
        lag.observe(lagSeconds)
      },
    },
    outbox: {
      spent(kind, used, feeWei) {
        gas.inc({ kind }, Number(used))
        fees.inc({ kind }, Number(feeWei))
        const before = spent.get(kind) ?? { kind, transactions: 0, gas: 0n, feeWei: 0n }
        spent.set(kind, {
          kind,
          transactions: before.transactions + 1,
          gas: before.gas + used,
          feeWei: before.feeWei + feeWei,
        })
      },
    },
    spent: () => [...spent.values()],
    all: [judging, commitFrames, commit, lag, gas, fees],
  }
}
