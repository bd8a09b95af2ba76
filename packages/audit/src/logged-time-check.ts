import type { CheckedHead } from './checkpoint-check.ts'
import { CLOCK_TOLERANCE_MS } from './envelope-check.ts'
import type { Fault, FaultBook } from './fault.ts'
import type { EnvelopeLine } from './line.ts'

/** Where an envelope stands in the log, and since when. */
type Place = Pick<EnvelopeLine, 'stream' | 'seq' | 'logIndex' | 'loggedAt'>

/**
 * Logged times decide what counts, yet the node alone writes them: they never fall along the log (`ADMISSION_MISMATCH`), an anchor
 * that has an envelope is not older than it (`ADMISSION_MISMATCH`), nor is the checkpoint (`CHECKPOINT_INVALID`), by whose time later
 * settlements are set aside.
 */
export function checkLoggedTimes(
  head: CheckedHead,
  places: readonly Place[],
  faults: FaultBook,
): void {
  const anchors = [...head.anchors].sort((a, b) => (a.size < b.size ? -1 : 1))
  let anchorAt = 0
  let latestMs = 0
  for (const place of [...places].sort((a, b) => (a.logIndex < b.logIndex ? -1 : 1))) {
    const { loggedAt, logIndex } = place
    const fault = (code: Fault['code'], message: string, expected: string) =>
      faults.add({ code, message, ...whereOf(place), expected, found: String(loggedAt) })
    if (loggedAt < latestMs) {
      fault('ADMISSION_MISMATCH', 'it is dated before what was logged before it', `>= ${latestMs}`)
    }
    latestMs = Math.max(latestMs, loggedAt)
    while ((anchors[anchorAt]?.size ?? logIndex + 1n) <= logIndex) anchorAt += 1
    const anchor = anchors[anchorAt]
    const anchoredMs = anchor && (anchor.blockSeconds + 1) * 1000 + CLOCK_TOLERANCE_MS
    if (anchoredMs !== undefined && loggedAt > anchoredMs) {
      fault('ADMISSION_MISMATCH', 'it is dated after the anchor that has it', `<= ${anchoredMs}`)
    }
    const writtenMs = head.timestamp + CLOCK_TOLERANCE_MS
    if (loggedAt > writtenMs) {
      fault('CHECKPOINT_INVALID', 'the checkpoint is dated before what it has', `<= ${writtenMs}`)
    }
  }
}

function whereOf({ stream, seq, logIndex }: Place) {
  return { stream, seq: String(seq), logIndex: String(logIndex) }
}
