import type { Envelope } from '@liquefy/protocol'
import { checkEnvelope, type EnvelopeContext, type OpenedLine, openLine } from './envelope-check.ts'
import type { FaultBook } from './fault.ts'
import type { EnvelopeLine } from './line.ts'
import type { VerifyMany } from './verify-many.ts'

/** Envelopes whose signatures are verified together. */
const BATCH = 64
/** Batches that are read ahead of the oldest one whose verdicts are not in: enough for many threads, and a bound on memory. */
const AHEAD = 4

/** What becomes of an envelope of which all single checks are done; undefined if it may not be computed from. */
type Take = (line: EnvelopeLine, envelope: Envelope | undefined) => Promise<void> | undefined

/** Checks envelopes one by one, in order, while signatures of later ones are being verified. */
export interface EnvelopeQueue {
  /** Resolves when it is ready for the next; undefined if that is at once. */
  add(line: EnvelopeLine, lineNumber: number): Promise<void> | undefined
  /** Resolves when everything added was taken. */
  end(): Promise<void>
}

/** Hands each envelope to `take` in the order in which it was added, so that the first fault is the same whoever verifies. */
export function envelopeQueue(
  context: EnvelopeContext,
  verifyMany: VerifyMany,
  take: Take,
  faults: FaultBook,
): EnvelopeQueue {
  const underWay: { opened: OpenedLine[]; verdicts: Promise<readonly boolean[]> }[] = []
  let opened: OpenedLine[] = []

  const send = () => {
    const signed = opened.flatMap(({ outcome }) => {
      if (!outcome.ok) return []
      const { signedBytes, signature } = outcome.sealed
      return [{ key: outcome.epoch.key, bytes: signedBytes, signature }]
    })
    const verdicts = signed.length > 0 ? verifyMany(signed) : Promise.resolve([])
    // Whoever takes it may come later than its refusal.
    verdicts.catch(() => undefined)
    underWay.push({ opened, verdicts })
    opened = []
  }

  const takeOldest = async () => {
    const oldest = underWay.shift()
    if (!oldest) return
    const verdicts = await oldest.verdicts
    let at = 0
    for (const one of oldest.opened) {
      const isVerified = one.outcome.ok && verdicts[at] === true
      if (one.outcome.ok) at += 1
      const pause = take(one.line, checkEnvelope(context, one, isVerified, faults))
      if (pause) await pause
    }
  }

  return {
    add(line, lineNumber) {
      opened.push(openLine(context, line, lineNumber))
      if (opened.length < BATCH) return undefined
      send()
      return underWay.length > AHEAD ? takeOldest() : undefined
    },
    async end() {
      send()
      while (underWay.length > 0) await takeOldest()
    },
  }
}
