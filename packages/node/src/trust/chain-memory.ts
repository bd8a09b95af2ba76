import { type AdmissionCode, admit, type Hex } from '@liquefy/protocol'
import type { Queryable } from '../store/database.ts'
import { findByDigest, findChainLinks, findStreamHeads, type LogEntry } from '../store/envelopes.ts'
import type { EnvelopeHead } from './examine.ts'

/** What was logged before, as far as the envelopes of one batch depend on it; it grows with what the batch logs. */
interface OpenChain {
  /** Where this very envelope stands already, in the log or in the batch. */
  duplicateOf(digest: Hex): LogEntry | undefined
  /** The admission code of the next envelope of the batch; call `logged` with its entry. */
  admit(head: EnvelopeHead, loggedAt: number, active: boolean): AdmissionCode
  logged(head: EnvelopeHead, entry: LogEntry): void
}

/**
 * Remembers how far each stream has come, so that an envelope that follows the last one, as nearly all do, is admitted without a query. What is
 * remembered is exact while nobody else has appended to the log: each batch says how long the log is.
 */
export interface ChainMemory {
  /** For a batch behind `logSize` leaves, inside the transaction that holds the log. */
  open(
    transaction: Queryable,
    logSize: bigint,
    batch: readonly { head: EnvelopeHead; mayBeOld: boolean }[],
  ): Promise<OpenChain>
  /** The transaction of the chain opened last has committed, and the log has this many leaves. */
  committed(logSize: bigint): void
}

/** The largest `seq` logged of a stream, and the digest first logged there. `seq` 0: nothing was logged. */
interface StreamEnd {
  seq: bigint
  digest: Hex | undefined
}

const MAX_STREAMS = 50_000
const MAX_SEQ = 2n ** 63n - 1n

export function createChainMemory(): ChainMemory {
  let size: bigint | undefined
  const ends = new Map<string, StreamEnd>()
  let opened = new Map<string, StreamEnd>()

  async function load(
    transaction: Queryable,
    heads: readonly EnvelopeHead[],
  ): Promise<Map<string, StreamEnd>> {
    const found = new Map<string, StreamEnd>()
    const absent = new Map<string, { machineId: bigint; stream: string }>()
    for (const { machineId, stream } of heads) {
      const name = nameOf(machineId, stream)
      const known = ends.get(name)
      if (known) found.set(name, known)
      else absent.set(name, { machineId, stream })
    }
    if (absent.size === 0) return found
    for (const name of absent.keys()) found.set(name, { seq: 0n, digest: undefined })
    for (const end of await findStreamHeads(transaction, [...absent.values()])) {
      found.set(nameOf(end.machineId, end.stream), { seq: end.seq, digest: end.digest })
    }
    return found
  }

  return {
    async open(transaction, logSize, batch) {
      if (size !== logSize) ends.clear()
      size = logSize
      opened = await load(
        transaction,
        batch.map(({ head }) => head),
      )
      return openChain(transaction, opened, batch)
    },
    committed(logSize) {
      size = logSize
      for (const [name, end] of opened) {
        ends.delete(name)
        ends.set(name, end)
      }
      for (const name of ends.keys()) {
        if (ends.size <= MAX_STREAMS) break
        ends.delete(name)
      }
    },
  }
}

async function openChain(
  transaction: Queryable,
  ends: Map<string, StreamEnd>,
  batch: readonly { head: EnvelopeHead; mayBeOld: boolean }[],
): Promise<OpenChain> {
  const outOfOrder = outOfOrderIn(batch, ends)
  const entries = await findByDigest(
    transaction,
    outOfOrder.map(({ digest }) => digest),
  )
  const fresh = outOfOrder.filter(({ digest }) => !entries.has(digest))
  const links = await readLinks(transaction, fresh)

  return {
    duplicateOf: (digest) => entries.get(digest),
    admit(head, loggedAt, active) {
      const { machineId, stream, seq, latestMs } = head
      const end = ends.get(nameOf(machineId, stream))
      const context = { envelope: head, latestMs, loggedAt, active }
      if (end && seq === end.seq + 1n) {
        const previousDigest = end.digest
        return admit({ ...context, sameSeqDigest: undefined, previousDigest, nextPrev: undefined })
      }
      return admit({
        ...context,
        sameSeqDigest: links.get(placeOf(machineId, stream, seq))?.digest,
        previousDigest: links.get(placeOf(machineId, stream, seq - 1n))?.digest,
        nextPrev: links.get(placeOf(machineId, stream, seq + 1n))?.prev,
      })
    },
    logged(head, entry) {
      const { machineId, stream, seq, digest, prev } = head
      entries.set(digest, entry)
      const place = placeOf(machineId, stream, seq)
      if (!links.has(place)) links.set(place, { digest, prev })
      const name = nameOf(machineId, stream)
      const end = ends.get(name)
      if (end === undefined || seq > end.seq) ends.set(name, { seq, digest })
    },
  }
}

/** Those that do not simply follow what is behind them, and whatever may stand in the log already. */
function outOfOrderIn(
  batch: readonly { head: EnvelopeHead; mayBeOld: boolean }[],
  ends: ReadonlyMap<string, StreamEnd>,
): EnvelopeHead[] {
  const reached = new Map<string, bigint>()
  return batch.flatMap(({ head, mayBeOld }) => {
    const name = nameOf(head.machineId, head.stream)
    const seq = reached.get(name) ?? ends.get(name)?.seq ?? 0n
    if (head.seq > seq) reached.set(name, head.seq)
    return head.seq === seq + 1n && !mayBeOld ? [] : [head]
  })
}

/** First of each place in a stream, by place. */
async function readLinks(
  transaction: Queryable,
  heads: readonly EnvelopeHead[],
): Promise<Map<string, { digest: Hex; prev: Hex }>> {
  const places = new Map<string, { machineId: bigint; stream: string; seq: bigint }>()
  for (const { machineId, stream, seq: own } of heads) {
    for (const seq of [own - 1n, own, own + 1n]) {
      if (seq <= MAX_SEQ) places.set(placeOf(machineId, stream, seq), { machineId, stream, seq })
    }
  }
  const links = await findChainLinks(transaction, [...places.values()])
  return new Map(links.map((link) => [placeOf(link.machineId, link.stream, link.seq), link]))
}

function nameOf(machineId: bigint, stream: string): string {
  return `${machineId}/${stream}`
}

function placeOf(machineId: bigint, stream: string, seq: bigint): string {
  return `${machineId}/${stream}/${seq}`
}
