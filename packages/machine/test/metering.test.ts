import {
  foldStream,
  foldTermsOf,
  type Hex,
  registerAt,
  type Terms,
  termsToJson,
} from '@liquefy/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  adoptNextKey,
  createKey,
  type MachineOptions,
  type MeterEvent,
  nextKey,
  openMachine,
  startBehind,
} from '../src/index.ts'
import { scratchFolder } from './folder.ts'
import { ledger, type Message, silo, siloTerms, simulatedLine, tinyNode } from './tiny-node.ts'

const START_MS = Date.UTC(2026, 0, 5)

async function setUp(options: Partial<MachineOptions> = {}) {
  const folder = scratchFolder()
  const key = createKey(folder)
  const time = { nowMs: START_MS + 1_000 }
  const clock = { nowMs: () => time.nowMs }
  const node = tinyNode({ key: key.publicKey, clock, mqttId: 7n })
  const line = simulatedLine(node)
  const open = async () => {
    const machine = await openMachine({
      folder,
      machineId: 7n,
      ...ledger,
      clock,
      transport: line.open,
      ...options,
    })
    const events: MeterEvent[] = []
    machine.on('meter', (event) => events.push(event))
    line.up()
    return { machine, events }
  }
  return { folder, time, node, line, open, ...(await open()) }
}

async function setUpIn(folder: string, { time, line }: Pick<SetUp, 'time' | 'line'>) {
  const clock = { nowMs: () => time.nowMs }
  const machine = await openMachine({
    folder,
    machineId: 7n,
    ...ledger,
    clock,
    transport: line.open,
  })
  const events: MeterEvent[] = []
  machine.on('meter', (event) => events.push(event))
  line.up()
  return { machine, events }
}

type SetUp = Awaited<ReturnType<typeof setUp>>

/** One reading a minute. */
async function run({ machine, time }: Pick<SetUp, 'machine' | 'time'>, levels: number[]) {
  for (const level of levels) {
    time.nowMs += 60_000
    await machine.sample('level', { unit: 'mm', value: BigInt(level) })
  }
}

const kinds = (events: MeterEvent[]) => events.map(({ kind }) => kind)

test('it signs what the level fell, not the refill, and the node agrees', async () => {
  const { machine, events, line, node, time } = await setUp()
  line.send(node.openAgreement(siloTerms(7n, START_MS), [silo]))
  await run({ machine, time }, [9_000, 8_990, 8_991, 8_980, 9_500, 9_490])
  await machine.flushed()
  const answers = await machine.meterNow()
  expect(kinds(events)).toEqual(['agreement', 'signed', 'accepted'])
  expect(answers.at(-1)).toMatchObject({ kind: 'accepted', period: 0, registers: [30n * 7_000n] })
  expect(await machine.meterNow()).toEqual([])
  expect(machine.agreements()[0]?.registers).toEqual({ 0: [210_000n] })
  await machine.close()
})

test('it signs every so often while registers change, and at once when a period has ended', async () => {
  const { machine, events, line, node, time } = await setUp({ signEveryMs: 600_000 })
  line.send(node.openAgreement(siloTerms(7n, START_MS), [silo]))
  const levels = Array.from({ length: 65 }, (_, minute) => 9_000 - 10 * minute)
  for (const level of levels) {
    await run({ machine, time }, [level])
    await machine.flushed()
    machine.tick()
    await Promise.resolve()
  }
  const signed = events.filter((event) => event.kind === 'signed')
  const at = signed.map(({ period, value }) => [period, (value.asOf - START_MS / 1000) / 60])
  // Readings lie one second behind the full minute; the period's last value is as of its end.
  expect(at.map(([period, minute]) => [period, Math.floor(minute ?? 0)])).toEqual([
    [0, 1],
    [0, 11],
    [0, 21],
    [0, 31],
    [0, 41],
    [0, 51],
    [0, 60],
  ])
  expect(kinds(events).filter((kind) => kind === 'mismatch')).toEqual([])
  await machine.close()
})

test('a fee or a minimum is owed without any consumption: it signs zero, and again once the period is whole', async () => {
  const { machine, events, line, node, time } = await setUp({ signEveryMs: 600_000 })
  line.send(node.openAgreement(siloTerms(7n, START_MS), [silo]))
  const stillness = Array.from({ length: 65 }, () => 9_000)
  for (const level of stillness) {
    await run({ machine, time }, [level])
    await machine.flushed()
    machine.tick()
    await Promise.resolve()
  }
  const signed = events.filter((event) => event.kind === 'signed')
  const at = signed.map(({ period, value }) => [
    period,
    Math.floor((value.asOf - START_MS / 1000) / 60),
    value.registers.join(),
  ])
  expect(at).toEqual([
    [0, 1, '0'],
    [0, 60, '0'],
    [1, 60, '0'],
  ])
  expect(kinds(events).filter((kind) => kind === 'mismatch')).toEqual([])
  await machine.close()
})

test('INV-19 registers are the same in any order of receipts, over restarts and dropped history', async () => {
  const levels = fc.array(fc.integer({ min: -40, max: 15 }), { minLength: 5, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(levels, fc.infiniteStream(fc.nat(9)), async (steps, dice) => {
      const {
        machine: first,
        time,
        node,
        line,
        open,
      } = await setUp({
        spool: { segmentBytes: 2_000, historyBytes: 4_000 },
      })
      const terms = siloTerms(7n, START_MS)
      line.send(node.openAgreement(terms, [silo]))
      let machine = first
      let held: Message[] = []
      let level = 9_000
      line.answers((messages) => {
        held.push(...messages)
        if (dice.next().value < 6) return []
        const out = held.toReversed()
        held = []
        return out
      })
      for (const step of steps) {
        level += step
        await run({ machine, time }, [level])
        if (dice.next().value === 0) {
          await machine.close()
          machine = (await open()).machine
        }
      }
      line.answers((messages) => messages)
      line.down()
      line.up()
      await machine.flushed()
      const { state } = foldStream(foldTermsOf(terms, 0, silo, 1n), node.log, Infinity)
      const own = machine.agreements()[0]?.registers ?? {}
      for (const period of [0, 1]) {
        expect(own[period]?.[0] ?? 0n).toBe(registerAt(state, period))
      }
      await machine.close()
    }),
    { numRuns: 15 },
  )
})

test('METER_MISMATCH: it folds again by the receipts it has, once, and signs only what it computes itself', async () => {
  const { machine, events, line, node, time } = await setUp({ signEveryMs: 10_000 })
  line.send(node.openAgreement(siloTerms(7n, START_MS), [silo]))
  await run({ machine, time }, [9_000, 8_900])
  await machine.flushed()
  const lie = (messages: Message[]) =>
    messages.map(({ topic, json }) => ({
      topic,
      json: { ...(json as object), code: 'METER_MISMATCH', registers: ['99999999'] },
    }))
  line.answers((messages) => (messages[0]?.topic.endsWith('answer') ? lie(messages) : messages))
  await machine.meterNow()
  expect(kinds(events)).toEqual(['agreement', 'signed', 'mismatch'])
  expect(events.at(-1)).toMatchObject({ own: [700_000n], answer: { registers: ['99999999'] } })
  machine.tick()
  expect(events).toHaveLength(3)
  line.answers((messages) => messages)
  time.nowMs += 20_000
  machine.tick()
  await Promise.resolve()
  expect(events.slice(3)).toMatchObject([
    { kind: 'signed', value: { registers: ['700000'] } },
    { kind: 'accepted', registers: [700_000n] },
  ])
  await machine.close()
})

test('INV-18 after theft and rekey the device folds anew up to the cut, signs with its new key, and its stream goes on', async () => {
  const { folder, machine, line, node, time, open } = await setUp()
  line.send(node.openAgreement(siloTerms(7n, START_MS), [silo]))
  await run({ machine, time }, [9_000, 8_990, 8_980, 8_970])
  await machine.flushed()
  await machine.meterNow()
  await machine.close()
  node.rekey(nextKey(folder).publicKey, 2)
  adoptNextKey(folder)
  const { machine: again, events } = await open()
  line.send(node.openAgreement(siloTerms(7n, START_MS), [silo]))
  expect((await again.meterNow()).at(-1)).toMatchObject({
    kind: 'accepted',
    registers: [10n * 7_000n],
  })
  expect(kinds(events)).toEqual(['signed', 'refolded', 'signed', 'accepted'])
  await run({ machine: again, time }, [8_960])
  await again.flushed()
  expect(again.head('level').seq).toBe(5n)
  expect((await again.meterNow()).at(-1)).toMatchObject({
    kind: 'accepted',
    registers: [40n * 7_000n],
  })
  await again.close()
})

test('a new device begins behind what the log has, and leaves agreements alone whose history it lacks', async () => {
  const { machine, line, node, time } = await setUp()
  await run({ machine, time }, [9_000, 8_990])
  await machine.flushed()
  const head = machine.head('level')
  await machine.close()
  const folder = scratchFolder()
  const key = createKey(folder)
  node.rekey(key.publicKey, 2)
  startBehind(folder, 7n, [{ stream: 'level', ...head }])
  expect(() => startBehind(folder, 7n, [])).toThrow(/knows its own heads/)
  const { machine: next, events } = await setUpIn(folder, { time, line })
  line.send(node.openAgreement(siloTerms(7n, START_MS), [silo]))
  await run({ machine: next, time }, [8_980])
  await next.flushed()
  expect(next.head('level').seq).toBe(3n)
  expect(events).toMatchObject([{ kind: 'ignored', code: 'HISTORY_MISSING' }])
  const { meters } = siloTerms(7n, START_MS)
  const behind = siloTerms(7n, START_MS, {
    meters: meters.map((meter) => ({ ...meter, startHead: head.digest })),
  })
  line.send(node.openAgreement(behind, [silo]))
  expect(events.at(-1)).toMatchObject({ kind: 'agreement' })
  await next.close()
})

test('METER_MISMATCH: a receipt that changes the past is folded in', async () => {
  const { machine, events, line, node, time } = await setUp()
  const terms = siloTerms(7n, START_MS, { gapTimeoutSeconds: 60 })
  line.send(node.openAgreement(terms, [silo]))
  await run({ machine, time }, [9_000])
  await machine.flushed()
  // Envelope 2 is lost on its way, 3 is logged: by the time that 2 arrives, its gap was given up.
  line.answers(() => [])
  node.refuseAllWith('OVERLOADED')
  await run({ machine, time }, [8_950])
  node.refuseAllWith(undefined)
  await run({ machine, time }, [8_900])
  time.nowMs += 70_000
  line.answers((messages) => messages)
  machine.tick()
  await machine.flushed()
  await machine.meterNow()
  expect(kinds(events)).not.toContain('mismatch')
  const { state } = foldStream(foldTermsOf(terms, 0, silo, 1n), node.log, Infinity)
  expect(machine.agreements()[0]?.registers[0]?.[0] ?? 0n).toBe(registerAt(state, 0))
  await machine.close()
})

test('an agreement is believed only as far as it can be checked', async () => {
  const { machine, events, line, node } = await setUp()
  const good = node.openAgreement(siloTerms(7n, START_MS), [silo])
  const json = good.json as { agreementId: Hex; terms: object; rules: object[] }
  const of = (terms: Terms) => node.openAgreement(terms, [silo]).json as typeof json
  const bad: [string, object][] = [
    ['TERMS_INVALID', { ...json, terms: { ...json.terms, capMinor: '5' } }],
    ['TERMS_INVALID', { ...json, agreementId: `0x${'00'.repeat(32)}` }],
    ['TERMS_INVALID', { ...json, terms: termsToJson(siloTerms(8n, START_MS)) }],
    ['RULE_UNKNOWN', { ...json, rules: [{ ...silo, noiseBand: 1_000 }] }],
    ['RULE_UNKNOWN', { ...json, rules: 'none' }],
    ['NOT_MEASURED', of(siloTerms(8n, START_MS))],
    ['NOT_MINE', of(siloTerms(7n, START_MS, { signer: siloTerms(9n, START_MS).signer }))],
    ['NOT_MINE', of(siloTerms(7n, START_MS, { signerKind: 2 }))],
  ]
  for (const [code, bytes] of bad) {
    line.send({ topic: good.topic, json: bytes })
    expect(events.at(-1)).toMatchObject({ kind: 'ignored', code })
  }
  line.send({ topic: good.topic, json: null })
  expect(machine.agreements()).toEqual([])
  line.send(good)
  line.send(good)
  expect(machine.agreements()).toHaveLength(1)
  await machine.close()
})

test('an agreement that begins later meters from there; one whose beginning is gone is not guessed', async () => {
  const { machine, events, line, node, time } = await setUp({
    spool: { segmentBytes: 1_000, historyBytes: 3_000 },
  })
  await run({ machine, time }, [9_000])
  const early = machine.head('level').digest
  await run(
    { machine, time },
    Array.from({ length: 30 }, (_, index) => 8_990 - index * 10),
  )
  await machine.flushed()
  const { digest } = machine.head('level')
  const from = (startHead: Hex, salt: Hex) =>
    siloTerms(7n, START_MS, {
      meters: [{ ...(siloTerms(7n, START_MS).meters[0] as Terms['meters'][0]), startHead }],
      salt,
    })
  line.send(node.openAgreement(from(early, `0x${'01'.repeat(32)}`), [silo]))
  expect(events.at(-1)).toMatchObject({ kind: 'ignored', code: 'HISTORY_MISSING' })
  line.send(node.openAgreement(from(digest, `0x${'02'.repeat(32)}`), [silo]))
  await run({ machine, time }, [8_000, 7_990])
  await machine.flushed()
  expect(machine.agreements()).toMatchObject([{ registers: { 0: [70_000n] } }])
  await machine.close()
})

test('an edge meters and signs for a machine that it measures, named itself or by control, over restarts', async () => {
  const edge = siloTerms(7n, START_MS).signer
  for (const terms of [siloTerms(8n, START_MS), siloTerms(8n, START_MS, { signer: edge })]) {
    const { machine, events, line, node, time, open } = await setUp()
    const silent = machine.agreements()
    line.send(node.openAgreement(terms, [silo]))
    expect(kinds(events)).toEqual(['ignored'])
    expect(silent).toEqual([])
    const publish = async (by: typeof machine, level: bigint) => {
      time.nowMs += 60_000
      await by.for(8n).publish('level', [{ unit: 'mm', value: level }])
      await by.flushed()
    }
    for (const level of [9_000n, 8_990n]) await publish(machine, level)
    expect(await machine.meterNow()).toMatchObject([
      { kind: 'signed' },
      { kind: 'accepted', registers: [70_000n] },
    ])
    await machine.close()
    // After a restart it meters on at once, before a program says again whom it measures.
    const again = await open()
    expect(again.machine.agreements()).toMatchObject([{ registers: { 0: [70_000n] } }])
    await publish(again.machine, 8_980n)
    expect((await again.machine.meterNow()).at(-1)).toMatchObject({
      kind: 'accepted',
      registers: [140_000n],
    })
    await again.machine.close()
  }
})
