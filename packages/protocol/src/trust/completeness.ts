import type { Hex } from 'viem'
import { decodeEnvelope, type Envelope, verifyEnvelope, ZERO_DIGEST } from './envelope.ts'
import type { Issuer } from './identifier.ts'
import type { PublicKey } from './key.ts'
import {
  decodeReceipt,
  type LogIdentity,
  type SignedRoot,
  verifyInclusionReceipt,
} from './receipt.ts'
import { splitStatement } from './statement.ts'

/** Which stretch of which stream is to be complete, and whom to believe about keys. */
export type StreamStretch = {
  log: LogIdentity
  /** Lower case; on the chain of the log. */
  registry: Hex
  machineId: bigint
  stream: string
  /** The head behind which it begins: `seq` 0 and zeros for the whole stream. */
  from: StreamEnd
  /** The head with which it ends. */
  to: StreamEnd
  /** The key that the ledger names for the signer, if it knows this `kid`. */
  keyOf(iss: Issuer, kid: Hex): PublicKey | undefined
}

/** The end of a stream; without its digest only the numbers are compared. */
export type StreamEnd = { seq: bigint; digest?: Hex }

/** What does not fit, and where. */
export type CompletenessFault = {
  code: 'OMITTED' | 'ALTERED' | 'REORDERED' | 'DUPLICATED' | 'FOREIGN'
  seq: bigint
  /** The last of several that are omitted in a row. */
  lastSeq?: bigint
  message: string
}

/** Numbers that the machine itself declared missing, and why. */
export type SignedGap = { first: bigint; last: bigint; declaredAt: bigint; reason: string }

export type CompletenessReport = {
  /** In order of `seq`; none: the stretch is complete. */
  faults: CompletenessFault[]
  envelopes: number
  gaps: SignedGap[]
  /** Second envelopes under one number: kept by the log as proof against the machine. */
  equivocations: bigint[]
  /** Logged although they do not continue the chain. */
  broken: bigint[]
  /** The roots of the log that the receipts lead to, each once. */
  roots: SignedRoot[]
  /** The end that was found. */
  head: StreamEnd | undefined
}

/** Takes statements one by one, in the order in which they are told. */
export type CompletenessCheck = {
  take(statement: Uint8Array): void
  end(): CompletenessReport
}

type Link = { digest: Hex; prev: Hex; code: string; logIndex: bigint }
type Accepted = { envelope: Envelope; code: string; logIndex: bigint; signed: SignedRoot }
type Opened =
  | ({ ok: true } & Accepted)
  /** Without `seq`: the machine did not sign this, so that its number is nobody's word. */
  | { ok: false; foreign: boolean; seq: bigint | undefined; message: string }

/**
 * Checks that no envelope of a stream is missing between two heads: every statement is signed by the machine and in the log, every number is there
 * or declared missing by the machine, and each names the digest of the one before it, back from the last head to the first
 * (docs/protocol/receipt.md). Pure; work is linear in the statements.
 */
export function checkCompleteness(stretch: StreamStretch): CompletenessCheck {
  const { from, to } = stretch
  const faults: CompletenessFault[] = []
  const links = new Map<bigint, Link>()
  const seen = new Set<Hex>()
  const gaps: SignedGap[] = []
  const equivocations: bigint[] = []
  const broken: bigint[] = []
  const roots = new Map<bigint, SignedRoot>()
  /** `seq` behind which something stood that cannot be believed, not even its number. */
  const unreadable: { after: bigint; message: string }[] = []
  const altered = new Set<bigint>()
  let highest = from.seq
  let lastIndex = -1n
  let envelopes = 0

  const fault = (code: CompletenessFault['code'], seq: bigint, message: string) => {
    faults.push({ code, seq, message })
  }
  const alter = (seq: bigint, message: string) => {
    if (!altered.has(seq)) fault('ALTERED', seq, message)
    altered.add(seq)
  }

  function accept({ envelope, code, logIndex, signed }: Accepted): void {
    const { seq, digest, prev } = envelope
    if (seen.has(digest)) {
      fault('DUPLICATED', seq, 'it stands here twice')
      return
    }
    seen.add(digest)
    envelopes += 1
    roots.set(signed.size, signed)
    if (seq < highest || (seq === highest && logIndex < lastIndex)) {
      fault('REORDERED', seq, `it stands behind seq ${highest}`)
    } else {
      highest = seq
      lastIndex = logIndex
    }
    if (code === 'EQUIVOCATION') {
      equivocations.push(seq)
      return
    }
    if (links.has(seq)) {
      alter(seq, 'the log has two of this number, and names neither so')
      return
    }
    links.set(seq, { digest, prev, code, logIndex })
    if (code === 'CHAIN_BROKEN') broken.push(seq)
    if (code === 'OK') noteGap(gaps, envelope)
  }

  return {
    take(statement) {
      const opened = open(stretch, statement)
      if (opened.ok) {
        const { seq } = opened.envelope
        if (seq <= from.seq || seq > to.seq) fault('FOREIGN', seq, 'it lies outside of the stretch')
        else accept(opened)
      } else if (opened.foreign) {
        fault('FOREIGN', highest, opened.message)
      } else if (opened.seq === undefined) {
        unreadable.push({ after: highest, message: opened.message })
      } else {
        alter(opened.seq, opened.message)
        if (opened.seq > highest) highest = opened.seq
      }
    },
    end() {
      for (const { after, message } of unreadable) {
        const isFree = after < to.seq && !links.has(after + 1n) && !altered.has(after + 1n)
        alter(isFree ? after + 1n : after, message)
      }
      omissions(stretch, { links, gaps, altered }, faults)
      chain(stretch, links, alter)
      const last = links.get(to.seq)
      return {
        faults: faults.sort((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0)),
        envelopes,
        gaps: gaps.filter(({ first, last }) => last > from.seq && first <= to.seq),
        equivocations,
        broken,
        roots: [...roots.values()],
        head: last && { seq: to.seq, digest: last.digest },
      }
    },
  }
}

/** Only what lies before a declaration can be known to be missing (docs/protocol/meter-rules.md). */
function noteGap(gaps: SignedGap[], { seq, content }: Envelope): void {
  if (content.kind !== 'declaration' || content.declaration.kind !== 'gap') return
  const [first, named] = content.declaration.missing ?? []
  if (first === undefined || named === undefined) return
  const last = named < seq ? named : seq - 1n
  gaps.push({ first, last, declaredAt: seq, reason: content.declaration.reason })
}

/** Numbers that are neither there, nor declared missing, nor named already. */
function omissions(
  { from, to }: StreamStretch,
  known: { links: ReadonlyMap<bigint, Link>; gaps: readonly SignedGap[]; altered: Set<bigint> },
  faults: CompletenessFault[],
): void {
  const { links, gaps, altered } = known
  const covered = [
    ...[...links.keys(), ...altered].map((seq) => ({ first: seq, last: seq })),
    ...gaps,
    { first: to.seq + 1n, last: to.seq + 1n },
  ].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  let next = from.seq + 1n
  for (const { first, last } of covered) {
    if (next > to.seq) return
    if (first > next) {
      const lastSeq = first - 1n < to.seq ? first - 1n : to.seq
      const message = 'it is not here, and the machine did not declare it missing'
      faults.push({ code: 'OMITTED', seq: next, ...(lastSeq > next ? { lastSeq } : {}), message })
    }
    if (last >= next) next = last + 1n
  }
}

/** From the last head back: what each names is what stands before it, unless the log itself says that the chain was broken there. */
function chain(
  { from, to }: StreamStretch,
  links: ReadonlyMap<bigint, Link>,
  alter: (seq: bigint, message: string) => void,
): void {
  const end = links.get(to.seq)
  if (end && to.digest !== undefined && end.digest !== to.digest) {
    alter(to.seq, 'it is not the head that was named')
  }
  for (const [seq, link] of links) {
    const before = links.get(seq - 1n)
    const given = seq === from.seq + 1n ? (from.digest ?? beginning(from.seq)) : undefined
    const digest = before?.digest ?? given
    if (digest === undefined || digest === link.prev) continue
    const later = before && before.logIndex > link.logIndex ? before : link
    if (later.code === 'CHAIN_BROKEN') continue
    if (before) alter(seq - 1n, `seq ${seq} names another digest for it`)
    else alter(seq, 'it does not follow the head behind which the stretch begins')
  }
}

function beginning(seq: bigint): Hex | undefined {
  return seq === 0n ? ZERO_DIGEST : undefined
}

function open(stretch: StreamStretch, statement: Uint8Array): Opened {
  const refuse = (message: string, seq?: bigint, foreign = false): Opened => ({
    ok: false,
    foreign,
    seq,
    message,
  })
  const split = splitStatement(statement)
  if (!split.ok) return refuse(split.message)
  const decoded = decodeEnvelope(split.envelope)
  if (!decoded.ok) return refuse(decoded.message)
  const { envelope } = decoded
  const key = stretch.keyOf(envelope.iss, envelope.kid)
  if (!key) return refuse('the ledger names no such key for its signer')
  if (!verifyEnvelope(envelope, key)) return refuse('its signature does not verify')
  const { iss, machineId, stream, seq, digest } = envelope
  const isOurs =
    iss.chainId === stretch.log.chainId &&
    iss.registry === stretch.registry &&
    machineId === stretch.machineId &&
    stream === stretch.stream
  if (!isOurs) return refuse('it is of another stream', undefined, true)
  let message = 'it has no receipt of this log'
  for (const bytes of split.receipts) {
    const receipt = decodeReceipt(bytes)
    if (!receipt.ok) {
      message = receipt.message
      continue
    }
    const { proof } = receipt.receipt
    const verified = verifyInclusionReceipt(receipt.receipt, { digest, log: stretch.log })
    if (verified.ok && proof.kind === 'inclusion') {
      return {
        ok: true,
        envelope,
        code: proof.code,
        logIndex: proof.index,
        signed: verified.signed,
      }
    }
    if (!verified.ok) message = verified.message
  }
  return refuse(message, seq)
}
