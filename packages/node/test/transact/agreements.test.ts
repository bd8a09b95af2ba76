import { type MeterRule, ruleHash } from '@liquefy/protocol'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readRules } from '../../src/store/agreements.ts'
import type { Database } from '../../src/store/database.ts'
import { meteringBench, RULE, START_MS, temporaryDatabase, termsOf } from './fixture.ts'

let database: Database
let temporary: Awaited<ReturnType<typeof temporaryDatabase>>
let bench: Awaited<ReturnType<typeof meteringBench>>
let machineId = 9_000n

beforeAll(async () => {
  temporary = await temporaryDatabase()
  database = temporary.database
})
afterAll(() => temporary.remove())
beforeEach(async () => {
  machineId += 1n
  bench = await meteringBench(database, { now: START_MS })
  await bench.agreements.submitRules([RULE])
  await bench.createMachine(machineId)
})

const ruleOf = (burst: number): MeterRule => ({
  ...RULE,
  maxRate: { burst: String(burst), perHour: '7' },
})
const metersOf = (rule: MeterRule) =>
  termsOf(machineId).meters.map((meter) => ({ ...meter, ruleHash: ruleHash(rule) }))

test('ATK a flood of rules pushes out none that an agreement names, and keeps no new one out', async () => {
  const named = await bench.openAgreement(termsOf(machineId))
  const flooding = Array.from({ length: 1_250 }, (_, index) => ruleOf(index))
  for (let from = 0; from < flooding.length; from += 100) {
    const taken = await bench.agreements.submitRules(flooding.slice(from, from + 100))
    expect(taken.ok).toBe(true)
  }
  const later = ruleOf(1_000_000)
  const opened = await bench.openAgreement(termsOf(machineId, { meters: metersOf(later) }))
  await bench.agreements.submitRules([later])
  await bench.agreements.submitRules(flooding.slice(0, 100))
  await bench.agreements.refresh()
  expect(bench.agreements.get(named)?.problem).toBeUndefined()
  expect(bench.agreements.get(opened)?.problem).toBeUndefined()
  const known = await readRules(database.pool)
  expect(known.size).toBe(1_002)
  // The oldest went first; those posted again are the newest.
  expect(flooding.map((rule) => known.has(ruleHash(rule)))).toEqual(
    flooding.map((_, index) => index < 100 || index >= 350),
  )
})

test('more rules than a call may have are refused', async () => {
  const rules = Array.from({ length: 101 }, (_, index) => ruleOf(index))
  expect(await bench.agreements.submitRules(rules)).toMatchObject({ code: 'RULES_TOO_MANY' })
})

test('a gap timeout of more than 31 days is not metered, and the agreement says so', async () => {
  const most = 31 * 86_400
  const within = await bench.openAgreement(termsOf(machineId, { gapTimeoutSeconds: most }))
  const beyond = await bench.openAgreement(termsOf(machineId, { gapTimeoutSeconds: most + 1 }))
  expect(await bench.agreements.refresh()).toContain(within)
  expect(bench.agreements.get(within)?.problem).toBeUndefined()
  expect(bench.agreements.get(beyond)?.problem).toMatch('31 days')
})

test('ATK a device is not told of agreements without meters, which a stranger may open', async () => {
  const metered = await bench.openAgreement(termsOf(machineId))
  await bench.openAgreement(termsOf(machineId, { meters: [] }))
  await bench.agreements.refresh()
  expect(bench.agreements.agreementsOf(machineId)).toMatchObject([{ agreementId: metered }])
})
