import { closeSync, fsyncSync, ftruncateSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Hex, LiquefyError } from '@liquefy/protocol'
import { BODY_OFFSET, decodeRecord } from './record.ts'
import {
  type Chain,
  type ChainHead,
  decodeEnvelopeRecord,
  decodeHeads,
  decodeReceiptRecord,
  encodeHeads,
  KIND,
  type LogReceipt,
} from './segment.ts'

/** A segment file as the spool keeps track of it. */
export interface Segment {
  number: number
  descriptor: number
  bytes: number
  /** Envelopes in it that no receipt has named. */
  unreceipted: number
  entries: SpoolEntry[]
}

/** One spooled envelope; its bytes stay on disk. */
export interface SpoolEntry {
  readonly chain: Chain
  readonly seq: bigint
  readonly digest: Hex
  readonly segment: Segment
  readonly offset: number
  readonly length: number
  receipt: LogReceipt | undefined
}

export interface RecoveredSpool {
  segments: Segment[]
  heads: Map<Chain, ChainHead>
  /** Bytes of an unfinished write that were cut off; nobody was told that they are kept. */
  cutBytes: number
}

export const segmentPath = (folder: string, number: number) =>
  join(folder, `${String(number).padStart(10, '0')}.spool`)

/**
 * Reads all segments of a folder. Only the end of the newest may be torn; anything else is damage.
 *
 * @throws LiquefyError `SPOOL_CORRUPT`: going on could give one `seq` to two contents.
 */
export function recoverSpool(folder: string): RecoveredSpool {
  const numbers = readdirSync(folder)
    .filter((name) => /^\d{10}\.spool$/.test(name))
    .map((name) => Number(name.slice(0, 10)))
    .sort((a, b) => a - b)
  const recovered: RecoveredSpool = { segments: [], heads: new Map(), cutBytes: 0 }
  const byDigest = new Map<Hex, SpoolEntry>()
  for (const number of numbers) {
    const newest = number === numbers.at(-1)
    readSegment({ folder, number, newest, recovered, byDigest })
  }
  return recovered
}

function readSegment(input: {
  folder: string
  number: number
  newest: boolean
  recovered: RecoveredSpool
  byDigest: Map<Hex, SpoolEntry>
}): void {
  const { recovered, byDigest } = input
  const path = segmentPath(input.folder, input.number)
  const file = readFileSync(path)
  const descriptor = openSync(path, 'r+')
  const segment: Segment = {
    number: input.number,
    descriptor,
    bytes: 0,
    unreceipted: 0,
    entries: [],
  }
  recovered.segments.push(segment)
  let record = decodeRecord(file, 0)
  if (record?.kind !== KIND.heads && !mayLackHeads(input, file)) throw corrupt(path, 0)
  while (record) {
    if (record.kind === KIND.heads) {
      for (const [chain, head] of decodeHeads(record.body)) recovered.heads.set(chain, head)
    } else if (record.kind === KIND.envelope) {
      const { bytesAt, ...named } = decodeEnvelopeRecord(record.body)
      const entry: SpoolEntry = {
        ...named,
        segment,
        offset: segment.bytes + BODY_OFFSET + bytesAt,
        length: record.body.length - bytesAt,
        receipt: undefined,
      }
      segment.entries.push(entry)
      segment.unreceipted += 1
      byDigest.set(entry.digest, entry)
      recovered.heads.set(entry.chain, { seq: entry.seq, digest: entry.digest })
    } else if (record.kind === KIND.receipt) {
      const { digest, receipt } = decodeReceiptRecord(record.body)
      const entry = byDigest.get(digest)
      if (entry && !entry.receipt) {
        entry.receipt = receipt
        entry.segment.unreceipted -= 1
      }
    }
    segment.bytes = record.next
    record = decodeRecord(file, record.next)
  }
  if (segment.bytes === file.length) return
  if (!input.newest) throw corrupt(path, segment.bytes)
  recovered.cutBytes += file.length - segment.bytes
  ftruncateSync(descriptor, segment.bytes)
  fsyncSync(descriptor)
}

/**
 * The heads are on disk before anything follows them, and before older segments are dropped. So only a segment that
 * was just begun may lack them: the very first, still empty, or one behind others.
 */
function mayLackHeads(
  { number, newest, recovered }: { number: number; newest: boolean; recovered: RecoveredSpool },
  file: Buffer,
): boolean {
  if (number === 1) return file.length <= encodeHeads(new Map()).length
  return newest && recovered.segments.length > 1
}

function corrupt(path: string, offset: number): LiquefyError {
  return new LiquefyError(
    'SPOOL_CORRUPT',
    `${path} is damaged at byte ${offset}. Check the disk; restore the file, or register a new key: ` +
      'signing on from here could use a sequence number twice.',
  )
}

/** Ends the use of all segment files. */
export function closeSegments(segments: readonly Segment[]): void {
  for (const segment of segments) closeSync(segment.descriptor)
}
