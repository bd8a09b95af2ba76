import type { Status } from '@liquefy/client'
import { readNewestAnchor } from '../store/log.ts'
import {
  countVerdicts,
  readMachineOverview,
  readMoneyByMachine,
  readOutboxCounts,
} from '../store/overview.ts'
import { readRefusalCounts } from '../store/refusals.ts'
import type { ApiContext } from './context.ts'

/** The node's figures. Each envelope logged stands in exactly one of priced, unpriced and waiting (INV-16). */
export async function statusView(context: ApiContext): Promise<Status> {
  const db = context.database.pool
  const { chainId, embedded, log } = context.deployment
  const [machines, verdicts, refusals, money, outbox, anchor] = await Promise.all([
    readMachineOverview(db),
    countVerdicts(db),
    readRefusalCounts(db),
    readMoneyByMachine(db, 0),
    readOutboxCounts(db),
    readNewestAnchor(db, log),
  ])
  const { OK: priced = 0, WAITING: waiting = 0, ...unpriced } = verdicts
  const logged = Object.values(verdicts).reduce((sum, count) => sum + count, 0)
  const { DUPLICATE: duplicate = 0, ...refused } = totals(refusals)
  const { included, final } = context.block()
  return {
    machines: machines.length,
    envelopes: { logged, duplicate, refused, priced, unpriced, waiting },
    owedMinor: sumOf([...money.values()].map(({ owedMinor }) => owedMinor)),
    settledMinor: sumOf([...money.values()].map(({ settledMinor }) => settledMinor)),
    chain: {
      chainId,
      embedded,
      block: included,
      finalBlock: final,
      logSize: String(logged),
      anchoredSize: String(anchor?.size ?? 0n),
      outbox,
    },
  }
}

function totals(counts: readonly { code: string; count: bigint }[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { code, count } of counts) sums[code] = (sums[code] ?? 0) + Number(count)
  return sums
}

function sumOf(amounts: readonly bigint[]): string {
  return amounts.reduce((sum, amount) => sum + amount, 0n).toString()
}
