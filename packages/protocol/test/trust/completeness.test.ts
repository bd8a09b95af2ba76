import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CompletenessReport, checkCompleteness, type StreamStretch } from '../../src/index.ts'
import { type Entry, memoryLog } from './memory-log.ts'
import { memoryStream, stretchTo } from './memory-stream.ts'

const RUNS = process.env.LIQUEFY_NIGHTLY ? 20_000 : 400

function check(stretch: StreamStretch, statements: readonly Uint8Array[]): CompletenessReport {
  const checking = checkCompleteness(stretch)
  for (const statement of statements) checking.take(statement)
  return checking.end()
}

async function statementsOf(entries: readonly Entry[]): Promise<Uint8Array[]> {
  const log = memoryLog(entries)
  return Promise.all(entries.map((_, index) => log.statement(index)))
}

/** Twenty readings in a row. */
async function plainStream() {
  const stream = memoryStream()
  const entries = Array.from({ length: 20 }, (_, index) => stream.read(BigInt(index)))
  return { statements: await statementsOf(entries), stretch: stretchTo(stream.head()) }
}

const named = ({ faults }: CompletenessReport) =>
  faults.map(({ code, seq }) => `${code} ${seq}`).join(', ')

describe('a stream between two heads', () => {
  it('is complete if nothing was touched', async () => {
    const { statements, stretch } = await plainStream()
    const report = check(stretch, statements)
    expect(report).toMatchObject({ faults: [], envelopes: 20, gaps: [], head: stretch.to })
    expect(report.roots.map(({ size }) => size)).toEqual([20n])
  })

  it('each envelope that is left out is named, first and last too', async () => {
    const { statements, stretch } = await plainStream()
    for (const [index] of statements.entries()) {
      const report = check(stretch, statements.toSpliced(index, 1))
      expect(named(report)).toBe(`OMITTED ${index + 1}`)
    }
  })

  it('several in a row are named as a range', async () => {
    const { statements, stretch } = await plainStream()
    const report = check(stretch, statements.toSpliced(4, 3))
    expect(report.faults).toMatchObject([{ code: 'OMITTED', seq: 5n, lastSeq: 7n }])
  })

  it('each one that stands twice, and each that changed places with its neighbour, is named', async () => {
    const { statements, stretch } = await plainStream()
    for (const [index, statement] of statements.entries()) {
      const twice = check(stretch, statements.toSpliced(index, 0, statement))
      expect(named(twice)).toBe(`DUPLICATED ${index + 1}`)
      const next = statements[index + 1]
      if (!next) continue
      const swapped = check(stretch, statements.with(index, next).with(index + 1, statement))
      expect(named(swapped)).toBe(`REORDERED ${index + 1}`)
    }
  })

  it('any bit of any of them that is altered names that one', async () => {
    const { statements, stretch } = await plainStream()
    fc.assert(
      fc.property(fc.nat(statements.length - 1), fc.nat(), (index, place) => {
        const statement = statements[index] ?? new Uint8Array(0)
        const bit = place % (8 * statement.length)
        const spoilt = flip(statement, bit)
        const report = check(stretch, statements.with(index, spoilt))
        expect(named(report)).toBe(`ALTERED ${index + 1}`)
      }),
      { numRuns: RUNS },
    )
  })

  it('what the machine signs anew and the log never had is named', async () => {
    const { statements, stretch } = await plainStream()
    const forger = memoryStream()
    for (let index = 0; index < 4; index += 1) forger.read(BigInt(index))
    const lie = [forger.read(999n)]
    // Its receipt is that of another log in the same name's place.
    const [forged = new Uint8Array(0)] = await statementsOf(lie)
    const report = check(stretch, statements.with(4, forged))
    expect(named(report)).toBe('ALTERED 5')
  })

  it('another end than the one that was named is named', async () => {
    const { statements, stretch } = await plainStream()
    const to = { seq: 20n, digest: `0x${'ab'.repeat(32)}` as const }
    expect(named(check({ ...stretch, to }, statements))).toBe('ALTERED 20')
    expect(named(check({ ...stretch, to: { ...to, seq: 22n } }, statements))).toBe('OMITTED 21')
  })

  it('it may begin behind any head, and is held to it', async () => {
    const { statements, stretch } = await plainStream()
    const report = check({ ...stretch, to: { seq: 9n } }, statements.slice(0, 9))
    const from = report.head
    if (!from) throw new Error('it has an end')
    expect(check({ ...stretch, from }, statements.slice(9)).faults).toEqual([])
    const other = { seq: 9n, digest: `0x${'ab'.repeat(32)}` as const }
    expect(named(check({ ...stretch, from: other }, statements.slice(9)))).toBe('ALTERED 10')
    expect(named(check({ ...stretch, from }, statements.slice(8)))).toBe('FOREIGN 9')
  })

  it('what the machine declared missing is listed, and only that', async () => {
    const stream = memoryStream()
    const first = stream.read(1n)
    const lost = [stream.read(2n), stream.read(3n)]
    const declared = stream.gap([2n, 3n], 'the memory card was lost')
    const entries = [first, declared, stream.read(4n)]
    const statements = await statementsOf(entries)
    const stretch = stretchTo(stream.head())
    const report = check(stretch, statements)
    expect(report.faults).toEqual([])
    expect(report.gaps).toEqual([
      { first: 2n, last: 3n, declaredAt: 4n, reason: 'the memory card was lost' },
    ])
    expect(lost).toHaveLength(2)
    // Without the declaration they are missing, and so is it.
    expect(check(stretch, statements.toSpliced(1, 1)).faults).toMatchObject([
      { code: 'OMITTED', seq: 2n, lastSeq: 4n },
    ])
  })

  it('a gap of 2^62 numbers costs nothing', async () => {
    const stream = memoryStream()
    const entries = [stream.read(1n)]
    const far = 2n ** 62n
    entries.push(stream.read(2n, { seq: far, prev: `0x${'11'.repeat(32)}` }))
    const report = check(stretchTo(stream.head()), await statementsOf(entries))
    expect(report.faults).toMatchObject([{ code: 'OMITTED', seq: 2n, lastSeq: far - 1n }])
  })

  it('second envelopes under one number and broken links are listed as the log has them', async () => {
    const stream = memoryStream()
    const entries = [stream.read(1n), stream.read(2n)]
    entries.push(stream.read(9n, { seq: 2n }, 'EQUIVOCATION'))
    entries.push(stream.read(3n, { prev: `0x${'77'.repeat(32)}` }, 'CHAIN_BROKEN'), stream.read(4n))
    const statements = await statementsOf(entries)
    const stretch = stretchTo(stream.head())
    const report = check(stretch, statements)
    expect(report).toMatchObject({ faults: [], equivocations: [2n], broken: [3n] })
    // The second one does not stand in for the first.
    expect(named(check(stretch, statements.toSpliced(1, 1)))).toBe('OMITTED 2')
  })

  it('an envelope of another stream is named', async () => {
    const { statements, stretch } = await plainStream()
    const [foreign = new Uint8Array(0)] = await statementsOf([memoryStream('mass').read(1n)])
    expect(named(check(stretch, statements.toSpliced(3, 0, foreign)))).toBe('FOREIGN 3')
  })
})

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const at = bit >> 3
  return bytes.with(at, (bytes[at] ?? 0) ^ (1 << (bit & 7)))
}
