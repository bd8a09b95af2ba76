import { emptyRoot, verifyCheckpoint, verifyConsistency } from '@liquefy/protocol'
import type { Hex } from 'viem'
import type { FaultBook } from './fault.ts'
import type { LedgerAnchor, LedgerReader } from './ledger.ts'
import type { AnchorLine, CheckpointLine, HeaderLine } from './line.ts'

/** Root that inclusion proofs lead to, and how far the ledger vouches for it. */
export interface CheckedHead {
  size: bigint
  root: Hex
  timestamp: number
  anchoredSize: bigint
  /** All that the log has anchored, in the order of the ledger. */
  anchors: readonly LedgerAnchor[]
}

/** `CHECKPOINT_INVALID`: signed by the log; the anchor stands on the ledger and is the last one before it; both agree. */
export async function checkCheckpoint(
  header: HeaderLine,
  checkpoint: CheckpointLine,
  anchor: AnchorLine,
  expected: { evidenceAnchor?: Hex; log?: Hex },
  ledger: LedgerReader,
  faults: FaultBook,
): Promise<CheckedHead> {
  const fault = (message: string, expectedValue?: string, found?: string) =>
    faults.add({
      code: 'CHECKPOINT_INVALID',
      message,
      ...(expectedValue === undefined ? {} : { expected: expectedValue }),
      ...(found === undefined ? {} : { found }),
    })
  for (const name of ['evidenceAnchor', 'log'] as const) {
    const wanted = expected[name]
    if (wanted !== undefined && wanted.toLowerCase() !== header[name]) {
      fault(`the bundle names another ${name}`, wanted, header[name])
    }
  }
  const { chainId, evidenceAnchor, log } = header
  if (
    !verifyCheckpoint({ ...checkpoint, chainId, anchor: evidenceAnchor }, checkpoint.signature, log)
  ) {
    fault('the checkpoint is not signed by the log', log)
  }
  const known = await ledger.anchors(header.evidenceAnchor, header.log)
  checkAnchor(anchor, checkpoint, known, fault)
  const consistent = verifyConsistency({
    size1: anchor.size,
    root1: anchor.root,
    size2: checkpoint.size,
    root2: checkpoint.root,
    proof: anchor.consistency,
  })
  if (!consistent) fault('the checkpoint does not extend the anchored log')
  return {
    size: checkpoint.size,
    root: checkpoint.root,
    timestamp: checkpoint.timestamp,
    anchoredSize: anchor.size,
    anchors: known,
  }
}

function checkAnchor(
  anchor: AnchorLine,
  checkpoint: CheckpointLine,
  known: { size: bigint; root: Hex; blockSeconds: number }[],
  fault: (message: string, expected?: string, found?: string) => void,
): void {
  if (anchor.size === 0n) {
    if (anchor.root !== emptyRoot) fault('the empty log has another root', emptyRoot, anchor.root)
  } else {
    const onLedger = known.find((one) => one.size === anchor.size)
    if (!onLedger) fault('the ledger knows no such anchor', undefined, String(anchor.size))
    else if (onLedger.root !== anchor.root) {
      fault('the ledger anchored another root', onLedger.root, anchor.root)
    }
  }
  // Anchors that came while the bundle was being written are no fault of the bundle.
  const between = known.find(
    (one) =>
      one.size > anchor.size &&
      one.size <= checkpoint.size &&
      (one.blockSeconds + 1) * 1000 <= checkpoint.timestamp,
  )
  if (between)
    fault('an anchor on the ledger is left out', String(between.size), String(anchor.size))
  const same = known.find((one) => one.size === checkpoint.size)
  if (same && same.root !== checkpoint.root) {
    fault('two roots for one size of the log', same.root, checkpoint.root)
  }
}
