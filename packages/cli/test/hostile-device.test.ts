import { randomBytes } from 'node:crypto'
import { auditBundle, viemLedgerReader } from '@liquefy/audit'
import type { Status } from '@liquefy/client'
import {
  type CounterRule,
  type DrawdownRule,
  encodeEnvelope,
  type Hex,
  privateKeyFromBytes,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectDevice, type Device } from '../../node/test/device.ts'
import { type LiveNode, startLiveNode } from './live-node.ts'

const INPUT = {
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '5000', perHour: '1000' },
} as const
const COUNTER: CounterRule = { rule: 'counter', ...INPUT }
const DRAWDOWN: DrawdownRule = {
  rule: 'drawdown',
  ...INPUT,
  noiseBand: 20,
  maxSilenceSeconds: 900,
}
/** 1.2345 smallest units a gram, floored once. */
const TARIFF = { price: 12_345n, scale: 4 }
const owed = (grams: bigint) => (grams * TARIFF.price) / 10n ** BigInt(TARIFF.scale)

const randomKey = () => privateKeyFromBytes('P-256', randomBytes(32))
const MEGABYTE = 1_048_576
/** Return codes of CONNACK (MQTT 3.1.1, table 3.1). */
const BAD_CREDENTIALS = 4
const NOT_AUTHORIZED = 5

/** One machine under attack, and what its meter says. */
interface Bench {
  device: Device
  agreementId: Hex
  /** +1: what is sold makes the value rise; -1: it makes it fall. */
  direction: bigint
  /** Value of the last good reading. */
  value: bigint
  /** Bytes of the last good envelope. */
  envelope: Uint8Array
  /** What must stand in the register. */
  grams: bigint
}

/** What one row adds to the figures of the whole node. */
interface Effect {
  duplicate?: number
  refused?: Record<string, number>
  unpriced?: Record<string, number>
}

interface Attack {
  name: string
  code: string
  /** Where an operator sees it; the figures of the node (status, metrics) have it always. */
  shows: 'as refused' | 'as unpriced' | 'in the figures only'
  /** Refused at the door: it became no frame. */
  atTheDoor?: true
  effect: Effect
  attack(bench: Bench): Promise<unknown>
}

const refused = (code: string) => ({
  code,
  shows: 'as refused' as const,
  effect: { refused: { [code]: 1 } },
})
const unpriced = (code: string) => ({
  code,
  shows: 'as unpriced' as const,
  effect: { unpriced: { [code]: 1 } },
})

const sold = ({ value, direction }: Bench, grams: bigint) => value + direction * grams

/** Sends what must not be logged, and waits for the refusal on the machine's own topic. */
async function sendRefused({ device }: Bench, bytes: Uint8Array, code: string): Promise<void> {
  const before = device.heard.length
  await device.send(bytes)
  await device.hears('refused', (json) => {
    return json.code === code && device.heard.findIndex((one) => one.json === json) >= before
  })
}

const ANY_METER: Attack[] = [
  {
    name: 'a wrong key signs the reading',
    ...refused('KEY_UNKNOWN'),
    attack: (bench) => {
      const forged = bench.device.next(sold(bench, 4_000n), { key: randomKey() })
      return sendRefused(bench, forged.bytes, 'KEY_UNKNOWN')
    },
  },
  {
    name: 'a wrong key logs in',
    ...refused('TOKEN_INVALID'),
    atTheDoor: true,
    attack: ({ device }) =>
      expect(connectDevice(live.node, device.machineId, randomKey())).rejects.toMatchObject({
        code: BAD_CREDENTIALS,
      }),
  },
  {
    name: 'one bit of the signature is another',
    ...refused('SIGNATURE_INVALID'),
    attack: (bench) => {
      const { bytes } = bench.device.next(sold(bench, 4_000n))
      const last = bytes.length - 1
      return sendRefused(bench, bytes.with(last, (bytes[last] ?? 0) ^ 1), 'SIGNATURE_INVALID')
    },
  },
  {
    name: 'a replay',
    code: 'DUPLICATE',
    shows: 'in the figures only',
    effect: { duplicate: 1 },
    attack: async (bench) => {
      const { device, envelope } = bench
      const receipts = () => device.heard.filter(({ name }) => name === 'receipt')
      const before = receipts()
      await device.send(envelope)
      // The receipt of then, once more: whoever lost it stops sending.
      await expect.poll(receipts).toHaveLength(before.length + 1)
      expect(receipts().at(-1)).toEqual(before.at(-1))
    },
  },
  {
    name: 'an impossible rate',
    ...unpriced('IMPLAUSIBLE'),
    attack: async (bench) => expect(await bench.device.publish(sold(bench, 8_000n))).toBe('OK'),
  },
  {
    name: 'an equivocation: the number of the last reading, with another value',
    ...unpriced('EQUIVOCATION'),
    attack: async (bench) => {
      const { device } = bench
      const fork = device.next(sold(bench, 4_000n), { fork: true })
      await device.send(fork.bytes)
      await device.hears('receipt', ({ entries }) =>
        (entries as { digest: Hex; code: string }[]).some(
          ({ digest, code }) => digest === fork.digest && code === 'EQUIVOCATION',
        ),
      )
    },
  },
  {
    name: '10 MB over MQTT',
    ...refused('TOO_LARGE'),
    atTheDoor: true,
    attack: async (bench) => {
      const { device } = bench
      const closed = new Promise<void>((resolve) => device.client.once('close', () => resolve()))
      device.client.on('error', () => undefined)
      device.send(new Uint8Array(10 * MEGABYTE)).catch(() => undefined)
      await closed
      expect(await device.hears('refused', ({ code }) => code === 'TOO_LARGE')).toBeDefined()
      bench.device = await connectDevice(live.node, device.machineId, device.key, device.digests)
    },
  },
  {
    name: 'an unknown machine logs in',
    code: 'DEVICE_UNKNOWN',
    shows: 'in the figures only',
    atTheDoor: true,
    effect: { refused: { DEVICE_UNKNOWN: 1 } },
    attack: () =>
      expect(connectDevice(live.node, 4_711n, randomKey())).rejects.toMatchObject({
        code: NOT_AUTHORIZED,
      }),
  },
  {
    name: 'an envelope of the same machine number on another ledger',
    ...refused('DEVICE_UNKNOWN'),
    attack: (bench) => {
      const { device } = bench
      const { chainId, registry } = live.node.deployment
      const { machineId, key, digests } = device
      const { bytes } = encodeEnvelope({
        signer: key,
        iss: { chainId: chainId + 1, registry, machineId },
        machineId,
        stream: 'weight',
        iat: Math.floor(Date.now() / 1000),
        seq: BigInt(digests.length + 1),
        prev: digests.at(-1) ?? ZERO_DIGEST,
        content: {
          kind: 'readings',
          readings: [{ unit: 'g', timeMs: Date.now(), value: sold(bench, 4_000n) }],
        },
      })
      return sendRefused(bench, bytes, 'DEVICE_UNKNOWN')
    },
  },
]

const FALLING_COUNTER: Attack = {
  name: 'a falling counter',
  ...unpriced('COUNTER_ROLLBACK'),
  attack: async (bench) => expect(await bench.device.publish(sold(bench, -50n))).toBe('OK'),
}

let live: LiveNode
const benches: Record<string, Bench> = {}
/** The figures that the whole node must have: every row adds to them. */
const figures: Status['envelopes'] = {
  logged: 0,
  duplicate: 0,
  refused: {},
  priced: 0,
  unpriced: {},
  waiting: 0,
}
let refusedAtTheDoor = 0

async function setUp(rule: CounterRule | DrawdownRule): Promise<Bench> {
  const key = randomKey()
  const machineId = await live.register(key)
  const agreementId = await live.open({ machineId, rule, tariff: TARIFF, escrowMinor: 1_000_000n })
  const device = await connectDevice(live.node, machineId, key)
  const direction = rule.rule === 'counter' ? 1n : -1n
  return { device, agreementId, direction, value: 50_000n, envelope: Uint8Array.of(), grams: 0n }
}

function benchOf(rule: string): Bench {
  const bench = benches[rule]
  if (!bench) throw new Error(`no bench for ${rule}`)
  return bench
}

/** A good reading: logged at once. */
async function sendGood(bench: Bench, grams: bigint): Promise<void> {
  const { device } = bench
  const value = sold(bench, grams)
  const { bytes, digest } = device.next(value)
  device.digests.push(digest)
  await device.send(bytes)
  await device.hears('receipt', ({ entries }) =>
    (entries as { digest: Hex; code: string }[]).some(
      (entry) => entry.digest === digest && entry.code === 'OK',
    ),
  )
  Object.assign(bench, { value, envelope: bytes, grams: bench.grams + grams })
  figures.logged += 1
  figures.priced += 1
}

function addEffect({ effect, atTheDoor }: Attack): void {
  figures.duplicate += effect.duplicate ?? 0
  for (const [code, count] of Object.entries(effect.refused ?? {})) {
    figures.refused[code] = (figures.refused[code] ?? 0) + count
    if (atTheDoor) refusedAtTheDoor += count
  }
  for (const [code, count] of Object.entries(effect.unpriced ?? {})) {
    figures.unpriced[code] = (figures.unpriced[code] ?? 0) + count
    figures.logged += count
  }
}

const sum = (counts: Record<string, number>) =>
  Object.values(counts).reduce((total, count) => total + count, 0)

/** What /metrics says, by name and labels. */
async function metrics(): Promise<Record<string, number>> {
  const text = await (await fetch(new URL('/metrics', live.node.url))).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(' ')),
      Number(line.slice(line.lastIndexOf(' '))),
    ]),
  )
}

/** Status and metrics have these figures and no others, and INV-16 holds in both. */
async function checkFigures(): Promise<void> {
  await live.node.idle()
  const { envelopes, owedMinor } = await live.client.status()
  expect(envelopes).toEqual(figures)
  const { logged, duplicate, priced, unpriced, waiting } = envelopes
  expect(logged).toBe(priced + sum(unpriced) + waiting)
  const grams = Object.values(benches).map((bench) => bench.grams)
  expect(owedMinor).toBe(String(grams.reduce((total, one) => total + owed(one), 0n)))

  const refusedFrames = sum(figures.refused) - refusedAtTheDoor
  const wanted: Record<string, number> = {
    'liquefy_envelopes{verdict="priced",code="OK"}': priced,
    'liquefy_envelopes{verdict="waiting",code="WAITING"}': 0,
    'liquefy_envelopes{verdict="duplicate",code="DUPLICATE"}': duplicate,
    liquefy_frames_received_total: logged + duplicate + refusedFrames,
    'liquefy_frames_total{outcome="logged"}': logged,
    'liquefy_frames_total{outcome="duplicate"}': duplicate,
    'liquefy_frames_total{outcome="refused"}': refusedFrames,
    liquefy_inbox_frames: 0,
  }
  for (const verdict of ['refused', 'unpriced'] as const) {
    for (const [code, count] of Object.entries(figures[verdict])) {
      wanted[`liquefy_envelopes{verdict="${verdict}",code="${code}"}`] = count
    }
  }
  await expect
    .poll(async () => {
      const all = Object.entries(await metrics())
      return Object.fromEntries(
        all.filter(([name]) => /^liquefy_(envelopes\{|frames_|inbox_frames)/.test(name)),
      )
    })
    .toEqual(wanted)
}

/** How often the machine's page shows a code, and where. */
async function shown({ device }: Bench, code: string) {
  const id = String(device.machineId)
  const [refusals, timeline, envelopes] = await Promise.all([
    live.client.refusals(id),
    live.client.timeline(id),
    live.client.envelopes(id),
  ])
  return {
    refusals: refusals.filter((one) => one.code === code).length,
    refused: timeline.filter((one) => one.code === code && one.kind === 'refused').length,
    unpriced: timeline.filter((one) => one.code === code && one.kind === 'unpriced').length,
    envelopes: envelopes.filter((one) => one.code === code).length,
  }
}

const SHOWN = {
  'as refused': { refusals: 1, refused: 1, unpriced: 0, envelopes: 0 },
  'as unpriced': { refusals: 0, refused: 0, unpriced: 1, envelopes: 1 },
  'in the figures only': { refusals: 0, refused: 0, unpriced: 0, envelopes: 0 },
}

beforeAll(async () => {
  live = await startLiveNode({ settle: { minMinor: 2n ** 96n, maxAgeMs: 2 ** 31 - 1 } })
  for (const rule of [COUNTER, DRAWDOWN]) {
    const bench = await setUp(rule)
    benches[rule.rule] = bench
    await sendGood(bench, 0n)
    await sendGood(bench, 77n)
  }
})

afterAll(async () => {
  for (const { device } of Object.values(benches)) await device.close()
  await live?.stop()
})

describe.each([
  { rule: 'counter', attacks: [...ANY_METER, FALLING_COUNTER] },
  { rule: 'drawdown', attacks: ANY_METER },
])(
  'ATK INV-16 on a $rule, each gets its code, and the good reading right behind it is priced',
  ({ rule, attacks }) => {
    test.each(attacks)('$code: $name', async (row) => {
      const bench = benchOf(rule)
      const before = await shown(bench, row.code)
      expect(before).toEqual({ refusals: 0, refused: 0, unpriced: 0, envelopes: 0 })
      await row.attack(bench)
      await sendGood(bench, 101n)
      addEffect(row)
      await checkFigures()
      expect(await shown(bench, row.code)).toEqual(SHOWN[row.shows])
      expect(await live.client.agreement(bench.agreementId)).toMatchObject({
        owedMinor: String(owed(bench.grams)),
        periods: [{ registers: [String(bench.grams)] }],
      })
    })

    test('all of it on the machine: only what is its own', async () => {
      const bench = benchOf(rule)
      const countOf = (shows: Attack['shows']) =>
        attacks.filter((one) => one.shows === shows).length
      // Two good readings at first, one behind each row, and what is logged though unpriced.
      const envelopes = 2 + attacks.length + countOf('as unpriced')
      expect(await live.client.machine(String(bench.device.machineId))).toMatchObject({
        envelopes,
        refused: countOf('as refused'),
        owedMinor: String(owed(bench.grams)),
      })
    })

    test('the bill is paid to the unit, and the audit finds no fault', async () => {
      const { device, agreementId, grams } = benchOf(rule)
      const asOf = Math.floor(Date.now() / 1000)
      expect(await device.meter({ agreementId, registers: [grams], asOf })).toMatchObject({
        code: 'ACCEPTED',
      })
      await live.node.settleNow()
      await live.node.anchorNow()
      const amount = String(owed(77n + 101n * BigInt(attacks.length)))
      const report = await auditBundle({
        lines: live.client.bundle(agreementId),
        ledger: viemLedgerReader({ rpcUrl: live.node.rpcUrl }),
        expected: { agreementId },
      })
      expect(report).toMatchObject({
        firstFault: null,
        owedMinor: amount,
        settledMinor: amount,
        differenceMinor: '0',
        priced: 2 + attacks.length,
        unpriced: Object.fromEntries(
          attacks.flatMap(({ effect }) => Object.entries(effect.unpriced ?? {})),
        ),
        waiting: 0,
      })
    })
  },
)
