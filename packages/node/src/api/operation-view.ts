import { readFileSync } from 'node:fs'
import type { Alert, Hex, Lag, Operation, Throughput } from '@liquefy/client'
import type { Figures } from '../store/figures.ts'
import { countHolders } from '../store/leases.ts'
import { readBlocksDown } from '../store/ledger.ts'
import * as stored from '../store/operation.ts'
import { ALERT_RULES } from './alert-rules.ts'
import { type AlertWatch, COMMIT_LAG, LOOP_LAG } from './alert-watch.ts'
import type { ApiContext } from './context.ts'
import { paced } from './paced.ts'
import type { PacedFigures } from './paced-figures.ts'

const LAG_MS = 15 * 60_000
/** What a process that serves the page alone cannot judge. */
const NOT_WATCHED = ALERT_RULES.flatMap(({ name, ofWorkers }) => (ofWorkers ? [name] : []))
const COMMIT_LAG_MS = 5 * 60_000
const WAITING_SHOWN = 5
const SETTLING_SHOWN = 10
const ALERTS_MS = 2_000
/** Asked of the ledger for what is not known yet: at most so often. */
const COSTS_MS = 10_000

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

/** Reads them; every part at its own pace, so that the page may ask as often as it likes, and is answered whatever does not answer. */
export function createOperationView(
  context: ApiContext,
  parts: { figures: PacedFigures; watch: AlertWatch; throughput: () => Throughput },
): () => Promise<Operation> {
  const { figures, watch, throughput } = parts
  const { deployment, clock, measures } = context
  const isAlone = context.role === 'all'
  const alerts = paced(() => watch.look(), ALERTS_MS)
  const rows = paced(() => readRows(context))
  const settling = paced(settlingReader(context), COSTS_MS)

  return async () => {
    const up = (await figures.databaseUp()) ?? false
    const [told, known, lists, costs, balance, money, space] = await Promise.all([
      alerts(),
      figures.stored(),
      up ? rows() : undefined,
      up ? settling() : undefined,
      figures.operatorBalance(),
      figures.moneyCheck(),
      figures.disk(),
    ])
    const { included, final } = context.block()
    const { blocks, seconds } = context.ledgerLag()
    const loopLag = watch.recorded.now(LOOP_LAG)
    return {
      atMs: clock.nowMs(),
      process: {
        role: context.role,
        version,
        nodeVersion: process.version,
        startedMs: Math.round(performance.timeOrigin),
        memoryBytes: process.memoryUsage.rss(),
        loopLagMs: loopLag === undefined ? null : Math.round(loopLag * 1_000),
        connectedMachines: isAlone ? context.connectedMachines() : null,
        workers: isAlone ? null : (lists?.workers ?? null),
      },
      throughput: throughput(),
      readingsPerEnvelope: lists?.readingsPerEnvelope ?? null,
      frames: isAlone ? context.frames() : null,
      lag: {
        committed: isAlone ? committedLag(watch) : null,
        owed: lists?.lags.owed ?? null,
        paid: lists?.lags.paid ?? null,
      },
      log: known && lists ? logOf(context, known, lists) : null,
      settlement: known && lists ? settlementOf(known, lists) : null,
      gas: {
        balanceWei: balance === undefined ? null : String(balance),
        spent: isAlone ? measures.spent().map(inDigits) : null,
        settling: costs ?? [],
      },
      ledger: {
        chainId: deployment.chainId,
        embedded: deployment.embedded,
        applied: included,
        final,
        behindBlocks: blocks,
        behindMs: Math.round(seconds * 1_000),
        newestBlockMs: lists?.newestBlockMs ?? null,
      },
      refusals: known && lists ? refusalsOf(known, lists) : null,
      database: { up, bytes: known?.databaseBytes ?? null, ...poolOf(context) },
      disk: isAlone ? (space ?? null) : null,
      moneyOk: money?.ok ?? null,
      certificateExpiresMs: context.certificateExpiresMs() ?? null,
      alerts: told ?? ([] satisfies Alert[]),
      notWatched: isAlone ? [] : NOT_WATCHED,
    }
  }
}

type Rows = Awaited<ReturnType<typeof readRows>>

async function readRows({ database, deployment, clock }: ApiContext) {
  const db = database.pool
  const [lags, waiting, givenUp, refusalTimes, sinceMs] = await Promise.all([
    stored.readLags(db, clock.nowMs() - LAG_MS),
    stored.readWaitingTransactions(db, WAITING_SHOWN),
    stored.countGivenUp(db),
    stored.readRefusalTimes(db),
    stored.readDatabaseBirth(db),
  ])
  const [anchored, readingsPerEnvelope, workers, [newest]] = await Promise.all([
    stored.readAnchorPlace(db, deployment.log),
    stored.readReadingsPerEnvelope(db),
    countHolders(db),
    readBlocksDown(db, Number.MAX_SAFE_INTEGER, 1),
  ])
  const told = { lags, waiting, givenUp, refusalTimes, sinceMs }
  return { ...told, anchored, readingsPerEnvelope, workers, newestBlockMs: newest?.timeMs }
}

function committedLag({ recorded }: AlertWatch): Lag | null {
  const part = (of: number) => recorded.quantile(COMMIT_LAG, of, COMMIT_LAG_MS)
  const [p50, p99] = [part(0.5), part(0.99)]
  if (p50 === undefined || p99 === undefined) return null
  return { p50Ms: Math.round(p50 * 1_000), p99Ms: Math.round(p99 * 1_000) }
}

function logOf(
  { evidence, role }: ApiContext,
  known: Figures,
  { anchored }: Rows,
): Operation['log'] {
  return {
    // One that serves the page alone does not append, and is not told.
    runs: role === 'all' ? evidence.halted() === undefined : null,
    halted: evidence.halted() ?? null,
    size: String(known.logSize),
    anchored,
    checkpointMs: known.checkpointMs ?? null,
    foldLag: known.foldLag,
    splitViews: known.splitViews,
  }
}

function settlementOf(known: Figures, { waiting, givenUp }: Rows): Operation['settlement'] {
  return {
    waiting: known.unsettled,
    waitingSinceMs: known.unsettledSinceMs ?? null,
    givenUp,
    transactions: known.outbox,
    oldest: waiting.map((one) => ({
      ...one,
      problem: one.problem === null ? null : publicProblem(one.problem),
    })),
  }
}

/**
 * What keeps a transaction back, for anybody: a contract's error by its name alone, and no identifier of another kind. The arguments are in the
 * operator's log.
 */
export function publicProblem(error: string): string {
  return error.replace(/^(\w+)\(.*\)$/s, '$1').replace(/0x[0-9a-f]{9,}/gi, '0x…')
}

function refusalsOf(known: Figures, { sinceMs, refusalTimes }: Rows): Operation['refusals'] {
  const codes = Object.entries(known.refusals)
    .map(([code, count]) => ({ code, count, lastMs: refusalTimes.get(code) ?? null }))
    .sort((a, b) => b.count - a.count)
  return { sinceMs, codes }
}

const poolOf = ({ database: { pool } }: ApiContext) => ({
  connections: pool.totalCount,
  busy: pool.totalCount - pool.idleCount,
  waiting: pool.waitingCount,
})

const inDigits = <T extends { gas: bigint; feeWei: bigint }>({ gas, feeWei, ...rest }: T) => ({
  ...rest,
  gas: String(gas),
  feeWei: String(feeWei),
})

/** The newest transactions that settled with what they cost; what the ledger has told of one is not asked again. */
function settlingReader({ database, costOf }: ApiContext) {
  let costs = new Map<Hex, { gas: bigint; feeWei: bigint }>()
  return async (): Promise<Operation['gas']['settling']> => {
    const newest = await stored.readSettlingTransactions(database.pool, SETTLING_SHOWN)
    const known = new Map<Hex, { gas: bigint; feeWei: bigint }>()
    for (const { txHash } of newest) {
      // One that a reorganisation took away has no receipt, and is not shown.
      const cost = costs.get(txHash) ?? (await costOf(txHash).catch(() => undefined))
      if (cost) known.set(txHash, cost)
    }
    costs = known
    return newest.flatMap((one) => {
      const cost = known.get(one.txHash)
      return cost ? [inDigits({ ...one, ...cost })] : []
    })
  }
}
