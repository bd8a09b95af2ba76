import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { auditBundle } from '../src/index.ts'
import { type Business, honestBusiness } from './synthetic/business.ts'

const RUNS = process.env.LIQUEFY_NIGHTLY ? 20 : 3

interface EnvelopeLine {
  type: string
  stream: string
  seq: string
  raw: string
}

let business: Business
let lines: string[]
/** Where the envelopes stand among the lines. */
let places: number[]
beforeAll(async () => {
  business = await honestBusiness()
  lines = await business.bundle()
  places = lines.flatMap((text, at) => (lineOf(text).type === 'envelope' ? [at] : []))
})

const lineOf = (text = '{}') => JSON.parse(text) as EnvelopeLine

/** The end of a bundle counts its lines: whoever tampers counts anew. */
const ended = (tampered: readonly string[]) => [
  ...tampered.slice(0, -1),
  JSON.stringify({ type: 'end', lines: tampered.length }),
]

async function firstFault(tampered: readonly string[]) {
  return (await auditBundle({ lines: ended(tampered), ledger: business.ledger })).firstFault
}

const named = (fault: Awaited<ReturnType<typeof firstFault>>) => [fault?.stream, fault?.seq]

test('each envelope that is left out of a bundle is named, by stream and seq', async () => {
  expect(places.length).toBe(16)
  for (const at of places) {
    const { stream, seq } = lineOf(lines[at])
    const fault = await firstFault(lines.toSpliced(at, 1))
    expect(fault?.code).toBe('ENVELOPE_MISSING')
    expect(named(fault), `${stream}/${seq}`).toEqual([stream, seq])
  }
})

test('each envelope in which any bit is altered is named', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { minLength: 16, maxLength: 16 }), async (bits) => {
      for (const [nth, at] of places.entries()) {
        const line = lineOf(lines[at])
        const raw = Buffer.from(line.raw, 'base64')
        const bit = (bits[nth] ?? 0) % (8 * raw.length)
        raw[bit >> 3] = (raw[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        const altered = JSON.stringify({ ...line, raw: raw.toString('base64') })
        const fault = await firstFault(lines.with(at, altered))
        expect(named(fault), `${line.stream}/${line.seq} bit ${bit}`).toEqual([
          line.stream,
          line.seq,
        ])
      }
    }),
    { numRuns: RUNS },
  )
})

test('each envelope that changed places with its neighbour is named, also where two streams meet', async () => {
  for (const at of places) {
    const [one, next] = [lines[at], lines[at + 1]]
    if (!one || !next || lineOf(next).type !== 'envelope') continue
    const fault = await firstFault(lines.with(at, next).with(at + 1, one))
    expect(fault).toMatchObject({ code: 'BUNDLE_MALFORMED', line: at + 2 })
    expect(named(fault)).toEqual([lineOf(one).stream, lineOf(one).seq])
  }
})

test('each envelope that stands there twice is named', async () => {
  for (const at of places) {
    const text = lines[at] ?? ''
    const { stream, seq } = lineOf(text)
    const fault = await firstFault(lines.toSpliced(at, 0, text))
    expect(fault?.code).toBe('BUNDLE_MALFORMED')
    expect(named(fault), `${stream}/${seq}`).toEqual([stream, seq])
  }
})
