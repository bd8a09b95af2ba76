import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import { type CounterRule, encodeTariffData, ruleHash, ZERO_DIGEST } from '@liquefy/protocol'
import { type BenchAgreement, openAgreements, registerMachines } from '../gas/business.ts'
import { type BenchLedger, startLedger } from '../gas/ledger.ts'
import type { LatencyPlan, LatencyReport, PlannedMachine } from './plan.ts'
import { withoutWaiting } from './quick-ledger.ts'
import { STREAM } from './signed-machine.ts'

/** 1,000 envelopes a second: each of these machines sends one every 100 ms. */
const MACHINES = 100
const EVERY_MS = 100
/** Besides, each of these sends one every 3 s with a signed meter value, which is settled whatever it is worth. */
const PAID_MACHINES = 10
const PAID_EVERY_MS = 3_000
const READINGS = 5
const WARM_UP_SECONDS = 5
const SECONDS = 30
const BLOCK_MS = 1_000
const ANCHOR_MS = 30_000

const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'Wh',
  scale: 0,
  registerUnit: 'Wh',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000000000', perHour: '1000000000' },
}

/**
 * How long it takes from a machine's envelope to the amount owed and to the money paid, at 1,000 envelopes a second, each of a machine with an
 * open, metered agreement: node, database and a ledger with blocks of 1 s on the same cores as the loader.
 */
export async function benchLatency(say: (line: string) => void): Promise<Record<string, number>> {
  const ledger = await startLedger({
    blockMs: BLOCK_MS,
    anchorIntervalMs: ANCHOR_MS,
    settle: { minMinor: 0n, maxAgeMs: 0 },
  })
  try {
    say(`opening ${MACHINES + PAID_MACHINES} agreements`)
    const plan = await planOf(ledger)
    say(
      `signing ${((WARM_UP_SECONDS + SECONDS) * MACHINES * 1_000) / EVERY_MS} envelopes, then sending for ${WARM_UP_SECONDS + SECONDS} s`,
    )
    const before = process.cpuUsage()
    const report = await load(plan)
    const { user, system } = process.cpuUsage(before)
    return figuresOf(report, (user + system) / report.sent)
  } finally {
    await ledger.stop()
  }
}

async function planOf(slow: BenchLedger): Promise<LatencyPlan> {
  const ledger = withoutWaiting(slow)
  const { node, accounts, chainId } = ledger
  const [payer, payee] = accounts
  if (!payer || !payee) throw new Error('The embedded ledger has too few people.')
  await createClient({ url: node.url }).submitRules([RULE])
  const machines = await registerMachines(ledger, payee, 'P-256', MACHINES + PAID_MACHINES)
  const agreements = await openAgreements(ledger, { payer, payee }, machines, {
    meters: [{ stream: STREAM, ruleHash: ruleHash(RULE), startHead: ZERO_DIGEST }],
    limits: [{ burst: 10n ** 9n, perHour: 10n ** 9n }],
    tariffData: encodeTariffData({ kind: 'linear', prices: [1n], scale: 0 }),
  })
  await node.idle()
  const planned = agreements.map(plannedOf)
  return {
    mqttUrl: node.mqttUrl,
    apiUrl: node.url,
    chainId,
    registry: node.deployment.registry,
    clearingHouse: node.deployment.clearingHouse,
    warmUpSeconds: WARM_UP_SECONDS,
    seconds: SECONDS,
    readings: READINGS,
    owed: { everyMs: EVERY_MS, machines: planned.slice(0, MACHINES) },
    paid: { everyMs: PAID_EVERY_MS, machines: planned.slice(MACHINES) },
  }
}

function plannedOf({ id, machine }: BenchAgreement): PlannedMachine {
  return {
    machineId: String(machine.machineId),
    scalarHex: Buffer.from(machine.key.d).toString('hex'),
    agreementId: id,
  }
}

async function load(plan: LatencyPlan): Promise<LatencyReport> {
  const child = fork(join(import.meta.dirname, 'loader.ts'), { execArgv: [] })
  const ending = new AbortController()
  try {
    child.send(plan)
    return await Promise.race([
      once(child, 'message', ending).then(([report]) => report as LatencyReport),
      once(child, 'exit', ending).then(([code]) => {
        throw new Error(`The loader ended by itself with ${code}.`)
      }),
    ])
  } finally {
    ending.abort()
    child.kill()
  }
}

function figuresOf(
  { sent, owedMs, paidMs, latestSendMs, loaderCores }: LatencyReport,
  nodeMicros: number,
): Record<string, number> {
  return {
    envelopesPerSecond: (MACHINES * 1_000) / EVERY_MS,
    envelopesSent: sent,
    ...shares('owed', owedMs),
    ...shares('paid', paidMs),
    latestSendMs: Math.round(latestSendMs),
    loaderCores: Math.round(loaderCores * 100) / 100,
    nodeMicrosPerEnvelope: Math.round(nodeMicros),
  }
}

function shares(name: string, latencies: readonly number[]): Record<string, number> {
  const sorted = [...latencies].sort((a, b) => a - b)
  if (sorted.length === 0) throw new Error(`Nothing was ${name}.`)
  const at = (part: number) => Math.round(sorted[Math.ceil(sorted.length * part) - 1] ?? 0)
  return {
    [`${name}P50Ms`]: at(0.5),
    [`${name}P99Ms`]: at(0.99),
    [`${name}MaxMs`]: at(1),
    [`${name}Measured`]: sorted.length,
  }
}
