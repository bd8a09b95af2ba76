import { statfs } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Figures, readFigures } from '../store/figures.ts'
import type { MoneyCheck } from '../transact/money-check.ts'
import type { ApiContext } from './context.ts'
import { paced } from './paced.ts'

/** Figures that cost something to read, for metrics and for the operator's page together. Undefined: not known now. */
export interface PacedFigures {
  /** Whether the database answers within 1.5 s. */
  databaseUp(): Promise<boolean | undefined>
  /** What the database has; undefined while it does not answer. */
  stored(): Promise<Figures | undefined>
  /** Smallest units of the ledger's coin. */
  operatorBalance(): Promise<bigint | undefined>
  moneyCheck(): Promise<MoneyCheck | undefined>
  /** Of the file system where the data folder lies. */
  disk(): Promise<{ freeBytes: number; sizeBytes: number } | undefined>
}

/** Asked of the ledger, which may cost money, no oftener. */
const LEDGER_MS = 60_000
const PING_MS = 1_500

export function createPacedFigures(context: ApiContext): PacedFigures {
  const { pool } = context.database
  const { embedded, log, asset } = context.deployment
  const databaseUp = paced(async () => {
    const answer = pool.query('SELECT 1').then(() => true)
    return Promise.race([answer, sleep(PING_MS, false, { ref: false })])
  })
  const read = paced(() => readFigures(pool, { log, asset: embedded ? undefined : asset.address }))
  return {
    databaseUp,
    stored: async () => ((await databaseUp()) ? read() : undefined),
    operatorBalance: paced(context.operatorBalance, LEDGER_MS),
    moneyCheck: paced(context.checkMoney, LEDGER_MS),
    disk: paced(async () => {
      const { bavail, blocks, bsize } = await statfs(context.dataDir)
      return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
    }),
  }
}
