import { expect, test } from 'vitest'
import { noMoney } from '../../src/store/agreements.ts'
import { shortageOf } from '../../src/transact/notices.ts'

interface Case {
  funded: bigint
  escrow: bigint
  /** Of one period. */
  owed: bigint
  paid?: bigint
  proven?: bigint
  adjusted?: bigint
  ended?: boolean
}

const shortage = (given: Case) => {
  const { funded, escrow, owed, paid = 0n, proven = paid, adjusted = 0n, ended = false } = given
  const period = {
    paidMinor: paid,
    paidFinalMinor: 0n,
    provenMinor: proven,
    adjustedMinor: adjusted,
    givenBackMinor: 0n,
  }
  const money = {
    ...noMoney(),
    fundedMinor: funded,
    escrowMinor: escrow,
    paidMinor: paid,
    periods: new Map([[0, period]]),
  }
  return shortageOf(money, [{ period: 0, owedMinor: owed }], ended)
}

test.each<[string, Case, string | undefined, string]>([
  ['nothing owed', { funded: 1_000n, escrow: 1_000n, owed: 0n }, undefined, ''],
  ['a tenth is left', { funded: 1_000n, escrow: 1_000n, owed: 900n }, undefined, ''],
  ['a unit less', { funded: 1_000n, escrow: 1_000n, owed: 901n }, 'escrow-low', '901'],
  ['paid', { funded: 1_000n, escrow: 50n, owed: 950n, paid: 950n }, 'escrow-low', '0'],
  [
    'exactly used up',
    { funded: 1_000n, escrow: 0n, owed: 1_000n, paid: 1_000n },
    'escrow-low',
    '0',
  ],
  ['owed beyond escrow', { funded: 1_000n, escrow: 1_000n, owed: 1_001n }, 'escrow-short', '1001'],
  [
    'arrears, though escrow would do again',
    { funded: 9_000n, escrow: 8_000n, owed: 1_200n, paid: 1_000n, proven: 1_200n },
    'escrow-short',
    '200',
  ],
  [
    'late evidence is owed beside what the fold says',
    { funded: 1_000n, escrow: 100n, owed: 900n, paid: 900n, proven: 950n, adjusted: 50n },
    'escrow-short',
    '50',
  ],
  [
    'late evidence that was paid',
    { funded: 1_000n, escrow: 100n, owed: 850n, paid: 900n, proven: 900n, adjusted: 50n },
    undefined,
    '',
  ],
  ['paid more than folded', { funded: 1_000n, escrow: 500n, owed: 0n, paid: 500n }, undefined, ''],
  ['never funded, nothing owed', { funded: 0n, escrow: 0n, owed: 0n }, undefined, ''],
  ['never funded', { funded: 0n, escrow: 0n, owed: 1n }, 'escrow-short', '1'],
  ['over, all paid', { funded: 10n, escrow: 0n, owed: 10n, paid: 10n, ended: true }, undefined, ''],
  [
    'over, not all paid',
    { funded: 10n, escrow: 0n, owed: 11n, paid: 10n, ended: true },
    'escrow-short',
    '1',
  ],
])('%s', (_, given, kind, unpaid) => {
  const found = shortage(given)
  expect(found?.kind).toBe(kind)
  expect(found?.unpaidMinor ?? '').toBe(unpaid)
})

test('what one period was paid too much does not hide what another lacks', () => {
  const paid = {
    paidMinor: 500n,
    paidFinalMinor: 0n,
    provenMinor: 500n,
    adjustedMinor: 0n,
    givenBackMinor: 0n,
  }
  const money = {
    ...noMoney(),
    fundedMinor: 1_000n,
    escrowMinor: 500n,
    periods: new Map([[0, paid]]),
  }
  const owed = [
    { period: 0, owedMinor: 100n },
    { period: 1, owedMinor: 600n },
  ]
  expect(shortageOf(money, owed, false)).toEqual({
    kind: 'escrow-short',
    escrowMinor: '500',
    unpaidMinor: '600',
    fundedMinor: '1000',
  })
})
