import { randomBytes } from 'node:crypto'
import { evidenceHead, type Hex } from '@liquefy/protocol'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { bytesOf } from '../../src/store/hex.ts'
import { readMeterValues } from '../../src/store/meter-values.ts'
import { readOwed } from '../../src/store/metering.ts'
import type { Metering } from '../../src/transact/metering.ts'
import { meteringBench, RULE, START_MS, temporaryDatabase, termsOf } from './fixture.ts'

const MINUTE_MS = 60_000
const START = START_MS / 1000
let database: Database
let temporary: Awaited<ReturnType<typeof temporaryDatabase>>
let bench: Awaited<ReturnType<typeof meteringBench>>
let metering: Metering
let machineId = 0n
const clock = { now: START_MS }

beforeAll(async () => {
  temporary = await temporaryDatabase()
  database = temporary.database
})
afterAll(() => temporary.remove())

beforeEach(async () => {
  clock.now = START_MS
  machineId += 1n
  bench = await meteringBench(database, clock)
  await bench.agreements.submitRules([RULE])
  metering = bench.start()
  return () => metering.close()
})

const meteredRows = async (id: Hex) =>
  (
    await database.pool.query(
      'SELECT seq, period, register, code FROM metered WHERE agreement_id = $1 ORDER BY seq',
      [bytesOf(id)],
    )
  ).rows

async function openWith(values: bigint[]) {
  const machine = await bench.createMachine(machineId)
  const id = await bench.openAgreement(termsOf(machineId))
  await bench.agreements.refresh()
  for (const [index, value] of values.entries()) {
    await machine.publish(value, START_MS + (index + 1) * MINUTE_MS)
  }
  clock.now = START_MS + (values.length + 1) * MINUTE_MS
  return { machine, id, streams: [{ machineId, stream: 'weight' }] }
}

describe('folding', () => {
  test('moves registers, the amount owed and the cursor together, and tells of it', async () => {
    const { id, streams } = await openWith([100n, 150n, 170n])
    const owed: string[] = []
    bench.events.on((event) => event.type === 'owed' && owed.push(event.owedMinor))
    metering.kick(streams)
    await metering.idle()
    expect(await readOwed(database.pool, id)).toEqual([
      {
        agreementId: id,
        period: 0,
        registers: [70n],
        asOf: BigInt(START + 180),
        owedMinor: 210n,
        heads: [{ stream: 'weight', seq: '3' }],
      },
    ])
    expect(owed).toEqual(['210'])
  })

  test('INV-19 counts each envelope exactly once under concurrent kicks and two meterings', async () => {
    const { machine, id, streams } = await openWith([100n])
    const second = bench.start()
    for (let index = 2n; index <= 30n; index += 1n) {
      await machine.publish(100n + index, START_MS + Number(index) * MINUTE_MS)
      metering.kick(streams)
      second.kick(streams)
      metering.kick(streams)
    }
    await Promise.all([metering.idle(), second.idle()])
    await second.close()
    const rows = await meteredRows(id)
    expect(rows).toHaveLength(30)
    expect(rows.at(-1)).toMatchObject({ seq: 30n, register: 30n })
    expect((await readOwed(database.pool, id))[0]).toMatchObject({
      registers: [30n],
      owedMinor: 90n,
    })
  })

  test('INV-19 a crash within the transaction leaves nothing; the next start folds the rest', async () => {
    const { machine, id, streams } = await openWith([100n, 150n])
    metering.kick(streams)
    await metering.idle()
    await machine.publish(175n, START_MS + 3 * MINUTE_MS)
    await database.pool.query(
      `CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'power cut'; END $$;
       CREATE TRIGGER crash BEFORE UPDATE ON owed FOR EACH ROW EXECUTE FUNCTION crash()`,
    )
    metering.kick(streams)
    await metering.idle()
    await metering.close()
    expect(await meteredRows(id)).toHaveLength(2)
    await database.pool.query('DROP TRIGGER crash ON owed; DROP FUNCTION crash')
    metering = bench.start()
    metering.kick(streams)
    await metering.idle()
    expect(await meteredRows(id)).toHaveLength(3)
    expect((await readOwed(database.pool, id))[0]?.registers).toEqual([75n])
  })

  test('what was archived is never folded as if it said nothing; once it is back, it is folded', async () => {
    const { machine, id, streams } = await openWith([100n])
    const gap = { kind: 'gap' as const, fromMs: START_MS, toMs: START_MS + 1, reason: 'repair' }
    const missing: [bigint, bigint] = [2n, 2n]
    const declared = machine.make(
      3n,
      { kind: 'declaration', declaration: { ...gap, missing } },
      START_MS + 3 * MINUTE_MS,
    )
    machine.digests.push(declared.digest, declared.digest)
    await machine.log(declared, START_MS + 3 * MINUTE_MS)
    await machine.publish(130n, START_MS + 4 * MINUTE_MS)
    const { rows } = await database.pool.query(
      `INSERT INTO archives (file) VALUES ($1) RETURNING archive_id`,
      [`of-${id}`],
    )
    const archive = (digest: Hex) =>
      database.pool.query('UPDATE envelopes SET raw = NULL, archive_id = $1 WHERE digest = $2', [
        rows[0].archive_id,
        bytesOf(digest),
      ])
    await archive(declared.digest)
    const foldNow = async () => {
      metering.kick(streams)
      // What failed waits for its next try, and is not waited for.
      await metering.idle()
    }
    await foldNow()
    expect(await meteredRows(id)).toEqual([])
    await database.pool.query(
      'UPDATE envelopes SET raw = $1, archive_id = NULL WHERE digest = $2',
      [declared.bytes, bytesOf(declared.digest)],
    )
    await foldNow()
    expect(await meteredRows(id)).toMatchObject([
      { seq: 1n, code: 'OK' },
      { seq: 3n },
      { seq: 4n, register: 30n, code: 'OK' },
    ])
  })

  test('without its rule nothing is metered, and the agreement says so', async () => {
    const machine = await bench.createMachine(machineId)
    const unknown: Hex = `0x${randomBytes(32).toString('hex')}`
    const terms = termsOf(machineId)
    const id = await bench.openAgreement({
      ...terms,
      meters: [{ stream: 'weight', ruleHash: unknown, startHead: `0x${'00'.repeat(32)}` }],
    })
    await bench.agreements.refresh()
    await machine.publish(1n, START_MS + MINUTE_MS)
    metering.kick([{ machineId, stream: 'weight' }])
    await metering.idle()
    expect(bench.agreements.get(id)?.problem).toMatch('/v1/rules')
    expect(await meteredRows(id)).toHaveLength(0)
  })

  test('startHead: the first envelope metered is the one behind it', async () => {
    const machine = await bench.createMachine(machineId)
    for (let index = 1; index <= 4; index += 1) {
      await machine.publish(BigInt(index * 10), START_MS + index * MINUTE_MS)
    }
    const [, second] = machine.digests
    const terms = termsOf(machineId)
    const id = await bench.openAgreement({
      ...terms,
      meters: terms.meters.map((meter) => ({ ...meter, startHead: second ?? '0x' })),
    })
    await bench.agreements.refresh()
    clock.now += 10 * MINUTE_MS
    metering.kickAgreements([id])
    await metering.idle()
    expect(await meteredRows(id)).toMatchObject([
      { seq: 3n, period: -1 },
      { seq: 4n, period: 0, register: 10n },
    ])
  })

  test('a gap holds the fold until it is filled, or until its timeout has passed', async () => {
    const { machine, id, streams } = await openWith([100n])
    const held = await machine.publish(110n, START_MS + 2 * MINUTE_MS, { hold: true })
    const lost = await machine.publish(120n, START_MS + 3 * MINUTE_MS, { hold: true })
    await machine.publish(130n, START_MS + 4 * MINUTE_MS)
    clock.now = START_MS + 4 * MINUTE_MS + 1000
    metering.kick(streams)
    await metering.idle()
    expect(await meteredRows(id)).toHaveLength(1)

    await machine.log(held, clock.now)
    metering.kick(streams)
    await metering.idle()
    expect(await meteredRows(id)).toHaveLength(2)

    clock.now += 2 * MINUTE_MS
    await expect.poll(async () => (await readOwed(database.pool, id))[0]?.registers).toEqual([30n])
    await machine.log(lost, clock.now)
    metering.kick(streams)
    await metering.idle()
    expect((await meteredRows(id)).map(({ code }) => code)).toEqual([
      'OK',
      'OK',
      'LATE_FOR_GAP',
      'OK',
    ])
    expect((await readOwed(database.pool, id))[0]?.registers).toEqual([30n])
  })
})

describe('meter values', () => {
  test('equal at the named heads: accepted and stored, also when newer evidence came since', async () => {
    const { machine, id, streams } = await openWith([100n, 150n, 170n])
    metering.kick(streams)
    const payload = bench.sign(machine, id, { asOf: START + 120, registers: [50n], seq: 2n })
    expect(await metering.acceptMeterValue(machineId, payload)).toEqual({
      agreementId: id,
      period: 0,
      asOf: START + 120,
      code: 'ACCEPTED',
    })
    expect(await readMeterValues(database.pool, id)).toMatchObject([
      { registers: [50n], owedMinor: 150n, heads: [{ stream: 'weight', seq: '2' }] },
    ])
  })

  test('waits for the fold of what was logged a moment ago', async () => {
    const { machine, id } = await openWith([100n, 150n])
    const payload = bench.sign(machine, id, { asOf: START + 120, registers: [50n], seq: 2n })
    expect(await metering.acceptMeterValue(machineId, payload)).toMatchObject({ code: 'ACCEPTED' })
  })

  test('ATK a register above the evidence is METER_MISMATCH, answered with the own registers', async () => {
    const { machine, id } = await openWith([100n, 150n, 120n])
    const payload = bench.sign(machine, id, { asOf: START + 200, registers: [51n], seq: 3n })
    expect(await metering.acceptMeterValue(machineId, payload)).toMatchObject({
      code: 'METER_MISMATCH',
      registers: ['50'],
      evidenceHead: evidenceHead(machine.digests.slice(2, 3)),
      heads: [{ stream: 'weight', seq: '3' }],
      unpriced: [{ stream: 'weight', seq: '3', code: 'COUNTER_ROLLBACK' }],
    })
    expect(await readMeterValues(database.pool, id)).toEqual([])
  })

  test.each([
    ['another evidence head', { asOf: START + 120, evidenceHead: `0x${'ab'.repeat(32)}` as Hex }],
    ['asOf before the last reading', { asOf: START + 119 }],
    ['asOf in the future', { asOf: START + 1000 }],
  ])('%s is METER_MISMATCH', async (_, change) => {
    const { machine, id } = await openWith([100n, 150n])
    const payload = bench.sign(machine, id, { registers: [50n], seq: 2n, ...change })
    expect(await metering.acceptMeterValue(machineId, payload)).toMatchObject({
      code: 'METER_MISMATCH',
      registers: ['50'],
    })
  })

  test('ATK another key, another sender, an unknown agreement, and no JSON each have their code', async () => {
    const { machine, id } = await openWith([100n, 150n])
    const value = { asOf: START + 120, registers: [50n], seq: 2n }
    const stranger = await bench.createMachine(machineId + 1_000n)
    const forged = bench.sign({ ...machine, key: stranger.key }, id, value)
    const good = bench.sign(machine, id, value)
    const elsewhere = bench.sign(machine, `0x${'77'.repeat(32)}`, value)
    const codes = []
    for (const [sender, payload] of [
      [machineId, forged],
      [stranger.machineId, good],
      [machineId, elsewhere],
      [machineId, new TextEncoder().encode('{"registers":["1e3"]}')],
      [machineId, new Uint8Array(20_000)],
    ] as const) {
      codes.push((await metering.acceptMeterValue(sender, payload)).code)
    }
    expect(codes).toEqual([
      'METER_SIGNATURE_INVALID',
      'METER_SIGNATURE_INVALID',
      'AGREEMENT_UNKNOWN',
      'METER_VALUE_INVALID',
      'METER_VALUE_INVALID',
    ])
  })

  test('above the rate bound of the terms it would be skipped on the ledger, so it is not taken', async () => {
    const machine = await bench.createMachine(machineId)
    const id = await bench.openAgreement(
      termsOf(machineId, { limits: [{ burst: 10n, perHour: 60n }] }),
    )
    await bench.agreements.refresh()
    await machine.publish(0n, START_MS + MINUTE_MS)
    await machine.publish(50n, START_MS + 2 * MINUTE_MS)
    clock.now = START_MS + 45 * MINUTE_MS
    const early = bench.sign(machine, id, { asOf: START + 120, registers: [50n], seq: 2n })
    expect(await metering.acceptMeterValue(machineId, early)).toMatchObject({ code: 'RATE_BOUND' })
    const later = bench.sign(machine, id, { asOf: START + 2400, registers: [50n], seq: 2n })
    expect(await metering.acceptMeterValue(machineId, later)).toMatchObject({ code: 'ACCEPTED' })
  })
})
