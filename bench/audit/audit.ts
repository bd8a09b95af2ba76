import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { auditBundle } from '@liquefy/audit'
import { startSignatureWorkers } from '@liquefy/audit/workers'
import { privateKeyFromBytes } from '@liquefy/protocol'
import { signatureLimit } from '../load/signature-limit.ts'
import type { SignedEnvelopes, SigningOrder } from '../load/signed-load.ts'
import {
  type AuditedBusiness,
  businessOf,
  CHAIN_ID,
  MACHINE_ID,
  REGISTRY,
  STREAM,
} from './business.ts'

const ENVELOPES = 50_000
const READINGS = 60
const FROM_MS = 1_760_000_000_000
const RUNS = 5
const LIMIT_SECONDS = 2
const SAMPLE = 512

const MACHINE_SCALAR = Buffer.alloc(32, 5)
const LOG_SCALAR = Buffer.alloc(32, 9)

/**
 * How fast the bundle of an agreement is audited from a file, as `liquefy audit --bundle` does it, beside what the signatures alone would take: one
 * stream, each envelope with 60 readings, its own P-256 signature and its own proof. The ledger's answers are in memory.
 */
export async function benchAudit(say: (line: string) => void): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'liquefy-audit-'))
  try {
    say(`signing ${ENVELOPES} envelopes of ${READINGS} readings`)
    const path = join(folder, 'bundle.jsonl')
    const machineKey = privateKeyFromBytes('P-256', MACHINE_SCALAR)
    const logKey = privateKeyFromBytes('secp256k1', LOG_SCALAR)
    const envelopes = await signAll()
    const { lines, ledger } = await businessOf(machineKey, logKey, envelopes, FROM_MS)
    await writeFile(path, `${lines.join('\n')}\n`)
    const key = machineKey.publicKey
    const sample = envelopes.slice(0, SAMPLE).map((bytes) => ({ bytes, key }))
    return await measure(path, ledger, sample, say)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function signAll(): Promise<Uint8Array[]> {
  const machine = {
    index: 0,
    machineId: String(MACHINE_ID),
    scalarHex: MACHINE_SCALAR.toString('hex'),
  }
  const order: SigningOrder = {
    chainId: CHAIN_ID,
    registry: REGISTRY,
    machines: [machine],
    envelopes: ENVELOPES,
    readings: READINGS,
    stream: STREAM,
    fromMs: FROM_MS,
  }
  const path = join(import.meta.dirname, '..', 'load', 'signing-worker.ts')
  return new Promise((resolve, reject) => {
    const worker = new Worker(path, { workerData: order })
    worker.once('message', ([signed]: SignedEnvelopes[]) => resolve(signed?.envelopes ?? []))
    worker.once('error', reject)
  })
}

async function measure(
  path: string,
  ledger: AuditedBusiness['ledger'],
  sample: Parameters<typeof signatureLimit>[0],
  say: (line: string) => void,
): Promise<Record<string, number>> {
  const workers = startSignatureWorkers()
  const runs: { rate: number; limit: number; cpuMicros: number }[] = []
  let limit = await signatureLimit(sample, LIMIT_SECONDS)
  // The first one, in which the code is compiled, does not count.
  for (let run = 0; run <= RUNS; run += 1) {
    const before = process.cpuUsage()
    const startedMs = performance.now()
    const lines = createInterface({ input: createReadStream(path) })
    const report = await auditBundle({ lines, ledger, verifyMany: workers.verifyMany })
    const seconds = (performance.now() - startedMs) / 1_000
    const { user, system } = process.cpuUsage(before)
    if (report.firstFault || report.priced !== ENVELOPES) {
      throw new Error(`The audit found ${JSON.stringify(report.firstFault)}.`)
    }
    const limitAfter = await signatureLimit(sample, LIMIT_SECONDS)
    const rate = report.readings / seconds
    const one = { rate, limit: (limit + limitAfter) / 2, cpuMicros: (user + system) / ENVELOPES }
    limit = limitAfter
    if (run > 0) runs.push(one)
    say(
      `run ${run}: ${Math.round(rate)} readings/s, limit ${limit} envelopes/s, ${one.cpuMicros.toFixed(0)} us an envelope`,
    )
  }
  await workers.stop()
  const ownLimit = await signatureLimit(sample, LIMIT_SECONDS, 'protocol')
  return {
    readingsPerSecond: Math.round(median(runs.map(({ rate }) => rate))),
    signatureLimitPerSecond: Math.round(median(runs.map((one) => one.limit))),
    ratioToSignatureLimit:
      Math.round(1_000 * median(runs.map((one) => one.rate / (one.limit * READINGS)))) / 1_000,
    ownVerifyPerSecond: ownLimit,
    cpuMicrosPerEnvelope: Math.round(median(runs.map(({ cpuMicros }) => cpuMicros))),
    envelopes: ENVELOPES,
    cores: availableParallelism(),
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}
