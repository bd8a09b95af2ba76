import { describe, expect, test } from 'vitest'
import { auditBundle, type LedgerReader, type Payment } from '../src/index.ts'
import { type Business, emptyBusiness, honestBusiness } from './synthetic/business.ts'

const START = 1_760_000_000

async function audit(
  business: Pick<Business, 'bundle' | 'ledger'>,
  ledger: Partial<LedgerReader> = {},
) {
  return auditBundle({ lines: await business.bundle(), ledger: { ...business.ledger, ...ledger } })
}

/** Changes the first line of a type. */
function edit(lines: string[], type: string, change: (line: Record<string, unknown>) => object) {
  const at = lines.findIndex((text) => JSON.parse(text).type === type)
  return lines.map((text, index) =>
    index === at ? JSON.stringify(change(JSON.parse(text))) : text,
  )
}

const gap = (missing: [bigint, bigint], seconds: number) => ({
  kind: 'declaration' as const,
  declaration: {
    kind: 'gap' as const,
    fromMs: seconds * 1000,
    toMs: seconds * 1000,
    reason: 'x',
    missing,
  },
})

describe('ATK crafted bundles', () => {
  test('a log that dates its checkpoint back does not make paid money unaudited', async () => {
    const business = await honestBusiness()
    const forged: Payment[] = business.payments.map((payment) =>
      payment.kind === 'settled' && payment.period === 1
        ? {
            ...payment,
            registers: [9_000n, 900n],
            evidenceHead: `0x${'77'.repeat(32)}`,
            paidMinor: 27_630n,
          }
        : payment,
    )
    const lines = (await business.bundle(0)).filter(
      (text) => !['claim', 'meterValue', 'end'].includes(JSON.parse(text).type),
    )
    lines.push(JSON.stringify({ type: 'end', lines: lines.length + 1 }))
    const report = await auditBundle({
      lines,
      ledger: { ...business.ledger, payments: async () => forged },
    })
    expect(report.firstFault).toMatchObject({ code: 'CHECKPOINT_INVALID' })
  })

  test('what a machine named missing before it came is missing if it is left out', async () => {
    const business = emptyBusiness()
    business.log('mass', 0n, START)
    business.log('volume', 0n, START)
    business.log('mass', 0n, START + 1, { content: gap([2n, 1_000n], START + 1) })
    business.log('mass', 500n, START + 10)
    business.log('mass', 400n, START + 20)
    business.log('mass', 900n, START + 30)
    business.wait()
    const lines = await business.bundle()
    const without = lines.filter((text) => {
      const line = JSON.parse(text)
      return !(line.type === 'envelope' && line.stream === 'mass' && ['3', '4'].includes(line.seq))
    })
    without[without.length - 1] = JSON.stringify({ type: 'end', lines: without.length })
    const report = await auditBundle({ lines: without, ledger: business.ledger })
    expect(report.firstFault).toMatchObject({ code: 'ENVELOPE_MISSING', stream: 'mass', seq: '3' })
  })

  test('a gap of 2^62 envelopes, declared by a machine, does not hold the audit up', async () => {
    const business = emptyBusiness()
    business.log('mass', 0n, START)
    business.log('volume', 0n, START)
    const last = 2n ** 62n
    business.log('mass', 0n, START + 1, {
      seq: last,
      prev: `0x${'11'.repeat(32)}`,
      content: gap([2n, last - 1n], START + 1),
    })
    const report = await audit(business)
    expect(report.firstFault).toBeNull()
  }, 300_000)

  test.each([
    ['too few registers', { registers: ['1'] }],
    ['a register beyond 256 bits', { registers: [`9${'0'.repeat(77)}`, '1'] }],
    ['a price beyond 256 bits', { registers: [String(2n ** 256n - 1n), '1'] }],
  ])('a claim with %s is a fault, no exception', async (_, change) => {
    const business = await honestBusiness()
    const lines = edit(await business.bundle(), 'claim', (line) => ({ ...line, ...change }))
    const report = await auditBundle({ lines, ledger: business.ledger })
    expect(report.firstFault).not.toBeNull()
  })

  test.each([
    ['a period beyond 32 bits', { period: 2 ** 40 }],
    ['an asOf beyond 64 bits', { asOf: String(2n ** 70n) }],
    ['a register beyond 256 bits', { registers: [`9${'0'.repeat(77)}`, '1'] }],
    ['too many registers', { registers: ['1', '2', '3'] }],
  ])('a meter value with %s is a fault, no exception', async (_, change) => {
    const business = await honestBusiness()
    const lines = edit(await business.bundle(), 'meterValue', (line) => ({ ...line, ...change }))
    const report = await auditBundle({ lines, ledger: business.ledger })
    expect(report.firstFault).not.toBeNull()
  })

  test('an envelope logged before one that stands before it in the log', async () => {
    const business = emptyBusiness()
    business.log('mass', 0n, START)
    business.log('volume', 0n, START)
    business.log('mass', 100n, START + 3_600)
    // Dated back, as if it had come in time.
    business.log('volume', 50n, START + 60, { loggedAt: (START + 61) * 1000 })
    const report = await audit(business)
    expect(report.firstFault).toMatchObject({
      code: 'ADMISSION_MISMATCH',
      stream: 'volume',
      seq: '2',
    })
  })

  test('an envelope dated after the anchor that has it', async () => {
    const business = emptyBusiness()
    business.log('mass', 0n, START)
    business.log('volume', 0n, START)
    business.log('mass', 100n, START + 60, { loggedAt: (START + 86_400) * 1000 })
    const report = await audit(business)
    expect(report.firstFault).toMatchObject({
      code: 'ADMISSION_MISMATCH',
      stream: 'mass',
      seq: '2',
    })
  })

  test.each([
    ['a stream', (line: object) => JSON.stringify({ ...line, stream: '\u001b[2Jall is well' })],
    ['a code', (line: object) => JSON.stringify({ ...line, code: '\u001b[2Jall is well' })],
    ['what is no JSON', () => '\u001b[2Jall is well'],
  ])('%s that commands a terminal is not repeated to it', async (_, change) => {
    const business = await honestBusiness()
    const lines = (await business.bundle()).map((text) => {
      const line = JSON.parse(text)
      return line.type === 'envelope' && line.seq === '1' ? change(line) : text
    })
    const report = await auditBundle({ lines, ledger: business.ledger })
    expect(report.firstFault).toMatchObject({ code: 'BUNDLE_MALFORMED' })
    expect(Object.values(report.firstFault ?? {}).join()).not.toContain('\u001b')
  })
})
