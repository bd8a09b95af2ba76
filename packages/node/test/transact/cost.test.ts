import { expect, test } from 'vitest'
import { costOf } from '../../src/transact/cost.ts'

const onLedger = (paidMinor: bigint, provenMinor: bigint, adjustedMinor = 0n) => ({
  paidMinor,
  provenMinor,
  adjustedMinor,
})

test.each([
  ['what is folded and not signed yet', 500n, onLedger(300n, 300n), 500n],
  ['with late evidence added', 500n, onLedger(500n, 620n, 120n), 620n],
  ['what the ledger has proven and escrow could not pay', 300n, onLedger(300n, 450n), 450n],
  ['of time alone, of which the node folds nothing', 0n, onLedger(70n, 70n), 70n],
  ['never less than what was paid', 100n, onLedger(200n, 150n), 200n],
  ['nothing', 0n, onLedger(0n, 0n), 0n],
])('a period costs %s', (_, owed, ledger, cost) => {
  expect(costOf(owed, ledger)).toBe(cost)
})
