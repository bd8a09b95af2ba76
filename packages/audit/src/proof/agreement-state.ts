import { clearingHouseAbi, STORAGE_LAYOUT } from '@liquefy/abi'
import {
  concat,
  encodeAbiParameters,
  getAbiItem,
  getContractAddress,
  type Hex,
  keccak256,
  type parseEventLogs,
} from 'viem'
import type { Payment } from '../ledger.ts'
import { notProven } from './ledger-proof-error.ts'
import { entrySlot, type ProvenState } from './state-proof.ts'
import { fieldOf, slotAfter } from './storage-word.ts'

const { slots, structs } = STORAGE_LAYOUT.clearingHouse
const STATUS = { none: 0n, open: 1n, closed: 2n }
/** OpenZeppelin's `Create3`: hash of the code that a proxy is created with, and the proxy's first nonce. */
const PROXY_CODE_HASH = '0x57a34f6e879358dd76825d6700df87013ad6a3fb43c0d0c602f70a8772c153bd'
const PROXY_NONCE = 1n

export type OpenedEvent = ReturnType<
  typeof parseEventLogs<typeof clearingHouseAbi, true, 'Opened'>
>[number]

/**
 * Holds events of an agreement against what the contract keeps of it: whether it is open or closed, the terms, what each period was paid and what all
 * together, and what was added by adjustments. So it shows that no payment is missing, whatever blocks were looked at.
 *
 * @throws LedgerProofError
 */
export async function checkAgreementState(
  state: ProvenState,
  clearingHouse: Hex,
  agreementId: Hex,
  events: { opened: OpenedEvent | undefined; closed: boolean; payments: readonly Payment[] },
): Promise<void> {
  const { opened, closed, payments } = events
  const hold = (what: string, expected: bigint | Hex, found: bigint | Hex) => {
    if (expected === found) return
    throw notProven(`events of agreement ${agreementId} are missing or too many: ${what}`, {
      expected: String(expected),
      found: String(found),
    })
  }
  const totalsSlot = entrySlot(BigInt(slots._totals), agreementId)
  const [account = 0n, totals = 0n] = await state.storage(clearingHouse, [
    entrySlot(BigInt(slots._accounts), agreementId),
    totalsSlot,
  ])
  const { escrow, paid, period: current, status } = readAccount(account)
  hold('its status', status, opened ? (closed ? STATUS.closed : STATUS.open) : STATUS.none)
  if (!opened) return

  const terms = encodeAbiParameters(TERMS, [opened.args.terms])
  const kept = await state.codeHash(termsAddress(clearingHouse, agreementId))
  hold('its terms', kept ?? '0x', keccak256(concat(['0x00', terms])))

  const sums = paidByPeriod(payments)
  const total = [...sums.values()].reduce((sum, one) => sum + one, 0n)
  hold('all that was paid', fieldOf(totals, structs.Totals.funded) - escrow, total)
  hold(`what period ${current} was paid`, paid, sums.get(Number(current)) ?? 0n)
  const before = [...sums.keys()].filter((period) => BigInt(period) < current)
  const periods = await state.storage(
    clearingHouse,
    before.map((period) => periodSlot(agreementId, period, structs.Period.paid.slot)),
  )
  for (const [index, period] of before.entries()) {
    const kept = fieldOf(periods[index] ?? 0n, structs.Period.paid)
    hold(`what period ${period} was paid`, kept, sums.get(period) ?? 0n)
  }

  const adjusted = payments.filter((payment) => payment.kind === 'adjusted')
  const amounts = await state.storage(
    clearingHouse,
    adjusted.map(({ period }) =>
      entrySlot(BigInt(entrySlot(BigInt(slots._adjustments), agreementId)), BigInt(period)),
    ),
  )
  for (const [index, { period, amountMinor }] of adjusted.entries()) {
    hold(`what was added to period ${period}`, amounts[index] ?? 0n, amountMinor)
  }
}

/** By hand, as `Accounts._writeAccount` packs it. */
function readAccount(word: bigint) {
  const bits = (from: bigint, count: bigint) => (word >> from) & ((1n << count) - 1n)
  return {
    escrow: bits(0n, 96n),
    paid: bits(96n, 96n),
    period: bits(192n, 32n),
    status: bits(224n, 8n),
  }
}

function periodSlot(agreementId: Hex, period: number, field: number): Hex {
  const outer = BigInt(entrySlot(BigInt(slots._periods), agreementId))
  return slotAfter(entrySlot(outer, BigInt(period)), field)
}

function paidByPeriod(payments: readonly Payment[]): Map<number, bigint> {
  const sums = new Map<number, bigint>()
  for (const payment of payments) {
    if (payment.kind === 'refunded' || payment.kind === 'short') continue
    sums.set(payment.period, (sums.get(payment.period) ?? 0n) + payment.paidMinor)
  }
  return sums
}

/** The terms as `open` takes them: they are kept ABI-encoded as the code of a contract, behind one byte that stops whoever calls it. */
const { outputs: TERMS } = getAbiItem({ abi: clearingHouseAbi, name: 'termsOf' })

/** OpenZeppelin's `Create3.computeAddress`: it follows from the id alone. */
function termsAddress(clearingHouse: Hex, agreementId: Hex): Hex {
  const proxy = getContractAddress({
    opcode: 'CREATE2',
    from: clearingHouse,
    salt: agreementId,
    bytecodeHash: PROXY_CODE_HASH,
  })
  return getContractAddress({ opcode: 'CREATE', from: proxy, nonce: PROXY_NONCE })
}
