import { emptyRoot } from '@liquefy/protocol'
import type { Fault, FaultBook } from './fault.ts'
import {
  type AdjustmentLine,
  type AnchorLine,
  type ArchivedLine,
  type BundleLine,
  type CheckpointLine,
  type ClaimLine,
  type EnvelopeLine,
  type ErasedLine,
  type HeaderLine,
  lineReader,
  type MeterValueLine,
} from './line.ts'

/** The parts of a bundle that are kept; envelopes are handed on one by one. */
export interface BundleRest {
  claims: ClaimLine[]
  meterValues: { line: MeterValueLine; lineNumber: number }[]
  adjustments: { line: AdjustmentLine; lineNumber: number }[]
}

/** What the reader of a bundle does as its parts arrive. */
export interface BundleVisitor {
  onHead(header: HeaderLine, checkpoint: CheckpointLine, anchor: AnchorLine): Promise<void>
  /** Undefined if it is ready for the next at once: most lines are envelopes, and a promise each would cost as much as reading them. */
  onEnvelope(line: EnvelopeLine, lineNumber: number): Promise<void> | undefined
}

const ORDER = [
  'header',
  'checkpoint',
  'anchor',
  'envelope',
  'claim',
  'meterValue',
  'adjustment',
  'end',
] as const
const ANCHOR = ORDER.indexOf('anchor')
const ENVELOPE = ORDER.indexOf('envelope')
const NO_ANCHOR: AnchorLine = { type: 'anchor', size: 0n, root: emptyRoot, consistency: [] }

/**
 * Reads a bundle from its first line to its last, in the order that docs/protocol/bundle.md demands. `BUNDLE_MALFORMED` for what
 * cannot be read, stands in another order, or is cut off; `ENVELOPE_ARCHIVED` or `ENVELOPE_ERASED` for the first
 * envelope whose bytes are elsewhere or nowhere.
 */
export async function readBundle(
  lines: AsyncIterable<string> | Iterable<string>,
  visitor: BundleVisitor,
  faults: FaultBook,
): Promise<BundleRest> {
  const parseLine = lineReader()
  const rest: BundleRest = { claims: [], meterValues: [], adjustments: [] }
  let lineNumber = 0
  let ended = false
  let stage = 0
  let header: HeaderLine | undefined
  let checkpoint: CheckpointLine | undefined
  let streams = streamOrder()
  const fault = (message: string, at?: Pick<EnvelopeLine, 'stream' | 'seq' | 'logIndex'>) =>
    faults.add({
      code: 'BUNDLE_MALFORMED',
      message,
      line: lineNumber,
      ...(at ? { stream: at.stream, seq: String(at.seq), logIndex: String(at.logIndex) } : {}),
    })

  const take = async (
    line: Exclude<BundleLine, ArchivedLine | ErasedLine>,
  ): Promise<string | undefined> => {
    const position = ORDER.indexOf(line.type)
    const single = position <= ANCHOR
    if (position < stage || (single ? position !== lineNumber - 1 : stage < ANCHOR - 1)) {
      return `a line of type ${line.type} may not stand here`
    }
    // A log that was never anchored has no anchor line: nothing of it is vouched for.
    if (!single && stage === ANCHOR - 1 && header && checkpoint) {
      await visitor.onHead(header, checkpoint, NO_ANCHOR)
    }
    stage = position
    switch (line.type) {
      case 'header':
        header = line
        streams = streamOrder()
        return undefined
      case 'checkpoint':
        checkpoint = line
        return undefined
      case 'anchor':
        if (header && checkpoint) await visitor.onHead(header, checkpoint, line)
        return undefined
      case 'envelope': {
        const disorder = streams(line)
        await visitor.onEnvelope(line, lineNumber)
        return disorder
      }
      case 'claim':
        if (rest.claims.some((claim) => claim.period === line.period)) {
          return `period ${line.period} is claimed twice`
        }
        rest.claims.push(line)
        return undefined
      case 'meterValue':
        rest.meterValues.push({ line, lineNumber })
        return undefined
      case 'adjustment':
        rest.adjustments.push({ line, lineNumber })
        return undefined
      case 'end':
        ended = true
        return line.lines === lineNumber ? undefined : `the end counts ${line.lines} lines`
    }
  }

  for await (const text of lines) {
    lineNumber += 1
    if (ended) {
      fault('the bundle goes on after its end')
      break
    }
    const parsed = parseLine(text)
    if (!parsed.ok) {
      fault(parsed.message)
      break
    }
    const { line } = parsed
    if (line.type === 'archived' || line.type === 'erased') {
      faults.add(absentFault(line, lineNumber))
      return rest
    }
    let problem: string | undefined
    if (line.type === 'envelope' && stage === ENVELOPE) {
      problem = streams(line)
      const pause = visitor.onEnvelope(line, lineNumber)
      if (pause) await pause
    } else {
      problem = await take(line)
    }
    if (problem !== undefined) {
      fault(problem, line.type === 'envelope' ? line : undefined)
      break
    }
  }
  if (!ended && !faults.failedUpTo('BUNDLE_MALFORMED')) {
    fault('the bundle has no end: it is cut off')
  }
  return rest
}

function absentFault(absent: ArchivedLine | ErasedLine, line: number): Fault {
  const { stream, seq, logIndex } = absent
  const place = { line, stream, seq: String(seq), logIndex: String(logIndex) }
  return absent.type === 'archived'
    ? {
        code: 'ENVELOPE_ARCHIVED',
        message: `the node has archived it to ${absent.file}: nothing can be said without that file (liquefy audit --archive)`,
        ...place,
      }
    : {
        code: 'ENVELOPE_ERASED',
        message:
          'its bytes were erased when the machine was decommissioned: nothing can be said without a copy that somebody kept (liquefy audit --copy)',
        ...place,
      }
}

/** Envelopes stand stream by stream, each in rising log order. */
function streamOrder(): (line: EnvelopeLine) => string | undefined {
  const seen = new Map<string, bigint>()
  let current: string | undefined
  return ({ stream, logIndex }) => {
    const before = seen.get(stream)
    if (stream !== current && before !== undefined) return `stream ${stream} is scattered`
    if (before !== undefined && logIndex <= before) return `stream ${stream} is out of log order`
    current = stream
    seen.set(stream, logIndex)
    return undefined
  }
}
