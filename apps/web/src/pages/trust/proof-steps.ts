import type { EnvelopeProof, Hex, Machine } from '@liquefy/client'
import {
  decodeEnvelope,
  type Envelope,
  leafData,
  leafHash,
  nodeHash,
  verifyEnvelope,
} from '@liquefy/protocol'

/** One level of the path from a leaf to the root: the node on the path, its sibling, and which of them stands on the left. */
export interface Level {
  own: Hex
  sibling: Hex
  siblingIs: 'left' | 'right'
}

/** What this browser found out about one envelope by itself. */
export interface Checked {
  envelope: Envelope | undefined
  /** From the leaf up. */
  levels: Level[]
  root: Hex
  checks: { name: string; words: string; holds: boolean | undefined }[]
}

/** Takes an envelope apart and walks its inclusion proof (RFC 9162) from the leaf to the root. */
export const checkProof = (proof: EnvelopeProof, key: Machine['key'] | undefined): Checked => {
  const bytes = Uint8Array.from(atob(proof.raw), (letter) => letter.charCodeAt(0))
  const decoded = decodeEnvelope(bytes)
  const envelope = decoded.ok ? decoded.envelope : undefined
  const digest = envelope?.digest ?? proof.digest
  const { levels, root, complete } = pathOf(
    leafHash(leafData(digest, proof.loggedAtMs, proof.admission)),
    proof,
  )
  const signedByCurrent = envelope && key && envelope.kid === key.keyId
  return {
    envelope,
    levels,
    root,
    checks: [
      {
        name: 'Bytes',
        words: decoded.ok ? 'a well-formed envelope (COSE)' : decoded.message,
        holds: decoded.ok && decoded.envelope.digest === proof.digest,
      },
      {
        name: 'Signature',
        words: signedByCurrent
          ? `by the key ${key.keyId.slice(0, 10)}… of the machine`
          : 'by a key that is not its present one: “Check this bill” looks it up on the ledger',
        holds: signedByCurrent ? verifyEnvelope(envelope, key) : undefined,
      },
      {
        name: 'Log',
        words: `its leaf leads to the root of the first ${proof.checkpoint.size} envelopes`,
        holds: complete && root === proof.checkpoint.root,
      },
    ],
  }
}

/** Hashes upwards as RFC 9162 2.1.3.2 says: a node without a right sibling stands in for its parent. */
const pathOf = (leaf: Hex, { logIndex, checkpoint, proof }: EnvelopeProof) => {
  const levels: Level[] = []
  let own = leaf
  let at = BigInt(logIndex)
  let last = BigInt(checkpoint.size) - 1n
  for (const sibling of proof) {
    if (last === 0n) return { levels, root: own, complete: false }
    while (at === last && !(at & 1n)) {
      at >>= 1n
      last >>= 1n
    }
    const siblingIs = at & 1n ? 'left' : 'right'
    levels.push({ own, sibling, siblingIs })
    own = siblingIs === 'left' ? nodeHash(sibling, own) : nodeHash(own, sibling)
    at >>= 1n
    last >>= 1n
  }
  return { levels, root: own, complete: last === 0n }
}
