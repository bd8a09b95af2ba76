import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AuditOptions, auditBundle } from '../src/index.ts'
import { verifyHere } from '../src/verify-many.ts'
import { type SignatureWorkers, startSignatureWorkers } from '../src/workers/signature-workers.ts'
import { type Business, emptyBusiness, TERMS } from './synthetic/business.ts'

/** More than one batch of either stream. */
const ENVELOPES = 60
const RUNS = process.env.LIQUEFY_NIGHTLY ? 2_000 : 120
const START_SECONDS = Number(TERMS.start)

let workers: SignatureWorkers
let business: Pick<Business, 'ledger'>
let lines: string[]

beforeAll(async () => {
  workers = startSignatureWorkers()
  const made = emptyBusiness()
  for (let step = 0; step < ENVELOPES; step += 1) {
    made.log('mass', BigInt(step) * 10n, START_SECONDS + step * 60)
    made.log('volume', BigInt(step), START_SECONDS + step * 60)
  }
  business = made
  lines = await made.bundle()
})
afterAll(() => workers.stop())

const audit = (text: readonly string[], verifyMany?: AuditOptions['verifyMany']) =>
  auditBundle({ lines: text, ledger: business.ledger, ...(verifyMany && { verifyMany }) })

/** Verdicts of later batches come before those of earlier ones. */
const backwards = (): AuditOptions['verifyMany'] => {
  let delayMs = 12
  return async (signed) => {
    delayMs = Math.max(0, delayMs - 4)
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    return verifyHere(signed)
  }
}

/** Another content of a line that can still be read: some of it meets one check, some another. */
function forge(text: string, other: string, field: string): string {
  const line = JSON.parse(text)
  const from = JSON.parse(other)
  if (!(field in line) || !(field in from)) return text
  return JSON.stringify({ ...line, [field]: from[field] })
}

/** One character of the envelope's bytes: its signature, its header or its readings. */
function scratch(text: string, place: number): string {
  const line = JSON.parse(text)
  if (typeof line.raw !== 'string') return text
  const bytes = Buffer.from(line.raw, 'base64')
  const at = place % bytes.length
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return JSON.stringify({ ...line, raw: bytes.toString('base64') })
}

const place = fc.nat(10_000)
const fields = ['raw', 'proof', 'seq', 'logIndex', 'loggedAt', 'code', 'stream'] as const
const tampering = fc.oneof(
  fc.record({ kind: fc.constant('scratch' as const), at: place, to: place }),
  fc.record({
    kind: fc.constant('forge' as const),
    at: place,
    to: place,
    field: fc.constantFrom(...fields),
  }),
  fc.record({ kind: fc.constant('drop' as const), at: place }),
  fc.record({ kind: fc.constant('swap' as const), at: place, to: place }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
)

type Tampering = typeof tampering extends fc.Arbitrary<infer Act> ? Act : never

function tamper(honest: readonly string[], acts: readonly Tampering[]): string[] {
  let text = [...honest]
  for (const act of acts) {
    const at = act.at % text.length
    const one = text[at] ?? ''
    const to = 'to' in act ? act.to % text.length : 0
    const other = text[to] ?? ''
    if (act.kind === 'scratch') text[at] = scratch(one, act.to)
    else if (act.kind === 'forge') text[at] = forge(one, other, act.field)
    else if (act.kind === 'drop' && text.length > 1) text.splice(at, 1)
    else if (act.kind === 'swap') [text[at], text[to]] = [other, one]
    else if (act.kind === 'cut') text = text.slice(0, Math.max(1, at))
  }
  return text
}

test('whoever verifies the signatures, the report on any bundle is the same, first fault and all', async () => {
  const honest = await audit(lines)
  expect(honest).toMatchObject({ envelopes: 2 * ENVELOPES, priced: 2 * ENVELOPES })
  expect(await audit(lines, workers.verifyMany)).toEqual(honest)
  const faults = new Set<string | undefined>()
  const at = lines.findIndex((line) => typeof JSON.parse(line).raw === 'string')
  const raw = Buffer.from(JSON.parse(lines[at] ?? '').raw, 'base64')
  const sure: Tampering[] = [
    { kind: 'scratch', at, to: 0 },
    { kind: 'scratch', at, to: raw.length - 1 },
    { kind: 'forge', at, to: at + 1, field: 'proof' },
  ]
  await fc.assert(
    fc.asyncProperty(fc.array(tampering, { minLength: 1, maxLength: 4 }), async (acts) => {
      const text = tamper(lines, acts)
      const here = await audit(text)
      expect(await audit(text, workers.verifyMany)).toEqual(here)
      expect(await audit(text, backwards())).toEqual(here)
      faults.add(here.firstFault?.code)
    }),
    { numRuns: RUNS, examples: sure.map((act) => [[act]]) },
  )
  expect([...faults]).toEqual(
    expect.arrayContaining(['ENVELOPE_INVALID', 'SIGNATURE_INVALID', 'PROOF_INVALID']),
  )
})

test('threads that cannot say whether a signature holds end the audit with their error', async () => {
  const broken = startSignatureWorkers()
  await broken.stop()
  const never = audit(lines, broken.verifyMany)
  await expect(never).rejects.toMatchObject({ code: 'WORKERS_ENDED' })
})
