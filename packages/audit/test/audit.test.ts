import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  auditBundle,
  type Fault,
  type FaultCode,
  type LedgerReader,
  type Payment,
} from '../src/index.ts'
import {
  AGREEMENT,
  type Business,
  EDGE_KEY,
  emptyBusiness,
  honestBusiness,
} from './synthetic/business.ts'

const START = 1_760_000_000

/** Audits the bundle of a business, changed by `tamper`, against its ledger. */
async function audit(
  business: Pick<Business, 'bundle' | 'ledger'>,
  tamper: (lines: string[]) => string[] = (lines) => lines,
  ledger: Partial<LedgerReader> = {},
) {
  const lines = tamper(await business.bundle())
  return auditBundle({ lines, ledger: { ...business.ledger, ...ledger } })
}

/** Changes the first line of a type. */
function edit(type: string, change: (line: Record<string, never>) => object, nth = 0) {
  return (lines: string[]) => {
    let seen = 0
    return lines.map((text) => {
      const line = JSON.parse(text)
      return line.type === type && seen++ === nth ? JSON.stringify(change(line)) : text
    })
  }
}

const fault = (code: FaultCode, where: Partial<Fault> = {}) =>
  expect.objectContaining({ code, ...where })

describe('an untouched agreement', () => {
  test('INV-23 gives zero difference', async () => {
    const report = await audit(await honestBusiness())
    expect(report.firstFault).toBeNull()
    expect(report).toMatchObject({
      agreement: AGREEMENT,
      envelopes: 16,
      readings: 16,
      priced: 16,
      unpriced: {},
      waiting: 0,
      owedMinor: '21490',
      settledMinor: '21490',
      differenceMinor: '0',
      unanchored: 4,
      signedBy: ['machine 7'],
      settledAfterMinor: '0',
    })
    expect(report.periods).toEqual([
      {
        period: 0,
        asOf: String(START + 3_600),
        registers: ['3000', '300'],
        owedMinor: '9210',
        paidMinor: '9210',
        settledRegisters: ['3000', '300'],
        adjustedMinor: '0',
        refundedMinor: '0',
        band: null,
      },
      {
        period: 1,
        asOf: String(START + 6_305),
        registers: ['4000', '400'],
        owedMinor: '12280',
        paidMinor: '12280',
        settledRegisters: ['4000', '400'],
        adjustedMinor: '0',
        refundedMinor: '0',
        band: null,
      },
    ])
  })

  test('a bundle that is older than the last settlement says so and is no fault', async () => {
    const business = await honestBusiness()
    const [lastPaid] = (await business.ledger.payments('0x', '0x')).slice(-1)
    if (lastPaid?.kind !== 'settled') throw new Error('the last payment is a settlement')
    const later: Payment = {
      ...lastPaid,
      registers: [5_000n, 500n],
      evidenceHead: `0x${'77'.repeat(32)}`,
      paidMinor: 3_070n,
      blockSeconds: lastPaid.blockSeconds + 100,
    }
    const report = await audit(business, undefined, {
      payments: async () => [...business.payments, later],
    })
    expect(report).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      settledMinor: '21490',
      settledAfterMinor: '3070',
    })
  })

  test('escrow that ran short is no difference, and what is collected later neither', async () => {
    const business = await honestBusiness()
    const payments = business.payments.map((payment) =>
      payment.period === 1 && payment.kind === 'settled'
        ? { ...payment, paidMinor: 2_000n }
        : payment,
    )
    const at = { period: 1, blockSeconds: START + 6_310, transaction: AGREEMENT }
    payments.push({ ...at, kind: 'short', missingMinor: 10_280n })
    payments.push({ ...at, kind: 'collected', paidMinor: 280n })
    payments.push({ ...at, kind: 'short', missingMinor: 10_000n })
    const paidThen = edit('claim', (line) => ({ ...line, settledMinor: '2280' }), 1)
    const report = await audit(business, paidThen, { payments: async () => payments })
    expect(report).toMatchObject({ firstFault: null, differenceMinor: '0', settledMinor: '11490' })
  })

  test('an envelope that the machine declared missing is no fault', async () => {
    const business = emptyBusiness()
    for (const stream of ['mass', 'volume']) business.log(stream, 0n, START)
    const lost = business.log('mass', 500n, START + 60)
    business.logged.pop()
    business.log('mass', 0n, START + 120, {
      content: {
        kind: 'declaration',
        declaration: {
          kind: 'gap',
          fromMs: (START + 30) * 1000,
          toMs: (START + 110) * 1000,
          reason: 'the memory card was lost',
          missing: [lost.seq, lost.seq],
        },
      },
    })
    business.log('mass', 1_000n, START + 180)
    business.settle(0, START + 200, ['4', '1'], [1_000n, 0n], 3_000n)
    business.claim(0, ['4', '1'], [1_000n, 0n], 3_000n, 3_000n)
    expect(await audit(business)).toMatchObject({ firstFault: null, differenceMinor: '0' })
  })

  test('without an anchor nothing is vouched for yet, which is said and no fault', async () => {
    const withoutAnchor = (lines: string[]) => {
      const rest = lines.filter((line) => !line.includes('"type":"anchor"'))
      return [...rest.slice(0, -1), JSON.stringify({ type: 'end', lines: rest.length })]
    }
    const report = await audit(await honestBusiness(), withoutAnchor, { anchors: async () => [] })
    expect(report).toMatchObject({ firstFault: null, unanchored: 16 })
  })

  test('an unpriced envelope is evidence too', async () => {
    const business = emptyBusiness()
    for (const stream of ['mass', 'volume']) business.log(stream, 100n, START)
    business.log('mass', 50n, START + 60)
    business.log('mass', 110n, START + 120)
    business.log('mass', 999n, START + 121, { seq: 3n, code: 'EQUIVOCATION' })
    business.claim(0, ['3', '1'], [10n, 0n], 30n, 0n)
    expect(await audit(business)).toMatchObject({
      firstFault: null,
      priced: 3,
      unpriced: { COUNTER_ROLLBACK: 1, EQUIVOCATION: 1 },
      owedMinor: '30',
    })
  })
})

describe('INV-23 each fault is named', () => {
  test('BUNDLE_MALFORMED: cut off, unreadable, in another order, or gone on', async () => {
    const business = await honestBusiness()
    const cut = await audit(business, (lines) => lines.slice(0, -1))
    expect(cut.firstFault).toEqual(fault('BUNDLE_MALFORMED'))
    const unread = await audit(
      business,
      edit('claim', (line) => ({ ...line, note: 'x' })),
    )
    expect(unread.firstFault).toEqual(fault('BUNDLE_MALFORMED', { line: 20 }))
    const reordered = await audit(business, (lines) => {
      const [a, b] = lines.splice(4, 2)
      lines.splice(4, 0, b ?? '', a ?? '')
      return lines
    })
    expect(reordered.firstFault).toEqual(fault('BUNDLE_MALFORMED', { line: 6 }))
    const more = await audit(business, (lines) => [...lines, lines.at(-1) ?? ''])
    expect(more.firstFault).toEqual(fault('BUNDLE_MALFORMED', { line: 26 }))
    expect((await auditBundle({ lines: [], ledger: business.ledger })).firstFault).toEqual(
      fault('BUNDLE_MALFORMED'),
    )
  })

  test('ENVELOPE_ERASED: where bytes are nowhere, that is said plainly', async () => {
    const business = await honestBusiness()
    const erased = edit('envelope', ({ raw: _, ...line }: Record<string, unknown>) => ({
      ...line,
      type: 'erased',
      digest: `0x${'ab'.repeat(32)}`,
      metered: [],
    }))
    const { firstFault } = await audit(business, erased)
    expect(firstFault).toMatchObject({ code: 'ENVELOPE_ERASED', line: 4, seq: '1' })
    const strange = edit('envelope', ({ raw: _, ...line }: Record<string, unknown>) => ({
      ...line,
      type: 'erased',
      digest: '0x12',
    }))
    expect((await audit(business, strange)).firstFault).toEqual(
      fault('BUNDLE_MALFORMED', { line: 4 }),
    )
  })

  test('ENVELOPE_ARCHIVED: where bytes are in a file alone, it is named, whatever else stands in the bundle', async () => {
    const business = await honestBusiness()
    const file = 'envelopes-000000000000-000000000009-0123456789ab.parquet'
    const archived = edit('envelope', ({ raw: _, ...line }: Record<string, unknown>) => ({
      ...line,
      type: 'archived',
      file,
    }))
    const { firstFault } = await audit(business, archived)
    expect(firstFault).toMatchObject({
      code: 'ENVELOPE_ARCHIVED',
      line: 4,
      seq: '1',
      message: expect.stringContaining(file),
    })
    const strange = edit('envelope', ({ raw: _, ...line }: Record<string, unknown>) => ({
      ...line,
      type: 'archived',
      file: '\u001b[2Jenvelopes',
    }))
    expect((await audit(business, strange)).firstFault).toEqual(
      fault('BUNDLE_MALFORMED', { line: 4 }),
    )
  })

  test('TERMS_MISMATCH: a price, another agreement, never opened, a rule exchanged', async () => {
    const business = await honestBusiness()
    const dearer = edit('header', (line: Record<string, unknown>) => ({
      ...line,
      terms: { ...(line.terms as object), capMinor: '1000000000001' },
    }))
    expect((await audit(business, dearer)).firstFault).toEqual(fault('TERMS_MISMATCH', { line: 1 }))
    const unopened = await audit(business, undefined, { opening: async () => undefined })
    expect(unopened.firstFault).toEqual(fault('TERMS_MISMATCH'))
    const rule = edit('header', (line: Record<string, unknown>) => ({
      ...line,
      rules: [{ ...(line.rules as object[])[0], unit: 'kg' }],
    }))
    expect((await audit(business, rule)).firstFault).toEqual(fault('TERMS_MISMATCH'))
    const other = await auditBundle({
      lines: await business.bundle(),
      ledger: business.ledger,
      expected: { agreementId: `0x${'11'.repeat(32)}` },
    })
    expect(other.firstFault).toEqual(fault('TERMS_MISMATCH'))
  })

  test('CHECKPOINT_INVALID: signature, unknown anchor, an anchor left out, no consistency', async () => {
    const business = await honestBusiness()
    const later = edit('checkpoint', (line: Record<string, unknown>) => ({
      ...line,
      timestamp: Number(line.timestamp) + 1,
    }))
    expect((await audit(business, later)).firstFault).toEqual(fault('CHECKPOINT_INVALID'))
    const unknown = await audit(business, undefined, { anchors: async () => [] })
    expect(unknown.firstFault).toEqual(fault('CHECKPOINT_INVALID', { found: '12' }))
    const known = await business.ledger.anchors('0x', '0x')
    const between = { size: 14n, root: AGREEMENT, blockSeconds: START, transaction: AGREEMENT }
    const leftOut = await audit(business, undefined, { anchors: async () => [...known, between] })
    expect(leftOut.firstFault).toEqual(fault('CHECKPOINT_INVALID', { expected: '14' }))
    const hidden = await audit(business, (lines) => lines.filter((_, index) => index !== 2))
    expect(hidden.firstFault).toEqual(fault('BUNDLE_MALFORMED', { line: 24 }))
    const noProof = edit('anchor', (line) => ({ ...line, consistency: [] }))
    expect((await audit(business, noProof)).firstFault).toEqual(fault('CHECKPOINT_INVALID'))
  })

  test('ENVELOPE_INVALID: bytes that do not decode, or stand under another seq', async () => {
    const business = await honestBusiness()
    const torn = edit('envelope', (line: Record<string, unknown>) => ({ ...line, raw: 'AAAA' }))
    expect((await audit(business, torn)).firstFault).toEqual(
      fault('ENVELOPE_INVALID', { stream: 'mass', seq: '1', logIndex: '0' }),
    )
    const renamed = edit('envelope', (line) => ({ ...line, seq: '99' }), 7)
    expect((await audit(business, renamed)).firstFault).toEqual(
      fault('ENVELOPE_INVALID', { expected: '99', found: '8' }),
    )
  })

  test('ENVELOPE_INVALID before SIGNATURE_INVALID: a content that does not decode, of a key that the ledger does not name', async () => {
    const business = emptyBusiness()
    const logged = business.log('mass', 0n, START, { signer: EDGE_KEY })
    expect((await audit(business)).firstFault).toEqual(fault('SIGNATURE_INVALID'))
    const signatureField = 2 + 64
    logged.raw[logged.raw.length - signatureField - 1] = 0xff
    expect((await audit(business)).firstFault).toEqual(fault('ENVELOPE_INVALID'))
  })

  test('SIGNATURE_INVALID: a key that the ledger does not name, a meter value raised', async () => {
    const business = emptyBusiness()
    business.log('mass', 0n, START)
    business.log('volume', 0n, START, { signer: EDGE_KEY })
    expect((await audit(business)).firstFault).toEqual(
      fault('SIGNATURE_INVALID', { stream: 'volume', seq: '1' }),
    )
    const raised = edit('meterValue', (line) => ({ ...line, registers: ['3001', '300'] }))
    expect((await audit(await honestBusiness(), raised)).firstFault).toEqual(
      fault('SIGNATURE_INVALID', { period: 0 }),
    )
  })

  test('SIGNATURE_INVALID: logged after its key was revoked', async () => {
    const business = await honestBusiness()
    const machine = await business.ledger.machine('0x', 7n)
    if (!machine) throw new Error('the ledger knows machine 7')
    const keys = machine.keys.map((key) => ({
      ...key,
      endSeconds: START + 3_000,
      end: 'revoked' as const,
    }))
    const report = await audit(business, undefined, { machine: async () => ({ ...machine, keys }) })
    expect(report.firstFault).toEqual(fault('SIGNATURE_INVALID', { stream: 'mass', seq: '5' }))
  })

  test('PROOF_INVALID: another time, another verdict, another position', async () => {
    const business = await honestBusiness()
    for (const change of [{ loggedAt: START * 1000 }, { code: 'CLOCK_SKEW' }]) {
      const report = await audit(
        business,
        edit('envelope', (line) => ({ ...line, ...change }), 2),
      )
      expect(report.firstFault).toEqual(fault('PROOF_INVALID', { stream: 'mass', seq: '3' }))
    }
  })

  test('ENVELOPE_MISSING: any one row left out, first, middle or last', async () => {
    for (let row = 0; row < 16; row += 1) {
      const report = await audit(await honestBusiness(), (lines) => {
        lines.splice(3 + row, 1)
        return [...lines.slice(0, -1), JSON.stringify({ type: 'end', lines: lines.length })]
      })
      const stream = row < 8 ? 'mass' : 'volume'
      expect(report.firstFault).toEqual(
        fault('ENVELOPE_MISSING', { stream, seq: String((row % 8) + 1) }),
      )
    }
  })

  test('CHAIN_BROKEN and ADMISSION_MISMATCH: a leaf that says otherwise than what lies before it', async () => {
    const broken = emptyBusiness()
    for (const stream of ['mass', 'volume']) broken.log(stream, 0n, START)
    broken.log('mass', 5n, START + 60, { prev: AGREEMENT })
    expect((await audit(broken)).firstFault).toEqual(fault('CHAIN_BROKEN', { seq: '2' }))
    const excused = emptyBusiness()
    excused.log('volume', 0n, START)
    excused.log('mass', 0n, START)
    excused.log('mass', 5n, START + 60, { code: 'EQUIVOCATION' })
    expect((await audit(excused)).firstFault).toEqual(
      fault('ADMISSION_MISMATCH', { seq: '2', expected: 'OK', found: 'EQUIVOCATION' }),
    )
    const idle = emptyBusiness()
    idle.log('mass', 0n, START + 600, { code: 'MACHINE_SUSPENDED' })
    expect((await audit(idle)).firstFault).toEqual(
      fault('ADMISSION_MISMATCH', { expected: 'OK', found: 'MACHINE_SUSPENDED' }),
    )
  })

  test('REGISTER_MISMATCH: one register raised in the claims', async () => {
    const raised = edit('claim', (line) => ({ ...line, registers: ['4001', '400'] }), 1)
    expect((await audit(await honestBusiness(), raised)).firstFault).toEqual(
      fault('REGISTER_MISMATCH', { period: 1, expected: '[4000, 400]', found: '[4001, 400]' }),
    )
  })

  test('REGISTER_MISMATCH: one register raised in what the node says of one envelope', async () => {
    const raised = edit(
      'envelope',
      (line) => ({ ...line, metered: [{ meter: 0, code: 'OK', registers: { 0: '2001' } }] }),
      2,
    )
    expect((await audit(await honestBusiness(), raised)).firstFault).toEqual(
      fault('REGISTER_MISMATCH', {
        stream: 'mass',
        seq: '3',
        expected: 'OK, period 0: 2000',
        found: 'OK, period 0: 2001',
      }),
    )
  })

  test('SETTLED_REGISTER_MISMATCH: settled above the evidence, or at a head that is none', async () => {
    const business = await honestBusiness()
    const withLast = (change: Partial<Extract<Payment, { kind: 'settled' }>>) => ({
      payments: async () =>
        business.payments.map((payment, index) =>
          index === 2 ? ({ ...payment, ...change } as Payment) : payment,
        ),
    })
    const above = await audit(
      business,
      undefined,
      withLast({ registers: [4_010n, 400n], paidMinor: 12_310n }),
    )
    expect(above.firstFault).toEqual(fault('SETTLED_REGISTER_MISMATCH', { period: 1 }))
    expect(above.differenceMinor).toBe('30')
    const nowhere = await audit(
      business,
      undefined,
      withLast({ evidenceHead: AGREEMENT, blockSeconds: START }),
    )
    expect(nowhere.firstFault).toEqual(fault('SETTLED_REGISTER_MISMATCH', { found: 'none' }))
  })

  test('AMOUNT_MISMATCH: the ledger paid one unit more or less, or the node says so', async () => {
    const business = await honestBusiness()
    for (const paidMinor of [12_279n, 12_281n]) {
      const payments = business.payments.map((payment, index) =>
        index === 2 ? ({ ...payment, paidMinor } as Payment) : payment,
      )
      const report = await audit(business, undefined, { payments: async () => payments })
      expect(report.firstFault).toEqual(fault('AMOUNT_MISMATCH', { period: 1 }))
    }
    const claimed = edit('claim', (line) => ({ ...line, settledMinor: '9211' }))
    expect((await audit(business, claimed)).firstFault).toEqual(
      fault('AMOUNT_MISMATCH', { period: 0, expected: '9210', found: '9211' }),
    )
  })

  test('OWED_MISMATCH: another amount for its own registers, or a period not claimed at all', async () => {
    const raised = edit('claim', (line) => ({ ...line, owedMinor: '9211' }))
    expect((await audit(await honestBusiness(), raised)).firstFault).toEqual(
      fault('OWED_MISMATCH', { period: 0, expected: '9210', found: '9211' }),
    )
    const business = emptyBusiness()
    business.log('volume', 0n, START)
    business.log('mass', 0n, START)
    business.log('mass', 5n, START + 60)
    business.wait()
    expect((await audit(business)).firstFault).toEqual(fault('OWED_MISMATCH', { period: 0 }))
  })
})

test('INV-23 any one bit flipped in any line is found', async () => {
  const business = await honestBusiness()
  const bundle = await business.bundle()
  await fc.assert(
    fc.asyncProperty(
      fc.nat(bundle.length - 1),
      fc.nat(),
      fc.nat(6),
      async (line, position, bit) => {
        const text = bundle[line] ?? ''
        const at = position % text.length
        const flipped = String.fromCharCode(text.charCodeAt(at) ^ (1 << bit))
        const lines = bundle.with(line, text.slice(0, at) + flipped + text.slice(at + 1))
        const report = await auditBundle({ lines, ledger: business.ledger })
        expect(report.firstFault, `${line}: ${lines[line]}`).not.toBeNull()
      },
    ),
    { numRuns: 400 },
  )
})

test('INV-23 any one bit flipped in the stored bytes of any envelope is named', async () => {
  const business = await honestBusiness()
  const bundle = await business.bundle()
  await fc.assert(
    fc.asyncProperty(fc.nat(15), fc.nat(), fc.nat(7), async (row, position, bit) => {
      const envelope = JSON.parse(bundle[3 + row] ?? '')
      const raw = Buffer.from(envelope.raw, 'base64')
      const at = position % raw.length
      raw[at] = (raw[at] ?? 0) ^ (1 << bit)
      const line = JSON.stringify({ ...envelope, raw: raw.toString('base64') })
      const report = await auditBundle({
        lines: bundle.with(3 + row, line),
        ledger: business.ledger,
      })
      expect(['ENVELOPE_INVALID', 'SIGNATURE_INVALID']).toContain(report.firstFault?.code)
      expect(report.firstFault).toMatchObject({ stream: envelope.stream, seq: envelope.seq })
    }),
    { numRuns: 300 },
  )
})
