import type { Hex } from 'viem'
import { concatBytes, fromHex, toHex, writeHex } from './bytes.ts'
import { sha256 } from './signature.ts'

/** Reads the hash of the complete subtree of `2^level` leaves that is the `index`-th of its level. */
export type NodeReader = (level: number, index: bigint) => Promise<Hex>

/** The complete left subtrees of a log of `size` leaves, smallest first: all that appending needs. */
export type TreeFrontier = { size: bigint; nodes: Hex[] }

/** A subtree that became complete. */
export type CompletedNode = { level: number; index: bigint; hash: Hex }

const LEAF_PREFIX = Uint8Array.of(0)
const HASH_BYTES = 32
/** What is hashed of a node: used again and again, for there are many. */
const node = new Uint8Array(1 + 2 * HASH_BYTES)
node[0] = 1

/** Root of the log without leaves: SHA-256 of nothing. */
export const emptyRoot: Hex = toHex(sha256(new Uint8Array(0)))

/** A log without leaves. */
export const emptyFrontier: TreeFrontier = { size: 0n, nodes: [] }

/** The data of one leaf: digest, `loggedAt` (ms since 1970, 8 bytes, big-endian), admission code in ASCII. */
export function leafData(digest: Hex, loggedAt: number, code: string): Uint8Array {
  const time = new Uint8Array(8)
  new DataView(time.buffer).setBigUint64(0, BigInt(loggedAt))
  return concatBytes(fromHex(digest), time, new TextEncoder().encode(code))
}

/** SHA-256(0x00 || data) (RFC 9162, section 2.1.1). */
export function leafHash(data: Uint8Array): Hex {
  return toHex(sha256(concatBytes(LEAF_PREFIX, data)))
}

/** SHA-256(0x01 || left || right) (RFC 9162, section 2.1.1). */
export function nodeHash(left: Hex, right: Hex): Hex {
  writeHex(left, node, 1)
  writeHex(right, node, 1 + HASH_BYTES)
  return toHex(sha256(node))
}

/** Adds one leaf; gives the new frontier and the subtrees that it completes, the leaf first. */
export function append(
  frontier: TreeFrontier,
  leaf: Hex,
): { frontier: TreeFrontier; completed: CompletedNode[] } {
  const nodes = [...frontier.nodes]
  let node: CompletedNode = { level: 0, index: frontier.size, hash: leaf }
  const completed = [node]
  while (node.index & 1n) {
    const left = nodes.shift()
    if (left === undefined) throw new RangeError('The frontier has fewer nodes than its size says.')
    node = { level: node.level + 1, index: node.index >> 1n, hash: nodeHash(left, node.hash) }
    completed.push(node)
  }
  return { frontier: { size: frontier.size + 1n, nodes: [node.hash, ...nodes] }, completed }
}

/** The root of the log that a frontier stands for. */
export function frontierRoot(frontier: TreeFrontier): Hex {
  const [first, ...rest] = frontier.nodes
  if (first === undefined) return emptyRoot
  return rest.reduce((right, left) => nodeHash(left, right), first)
}

/** The root of the first `size` leaves. */
export async function rootAt(size: bigint, read: NodeReader): Promise<Hex> {
  return size === 0n ? emptyRoot : subtreeHash(0n, size, read)
}

/** The path from leaf `index` to the root of the first `size` leaves, lowest first (RFC 9162, section 2.1.3.1). */
export async function inclusionProof(
  index: bigint,
  size: bigint,
  read: NodeReader,
): Promise<Hex[]> {
  if (index < 0n || index >= size)
    throw new RangeError(`Leaf ${index} is not among the first ${size}.`)
  const path: Promise<Hex>[] = []
  let start = 0n
  let count = size
  while (count > 1n) {
    const left = leftCount(count)
    if (index < start + left) {
      path.push(subtreeHash(start + left, count - left, read))
      count = left
    } else {
      path.push(subtreeHash(start, left, read))
      start += left
      count -= left
    }
  }
  return (await Promise.all(path)).reverse()
}

/** Proves that the first `size1` leaves are a prefix of the first `size2` (RFC 9162, section 2.1.4.1). Empty if `size1` is 0 or `size2`. */
export async function consistencyProof(
  size1: bigint,
  size2: bigint,
  read: NodeReader,
): Promise<Hex[]> {
  if (size1 < 0n || size1 > size2) {
    throw new RangeError(`A log of ${size2} leaves cannot extend one of ${size1}.`)
  }
  if (size1 === 0n || size1 === size2) return []
  const path: Promise<Hex>[] = []
  let start = 0n
  let count = size2
  let known = size1
  let isWhole = true
  while (known !== count) {
    const left = leftCount(count)
    if (known <= left) {
      path.push(subtreeHash(start + left, count - left, read))
      count = left
    } else {
      path.push(subtreeHash(start, left, read))
      start += left
      count -= left
      known -= left
      isWhole = false
    }
  }
  if (!isWhole) path.push(subtreeHash(start, count, read))
  return (await Promise.all(path)).reverse()
}

/** The root of `size` leaves that a proof leads to from leaf `index`; undefined if it is no proof of that shape (RFC 9162, section 2.1.3.2). Never throws. */
export function rootOfInclusion(claim: {
  leafHash: Hex
  index: bigint
  size: bigint
  proof: readonly Hex[]
}): Hex | undefined {
  if (claim.index < 0n || claim.index >= claim.size) return undefined
  if (![claim.leafHash, ...claim.proof].every(isHash)) return undefined
  let index = claim.index
  let last = claim.size - 1n
  let hash = claim.leafHash
  for (const sibling of claim.proof) {
    if (last === 0n) return undefined
    if (index & 1n || index === last) {
      hash = nodeHash(sibling, hash)
      while (!(index & 1n) && index !== 0n) {
        index >>= 1n
        last >>= 1n
      }
    } else {
      hash = nodeHash(hash, sibling)
    }
    index >>= 1n
    last >>= 1n
  }
  return last === 0n ? hash : undefined
}

/** True if the proof leads from leaf `index` to the root of `size` leaves (RFC 9162, section 2.1.3.2). Never throws. */
export function verifyInclusion(claim: {
  leafHash: Hex
  index: bigint
  size: bigint
  proof: readonly Hex[]
  root: Hex
}): boolean {
  const root = rootOfInclusion(claim)
  return root !== undefined && equalHex(root, claim.root)
}

/**
 * The root of `size2` leaves that a proof leads to from the root of `size1`; undefined if it does not lead from that root, or is no proof of that
 * shape (RFC 9162, section 2.1.4.2). `size1` from 1, below `size2`. Never throws.
 */
export function rootOfConsistency(claim: {
  size1: bigint
  root1: Hex
  size2: bigint
  proof: readonly Hex[]
}): Hex | undefined {
  const { size1, size2 } = claim
  if (size1 < 1n || size1 >= size2 || claim.proof.length === 0) return undefined
  if (!claim.proof.every(isHash)) return undefined
  const isPowerOfTwo = (size1 & (size1 - 1n)) === 0n
  const [first, ...rest] = isPowerOfTwo ? [claim.root1, ...claim.proof] : claim.proof
  if (first === undefined || !isHash(first)) return undefined
  let index = size1 - 1n
  let last = size2 - 1n
  while (index & 1n) {
    index >>= 1n
    last >>= 1n
  }
  let hash1 = first
  let hash2 = first
  for (const sibling of rest) {
    if (last === 0n) return undefined
    if (index & 1n || index === last) {
      hash1 = nodeHash(sibling, hash1)
      hash2 = nodeHash(sibling, hash2)
      while (!(index & 1n) && index !== 0n) {
        index >>= 1n
        last >>= 1n
      }
    } else {
      hash2 = nodeHash(hash2, sibling)
    }
    index >>= 1n
    last >>= 1n
  }
  return last === 0n && equalHex(hash1, claim.root1) ? hash2 : undefined
}

/**
 * True if the proof shows that the log of `size2` leaves extends that of `size1` (RFC 9162, section 2.1.4.2). Any log
 * extends the empty one, without a proof. Never throws.
 */
export function verifyConsistency(claim: {
  size1: bigint
  root1: Hex
  size2: bigint
  root2: Hex
  proof: readonly Hex[]
}): boolean {
  const { size1, size2 } = claim
  if (size1 < 0n || size1 > size2) return false
  if (size1 === 0n) return claim.proof.length === 0 && equalHex(claim.root1, emptyRoot)
  if (size1 === size2) return claim.proof.length === 0 && equalHex(claim.root1, claim.root2)
  const root2 = rootOfConsistency(claim)
  return root2 !== undefined && equalHex(root2, claim.root2)
}

async function subtreeHash(start: bigint, count: bigint, read: NodeReader): Promise<Hex> {
  if ((count & (count - 1n)) === 0n) {
    const level = count.toString(2).length - 1
    return read(level, start >> BigInt(level))
  }
  const left = leftCount(count)
  const [leftHash, rightHash] = await Promise.all([
    subtreeHash(start, left, read),
    subtreeHash(start + left, count - left, read),
  ])
  return nodeHash(leftHash, rightHash)
}

/** The largest power of two below `count`. */
function leftCount(count: bigint): bigint {
  return 1n << BigInt((count - 1n).toString(2).length - 1)
}

function isHash(hash: Hex): boolean {
  return /^0x[0-9a-fA-F]{64}$/.test(hash)
}

function equalHex(a: Hex, b: Hex): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
