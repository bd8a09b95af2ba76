import { nodeHash } from '@liquefy/protocol'
import type { Hex } from 'viem'

/** A leaf of the log, and the path from it to the root, lowest sibling first. */
interface Inclusion {
  leafHash: Hex
  index: bigint
  proof: readonly Hex[]
}

/** Two children of one node, which a good proof has shown, and what part of that leads on from there to the root. */
interface Pair {
  parent: bigint
  left: Hex
  right: Hex
  proof: readonly Hex[]
  above: number
}

/**
 * Checks inclusion proofs of one root as `verifyInclusion` of the protocol does, one after another. Neighbours share the upper part of
 * their paths: where a path meets that of a good proof before it, it is compared with it instead of hashed once more, so that a proof of an
 * unbroken log costs two hashes on average. Never throws.
 */
export function inclusionChecker(size: bigint, root: Hex): (claim: Inclusion) => boolean {
  const pairs = new Map<number, Pair>()

  return ({ leafHash, index, proof }) => {
    if (index < 0n || index >= size) return false
    const path: [level: number, pair: Pair][] = []
    let hash = leafHash
    let at = index
    let last = size - 1n
    let level = 0
    const keep = () => {
      for (const [place, pair] of path) pairs.set(place, pair)
      return true
    }
    for (const [step, sibling] of proof.entries()) {
      if (last === 0n) return false
      // A node without a right sibling stands in for its parent.
      while (at === last && !(at & 1n)) {
        at >>= 1n
        last >>= 1n
        level += 1
      }
      const isRight = (at & 1n) === 1n
      const [left, right] = isRight ? [sibling, hash] : [hash, sibling]
      const above = proof.length - step - 1
      const parent = at >> 1n
      const shown = pairs.get(level)
      if (shown?.parent === parent && shown.left === left && shown.right === right) {
        return shown.above === above && endsAlike(proof, shown.proof, above) && keep()
      }
      path.push([level, { parent, left, right, proof, above }])
      hash = nodeHash(left, right)
      at = parent
      last >>= 1n
      level += 1
    }
    return at === 0n && last === 0n && hash === root && keep()
  }
}

function endsAlike(one: readonly Hex[], other: readonly Hex[], count: number): boolean {
  for (let back = 1; back <= count; back += 1) {
    if (one.at(-back) !== other.at(-back)) return false
  }
  return true
}
