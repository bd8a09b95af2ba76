import {
  adjustmentDigest,
  evidenceHead,
  finalFromMs,
  type Hex,
  privateKeyFromBytes,
  signedAdjustmentToJson,
  signTypedDigest,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CHAIN, meteringBench, RULE, START_MS, temporaryDatabase, termsOf } from './fixture.ts'

const MACHINE = 1n
const MINUTE_MS = 60_000
const terms = termsOf(MACHINE)
const FINAL_MS = finalFromMs(terms, 0)
/** 50 g that came late, at 3 each. */
const LATE_MINOR = 150n
const clock = { now: START_MS }
let temporary: Awaited<ReturnType<typeof temporaryDatabase>>
let metering: ReturnType<Awaited<ReturnType<typeof meteringBench>>['start']>
let machine: Awaited<ReturnType<Awaited<ReturnType<typeof meteringBench>>['createMachine']>>
let id: Hex

beforeAll(async () => {
  temporary = await temporaryDatabase()
  const bench = await meteringBench(temporary.database, clock)
  await bench.agreements.submitRules([RULE])
  machine = await bench.createMachine(MACHINE)
  id = await bench.openAgreement(terms)
  await bench.agreements.refresh()
  metering = bench.start()
  await machine.publish(100n, START_MS)
  await machine.publish(200n, START_MS + 10 * MINUTE_MS)
})
afterAll(async () => {
  await metering.close()
  await temporary.remove()
})

const offer = async (
  change: { amount?: bigint; period?: number; seq?: bigint; key?: typeof machine.key } = {},
) => {
  const { amount = LATE_MINOR, period = 0, seq = 3n, key = machine.key } = change
  const head = evidenceHead([machine.digests[Number(seq) - 1] ?? ZERO_DIGEST])
  const adjustment = { agreementId: id, period, amount, evidenceHead: head }
  const signature = signTypedDigest(key, adjustmentDigest({ ...CHAIN, adjustment }))
  const heads = [{ stream: 'weight', seq }]
  const json = signedAdjustmentToJson({ ...adjustment, heads, signature })
  metering.kick([{ machineId: MACHINE, stream: 'weight' }])
  return metering.acceptMeterValue(MACHINE, new TextEncoder().encode(JSON.stringify(json)))
}

test('an adjustment is kept if it equals the fold of the node, is signed by the meter, and its period is final: once', async () => {
  clock.now = FINAL_MS - 1
  expect(await offer({ seq: 2n })).toMatchObject({ code: 'PERIOD_NOT_FINAL' })
  clock.now = FINAL_MS + MINUTE_MS
  expect(await offer({ seq: 2n })).toMatchObject({ code: 'METER_MISMATCH', ownAmount: '0' })
  await machine.publish(250n, START_MS + 20 * MINUTE_MS, { loggedAt: FINAL_MS + 1_000 })
  expect(await offer({ amount: 2n * LATE_MINOR })).toMatchObject({
    code: 'METER_MISMATCH',
    amount: String(2n * LATE_MINOR),
    ownAmount: String(LATE_MINOR),
  })
  expect(
    await offer({ key: privateKeyFromBytes('P-256', new Uint8Array(32).fill(3)) }),
  ).toMatchObject({ code: 'METER_SIGNATURE_INVALID' })
  expect(await offer({ period: 1 })).toMatchObject({ code: 'PERIOD_NOT_FINAL' })
  expect(await offer({ period: 24 })).not.toMatchObject({ code: 'ACCEPTED' })
  expect(await offer()).toMatchObject({ code: 'ACCEPTED', amount: String(LATE_MINOR) })
  expect(await offer()).toMatchObject({ code: 'ACCEPTED' })
  await machine.publish(260n, START_MS + 30 * MINUTE_MS, { loggedAt: FINAL_MS + 2_000 })
  expect(await offer({ amount: LATE_MINOR + 30n, seq: 4n })).toMatchObject({
    code: 'ADJUSTMENT_EXISTS',
  })
})
