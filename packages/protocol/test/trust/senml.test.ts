import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tagged } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CborValue, decodeStrict, encode, type Reading, resolvePack } from '../../src/index.ts'
import { buildPack } from '../../src/trust/senml.ts'
import { listVectors, readVector, vectorsFolder } from './shared-vectors.ts'

const folder = vectorsFolder('senml')

/** What we say to each example of RFC 8428: the readings of its resolved form, or a refusal. */
const VERDICTS: Record<string, 'resolves' | string> = {
  'ex1.gen.json': 'time must be absolute',
  'ex2.gen.json': 'time must be absolute',
  'ex3.gen.json': 'resolves',
  'ex4.gen.json': 'resolves',
  'ex5.gen.json': 'resolves',
  'ex6.gen.json': 'resolves',
  'ex7.gen.json': 'time must be absolute',
  'ex8.gen.json': 'resolves',
  'ex9.gen.json': 'time must be absolute',
  'ex10.gen.json': 'resolves',
  'ex11.gen.json': 'resolves',
  'ex12.gen.json': 'resolves',
  'ex13.gen.json': 'resolves',
}

const CBOR_VERDICTS: Record<string, 'resolves' | string> = {
  'ex3.gen.cbor': 'time must be an integer or a decimal fraction',
  'ex5.gen.cbor': 'resolves',
}

type ResolvedRecord = { n: string; u?: string; t: number; v?: number; vs?: string; vb?: boolean }

/** ex13 has no resolved file: these are its records by RFC 8428, section 4.6. */
const EX13: ResolvedRecord[] = [
  { n: '2001:db8::3', u: '/', t: 1320078429, v: 0.5 },
  { n: '2001:db8::4', u: '/', t: 1320078429, v: 0.5 },
  { n: '2001:db8::3', u: '/', t: 1320078429.1, v: 0 },
  { n: '2001:db8::4', u: '/', t: 1320078429.1, v: 0 },
]

describe.skipIf(!folder)('SenML examples of RFC 8428', () => {
  if (!folder) return
  const json = listVectors(folder, /^ex\d+\.gen\.json$/)
  const cbor = listVectors(folder, /^ex\d+\.gen\.cbor$/)

  it('are those that have a verdict here', () => {
    console.log(`senml: ${json.length} JSON and ${cbor.length} CBOR vectors`)
    expect(json).toEqual(Object.keys(VERDICTS).sort())
    expect(cbor).toEqual(Object.keys(CBOR_VERDICTS).sort())
  })

  it.each(json)('%s', (file) => {
    judge(file, toCbor(readFileSync(join(folder, file), 'utf8')), VERDICTS[file])
  })

  it.each(cbor)('%s', (file) => {
    const decoded = decodeStrict(readFileSync(join(folder, file)), {
      maxBytes: 65_536,
      maxDepth: 8,
      tags: [4],
    })
    if (!decoded.ok) throw new Error(decoded.message)
    judge(file, decoded.value, CBOR_VERDICTS[file])
  })

  function judge(file: string, pack: CborValue, verdict: string | undefined): void {
    const resolved = resolvePack(pack)
    if (verdict !== 'resolves') {
      expect(resolved.ok ? 'resolved' : resolved.message).toContain(verdict)
      return
    }
    if (!resolved.ok) throw new Error(resolved.message)
    const name = `${file.split('.')[0]}.gen.resolved.json`
    const expected =
      name === 'ex13.gen.resolved.json' ? EX13 : readVector<ResolvedRecord[]>(folder ?? '', name)
    expect(resolved.readings.map(toRecord)).toEqual(expected.map(plain))
  }
})

describe('resolvePack', () => {
  const time: [number, CborValue] = [-3, 1_760_000_000]
  const one = (...entries: [CborValue, CborValue][]) =>
    resolvePack([new Map<CborValue, CborValue>([[-2, 'a'], time, ...entries])])

  it('keeps floats apart from integers of the same number', () => {
    const decoded = decodeStrict(Uint8Array.from([0x82, 0x01, 0xf9, 0x3c, 0x00]), {
      maxBytes: 9,
      maxDepth: 1,
      tags: [],
    })
    expect(decoded).toMatchObject({ ok: true, value: [1, { value: 1 }] })
  })

  it('names grow neither beyond 256 characters nor with the square of the pack', () => {
    expect(one([0, 'b'.repeat(255)], [2, 1]).ok).toBe(true)
    expect(one([0, 'b'.repeat(256)], [2, 1]).ok).toBe(false)
  })

  it('applies base fields to their own record and those behind', () => {
    const resolved = resolvePack([
      new Map<CborValue, CborValue>([[0, 'x'], [-2, 'a:'], time, [-4, 'g'], [2, 1]]),
      new Map<CborValue, CborValue>([
        [0, 'y'],
        [-3, 1_760_000_100],
        [-2, 'b:'],
        [6, 1],
        [2, 2],
      ]),
    ])
    expect(
      resolved.ok && resolved.readings.map(({ name, unit, timeMs }) => [name, unit, timeMs]),
    ).toEqual([
      ['a:x', 'g', 1_760_000_000_000],
      ['b:y', 'g', 1_760_000_101_000],
    ])
  })

  it('what buildPack writes, resolvePack reads', () => {
    const value = fc.oneof(
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
      fc.record({
        mantissa: fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n }),
        exponent: fc.integer({ min: -18, max: 18 }),
      }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
      fc.boolean(),
    )
    const reading = fc.record({
      name: fc.constantFrom('level', 'urn:x:level', 'other'),
      unit: fc.constantFrom('g', 'Wh', undefined),
      timeMs: fc.integer({ min: 2 ** 28 * 1_000, max: Number.MAX_SAFE_INTEGER }),
      value,
    })
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 20 }), (readings) => {
        const bytes = encode(buildPack('level', readings))
        const decoded = decodeStrict(bytes, { maxBytes: 65_536, maxDepth: 8, tags: [4] })
        if (!decoded.ok) throw new Error(decoded.message)
        const resolved = resolvePack(decoded.value)
        if (!resolved.ok) throw new Error(resolved.message)
        expect(resolved.readings.map((each) => each.timeMs)).toEqual(
          readings.map((each) => each.timeMs),
        )
        expect(resolved.readings.map((each) => each.name)).toEqual(
          readings.map((each) => each.name),
        )
        expect(resolved.readings.map((each) => each.unit)).toEqual(
          readings.map((each) => each.unit),
        )
        expect(resolved.readings.map((each) => each.value)).toEqual(
          readings.map((each) => asValue(each.value)),
        )
      }),
    )
  })
})

function asValue(value: unknown): unknown {
  if (typeof value === 'bigint') return { kind: 'decimal', mantissa: value, exponent: 0 }
  if (typeof value === 'number') return { kind: 'float', value }
  if (typeof value === 'string') return { kind: 'string', value }
  if (typeof value === 'boolean') return { kind: 'boolean', value }
  return { kind: 'decimal', ...(value as object) }
}

const LABELS: Record<string, number> = {
  bver: -1,
  bn: -2,
  bt: -3,
  bu: -4,
  bv: -5,
  bs: -6,
  n: 0,
  u: 1,
  v: 2,
  vs: 3,
  vb: 4,
  s: 5,
  t: 6,
  ut: 7,
  vd: 8,
}

/** SenML in JSON as SenML in CBOR, with each number exactly as its text says. */
function toCbor(text: string): CborValue {
  const reviver = (_key: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' ? exactNumber(context.source ?? '') : value
  const records = JSON.parse(text, reviver as never) as Record<string, CborValue>[]
  return records.map(
    (record) =>
      new Map<CborValue, CborValue>(
        Object.entries(record).map(([key, value]) => [LABELS[key] ?? key, value]),
      ),
  )
}

function exactNumber(source: string): CborValue {
  const match = /^(-?\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(source)
  if (!match) throw new Error(`no number: ${source}`)
  const fraction = match[2] ?? ''
  const exponent = Number(match[3] ?? 0) - fraction.length
  const mantissa = BigInt(`${match[1]}${fraction}`)
  if (exponent < 0) return new Tagged(4, [exponent, mantissa])
  return Number(mantissa * 10n ** BigInt(exponent))
}

function toRecord(reading: Reading): ResolvedRecord {
  const { name: n, unit: u, timeMs, value } = reading
  const record = { n, ...(u !== undefined && { u }), t: timeMs / 1_000 }
  if (value.kind === 'decimal')
    return { ...record, v: Number(`${value.mantissa}e${value.exponent}`) }
  if (value.kind === 'float') return { ...record, v: value.value }
  return value.kind === 'string' ? { ...record, vs: value.value } : record
}

function plain({ n, u, t, v }: ResolvedRecord): ResolvedRecord {
  return { n, ...(u !== undefined && { u }), t, ...(v !== undefined && { v }) }
}
