import {
  fdatasync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Hex, LiquefyError, ZERO_DIGEST } from '@liquefy/protocol'
import { syncFolder } from './durable-file.ts'
import {
  type Chain,
  type ChainHead,
  encodeEnvelopeRecord,
  encodeHeads,
  encodeReceiptRecord,
  type LogReceipt,
} from './segment.ts'
import {
  closeSegments,
  recoverSpool,
  type Segment,
  type SpoolEntry,
  segmentPath,
} from './spool-recovery.ts'

const syncData = promisify(fdatasync)

export type { SpoolEntry } from './spool-recovery.ts'

export interface SpoolLimits {
  /** Most bytes on disk; beyond it `append` throws `SPOOL_FULL`. */
  maxBytes: number
  /** A segment that has grown to this is followed by a new one. */
  segmentBytes: number
  /** Receipted envelopes are kept up to this, for metering and for agreements that open late. */
  historyBytes: number
}

/** Signs the envelope that follows `head`. */
type BuildEnvelope = (head: ChainHead) => { bytes: Uint8Array; digest: Hex }

/** Envelopes on disk: written before anyone hears of them, kept until a receipt names them. */
export interface Spool {
  /** Bytes of an unfinished write that were cut off when the spool was opened. */
  readonly cutBytes: number
  /** Resolves once the envelope is on disk; several waiting ones share one fsync. */
  append(chain: Chain, build: BuildEnvelope): Promise<SpoolEntry>
  /** Notes a receipt; `undefined` if it names nothing that waits for one. */
  receipt(digest: Hex, receipt: LogReceipt): SpoolEntry | undefined
  head(chain: Chain): ChainHead
  /** Envelopes without receipt, oldest first. */
  pending(): IterableIterator<SpoolEntry>
  pendingCount(): number
  /** Kept envelopes of a chain in order of `seq`, without holes. */
  kept(chain: Chain): readonly SpoolEntry[]
  /** Chains of which envelopes are kept. */
  chains(): IterableIterator<Chain>
  read(entry: SpoolEntry): Uint8Array
  /** Resolves when all that was appended so far is on disk, or refused. */
  written(): Promise<void>
  close(): Promise<void>
}

interface Job {
  chain: Chain
  build: BuildEnvelope
  resolve(entry: SpoolEntry): void
  reject(error: unknown): void
}

interface Built {
  job: Job
  frame: Buffer
  length: number
  head: ChainHead
}

/** Most envelopes that share one fsync: bounds memory, and how long the event loop signs without a pause. */
const GROUP_LIMIT = 256

/**
 * Opens (or makes) the spool in `<folder>/spool`.
 *
 * @param beforeDrop called with receipted envelopes that are about to be deleted.
 * @param resend forgets the receipts of what is kept, so that it is all sent again.
 * @throws LiquefyError `SPOOL_CORRUPT`.
 */
export function openSpool(
  folder: string,
  limits: SpoolLimits,
  beforeDrop: (entries: readonly SpoolEntry[]) => void,
  resend = false,
): Spool {
  const directory = join(folder, 'spool')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { segments, heads, cutBytes } = recoverSpool(directory)
  const pending = new Map<Hex, SpoolEntry>()
  const chains = new Map<Chain, SpoolEntry[]>()
  const queue: Job[] = []
  let working: Promise<void> | undefined
  let broken: unknown
  let closed = false

  for (const entry of segments.flatMap((segment) => segment.entries)) {
    if (resend && entry.receipt) {
      entry.receipt = undefined
      entry.segment.unreceipted += 1
    }
    index(entry)
  }
  let active = segments.at(-1) ?? startSegment(1)
  if (active.bytes === 0) writeHeads(active)

  function index(entry: SpoolEntry): void {
    if (!entry.receipt) pending.set(entry.digest, entry)
    const kept = chains.get(entry.chain)
    if (kept) kept.push(entry)
    else chains.set(entry.chain, [entry])
  }

  function startSegment(number: number): Segment {
    const descriptor = openSync(segmentPath(directory, number), 'w+', 0o600)
    const segment = { number, descriptor, bytes: 0, unreceipted: 0, entries: [] }
    segments.push(segment)
    return segment
  }

  function writeHeads(segment: Segment): void {
    write(segment, encodeHeads(heads))
    fsyncSync(segment.descriptor)
    syncFolder(directory)
  }

  function write(segment: Segment, frame: Buffer): void {
    let written = 0
    try {
      while (written < frame.length) {
        const at = segment.bytes + written
        written += writeSync(segment.descriptor, frame, written, frame.length - written, at)
      }
    } catch (error) {
      // Whole records of the failed write could otherwise be found behind the next one.
      ftruncateSync(segment.descriptor, segment.bytes)
      throw error
    }
    segment.bytes += frame.length
  }

  const totalBytes = () => segments.reduce((sum, segment) => sum + segment.bytes, 0)

  function dropReceipted(targetBytes: number): void {
    let total = totalBytes()
    for (;;) {
      const oldest = segments[0]
      if (!oldest || oldest === active || oldest.unreceipted > 0 || total <= targetBytes) return
      beforeDrop(oldest.entries)
      unlinkSync(segmentPath(directory, oldest.number))
      closeSegments([oldest])
      segments.shift()
      for (const entry of oldest.entries) chains.get(entry.chain)?.shift()
      total -= oldest.bytes
    }
  }

  function rollOver(): void {
    const next = startSegment(active.number + 1)
    try {
      writeHeads(next)
    } catch (error) {
      segments.pop()
      closeSegments([next])
      throw error
    }
    active = next
    dropReceipted(limits.historyBytes)
  }

  function makeRoom(needed: number): void {
    if (totalBytes() + needed <= limits.maxBytes) return
    dropReceipted(limits.maxBytes - needed)
    if (totalBytes() + needed <= limits.maxBytes) return
    throw new LiquefyError(
      'SPOOL_FULL',
      `The spool in ${directory} holds ${pending.size} envelopes that no receipt has named, and its limit of ` +
        `${limits.maxBytes} bytes is reached. Reconnect the machine, or raise spool.maxBytes. This reading was not kept.`,
    )
  }

  function build(job: Job, tentative: Map<Chain, ChainHead>): Built | undefined {
    try {
      const before = tentative.get(job.chain) ?? headOf(job.chain)
      const { bytes, digest } = job.build(before)
      const seq = before.seq + 1n
      const frame = encodeEnvelopeRecord(job.chain, seq, digest, bytes)
      const head = { seq, digest }
      tentative.set(job.chain, head)
      return { job, frame, length: bytes.length, head }
    } catch (error) {
      job.reject(error)
      return undefined
    }
  }

  async function writeGroup(jobs: readonly Job[]): Promise<void> {
    const tentative = new Map<Chain, ChainHead>()
    const group = jobs
      .map((job) => build(job, tentative))
      .filter((built): built is Built => built !== undefined)
    if (group.length === 0) return
    let startedAt: number
    try {
      if (broken) throw broken
      if (active.bytes >= limits.segmentBytes) rollOver()
      const frames = Buffer.concat(group.map(({ frame }) => frame))
      makeRoom(frames.length)
      startedAt = active.bytes
      write(active, frames)
    } catch (error) {
      for (const { job } of group) job.reject(error)
      return
    }
    const segment = active
    try {
      await syncData(segment.descriptor)
    } catch (error) {
      // After a failed fsync nobody knows what is on disk: only a fresh recovery may tell.
      broken = new LiquefyError(
        'SPOOL_FAILED',
        `The disk under ${directory} did not keep what was written. Check it, then restart the machine.`,
        { cause: error },
      )
      for (const { job } of group) job.reject(broken)
      return
    }
    let offset = startedAt
    for (const { job, frame, length, head } of group) {
      const entry: SpoolEntry = {
        chain: job.chain,
        ...head,
        segment,
        offset: offset + frame.length - length,
        length,
        receipt: undefined,
      }
      offset += frame.length
      segment.entries.push(entry)
      segment.unreceipted += 1
      heads.set(job.chain, head)
      index(entry)
      job.resolve(entry)
    }
  }

  async function work(): Promise<void> {
    while (queue.length > 0) await writeGroup(queue.splice(0, GROUP_LIMIT))
    working = undefined
  }

  const headOf = (chain: Chain): ChainHead => heads.get(chain) ?? { seq: 0n, digest: ZERO_DIGEST }

  return {
    cutBytes,
    append(chain, build) {
      if (closed)
        return Promise.reject(new LiquefyError('MACHINE_CLOSED', 'Open the machine again.'))
      return new Promise((resolve, reject) => {
        queue.push({ chain, build, resolve, reject })
        working ??= Promise.resolve().then(work)
      })
    },
    receipt(digest, receipt) {
      const entry = pending.get(digest)
      if (!entry) return undefined
      entry.receipt = receipt
      entry.segment.unreceipted -= 1
      pending.delete(digest)
      if (!broken) {
        try {
          write(active, encodeReceiptRecord(digest, receipt))
        } catch {
          // A receipt that is not written is asked for again after a restart; the node then repeats it.
        }
      }
      return entry
    },
    head: headOf,
    pending: () => pending.values(),
    pendingCount: () => pending.size,
    kept: (chain) => chains.get(chain) ?? [],
    chains: () => chains.keys(),
    read(entry) {
      const bytes = new Uint8Array(entry.length)
      readSync(entry.segment.descriptor, bytes, 0, entry.length, entry.offset)
      return bytes
    },
    written: async () => working,
    async close() {
      closed = true
      await working
      closeSegments(segments)
    },
  }
}
