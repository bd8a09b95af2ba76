import { STORAGE_LAYOUT } from '@liquefy/abi'
import type { Hex } from 'viem'
import { notProven } from './ledger-proof-error.ts'
import { entrySlot, type ProvenState } from './state-proof.ts'

const { slots } = STORAGE_LAYOUT.evidenceAnchor

/**
 * Holds the anchors of a log against what the contract keeps: each names the one before it, down to the first, and the last is the contract's last.
 *
 * @throws LedgerProofError
 */
export async function checkAnchorState(
  state: ProvenState,
  evidenceAnchor: Hex,
  log: Hex,
  anchors: readonly { size: bigint; root: Hex; previousSize: bigint }[],
): Promise<void> {
  const hold = (what: string, expected: bigint, found: bigint) => {
    if (expected === found) return
    throw notProven(`anchors of log ${log} are missing or too many: ${what}`, {
      expected: String(expected),
      found: String(found),
    })
  }
  let size = 0n
  for (const anchor of anchors) {
    hold(`the one before size ${anchor.size}`, anchor.previousSize, size)
    size = anchor.size
  }
  const last = anchors.at(-1)
  const sizeSlot = entrySlot(BigInt(slots._latestSize), log)
  const rootSlot = entrySlot(BigInt(entrySlot(BigInt(slots._roots), log)), size)
  const [latest = 0n, root = 0n] = await state.storage(evidenceAnchor, [sizeSlot, rootSlot])
  hold('the last one', latest, size)
  hold('the root of the last one', root, BigInt(last?.root ?? '0x0'))
}
