import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { describe, expect, it } from 'vitest'
import {
  append,
  consistencyProof,
  emptyFrontier,
  emptyRoot,
  frontierRoot,
  inclusionProof,
  leafData,
  leafHash,
  type NodeReader,
  nodeHash,
  rootAt,
  type TreeFrontier,
  verifyConsistency,
  verifyInclusion,
} from '../../src/index.ts'
import { concatBytes, fromHex, toHex } from '../../src/trust/bytes.ts'
import { sha256 } from '../../src/trust/crypto.browser.ts'
import { listVectors, readVector, vectorsFolder } from './shared-vectors.ts'

const MAX_SIZE = 300
const leaves = Array.from({ length: MAX_SIZE }, (_, index) =>
  leafHash(leafData(toHex(sha256(Uint8Array.of(index & 255, index >> 8))), 1e12 + index, 'OK')),
)

const nodes = new Map<string, Hex>()
const frontiers: TreeFrontier[] = [emptyFrontier]
for (const leaf of leaves) {
  const { frontier, completed } = append(frontiers.at(-1) ?? emptyFrontier, leaf)
  frontiers.push(frontier)
  for (const { level, index, hash } of completed) nodes.set(`${level}/${index}`, hash)
}
const read: NodeReader = async (level, index) => {
  const hash = nodes.get(`${level}/${index}`)
  if (!hash) throw new Error(`node ${level}/${index} is not complete`)
  return hash
}

/** RFC 9162, section 2.1.1, word for word: the oracle. */
function merkleTreeHash(hashes: readonly Hex[]): Hex {
  const [first] = hashes
  if (first === undefined) return emptyRoot
  if (hashes.length === 1) return first
  let k = 1
  while (2 * k < hashes.length) k *= 2
  return nodeHash(merkleTreeHash(hashes.slice(0, k)), merkleTreeHash(hashes.slice(k)))
}

type InclusionVector = {
  leafIdx: string | number
  treeSize: string | number
  root: string | null
  leafHash: string | null
  proof: string[] | null
  wantErr: boolean
}
type ConsistencyVector = {
  size1: string | number
  size2: string | number
  root1: string | null
  root2: string | null
  proof: string[] | null
  wantErr: boolean
}

const folder = vectorsFolder('merkle-rfc6962')
const hexOf = (base64: string | null): Hex =>
  toHex(new Uint8Array(Buffer.from(base64 ?? '', 'base64')))

describe.skipIf(!folder)('RFC 6962 vectors of transparency-dev/merkle', () => {
  if (!folder) return
  const inclusion = listVectors(folder, /^inclusion_.*\.json$/)
  const consistency = listVectors(folder, /^consistency_.*\.json$/)

  it('are many', () => {
    console.log(`merkle: ${inclusion.length} inclusion, ${consistency.length} consistency vectors`)
    expect(inclusion.length).toBeGreaterThan(40)
    expect(consistency.length).toBeGreaterThan(40)
  })

  it.each(inclusion)('%s', (file) => {
    // JSON.parse rounds indices above 2^53, which these vectors hold.
    const vector = readVector<InclusionVector>(folder, file)
    const verdict = verifyInclusion({
      leafHash: hexOf(vector.leafHash),
      index: bigintOf(folder, file, 'leafIdx'),
      size: bigintOf(folder, file, 'treeSize'),
      proof: (vector.proof ?? []).map(hexOf),
      root: hexOf(vector.root),
    })
    expect(verdict).toBe(!vector.wantErr)
  })

  it.each(consistency)('%s', (file) => {
    const vector = readVector<ConsistencyVector>(folder, file)
    const verdict = verifyConsistency({
      size1: bigintOf(folder, file, 'size1'),
      root1: hexOf(vector.root1),
      size2: bigintOf(folder, file, 'size2'),
      root2: hexOf(vector.root2),
      proof: (vector.proof ?? []).map(hexOf),
    })
    expect(verdict).toBe(!vector.wantErr)
  })
})

describe('the log', () => {
  it('INV-22 leaves have prefix 0x00, nodes 0x01, and a leaf is digest, time, code', () => {
    const digest: Hex = `0x${'ab'.repeat(32)}`
    const data = leafData(digest, 0x0102030405, 'CHAIN_BROKEN')
    const ascii = new TextEncoder().encode('CHAIN_BROKEN')
    expect(toHex(data)).toBe(`${digest}0000000102030405${toHex(ascii).slice(2)}`)
    expect(leafHash(data)).toBe(toHex(sha256(concatBytes(Uint8Array.of(0), data))))
    const pair = concatBytes(Uint8Array.of(1), fromHex(digest), fromHex(emptyRoot))
    expect(nodeHash(digest, emptyRoot)).toBe(toHex(sha256(pair)))
    expect(emptyRoot).toBe('0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  })

  it('INV-22 frontier, reader and RFC 9162 give one root for every size', async () => {
    for (const [size, frontier] of frontiers.entries()) {
      const expected = merkleTreeHash(leaves.slice(0, size))
      expect(frontierRoot(frontier)).toBe(expected)
      expect(await rootAt(BigInt(size), read)).toBe(expected)
      expect(frontier.nodes.length).toBe(size.toString(2).replaceAll('0', '').length)
    }
  })

  it('INV-21 every leaf of every size is proven, and of nothing else', async () => {
    for (let size = 1; size <= MAX_SIZE; size++) {
      const root = frontierRoot(frontiers[size] ?? emptyFrontier)
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(BigInt(index), BigInt(size), read)
        const leaf = leaves[index] ?? emptyRoot
        const claim = { leafHash: leaf, index: BigInt(index), size: BigInt(size), proof, root }
        if (!verifyInclusion(claim)) throw new Error(`${index} of ${size} does not verify`)
        const other = BigInt((index + 1) % size)
        if (size > 1 && verifyInclusion({ ...claim, index: other })) {
          throw new Error(`${index} of ${size} verifies at ${other}`)
        }
      }
    }
  })

  it('ATK any flipped bit, missing or added step fails an inclusion proof', async () => {
    const place = fc
      .integer({ min: 1, max: MAX_SIZE })
      .chain((size) =>
        fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 }), fc.nat(), fc.nat(255)),
      )
    await fc.assert(
      fc.asyncProperty(place, async ([size, index, where, bit]) => {
        const proof = await inclusionProof(BigInt(index), BigInt(size), read)
        const root = frontierRoot(frontiers[size] ?? emptyFrontier)
        const leaf = leaves[index] ?? emptyRoot
        const parts = [leaf, root, ...proof]
        const at = where % parts.length
        const spoilt = parts.map((part, each) => (each === at ? flip(part, bit) : part))
        const [leafPart = leaf, rootPart = root, ...proofPart] = spoilt
        const claim = { leafHash: leaf, index: BigInt(index), size: BigInt(size), proof, root }
        const changed = { ...claim, leafHash: leafPart, root: rootPart, proof: proofPart }
        expect(verifyInclusion(claim)).toBe(true)
        expect(verifyInclusion(changed)).toBe(false)
        expect(verifyInclusion({ ...claim, proof: [...proof, leaf] })).toBe(false)
        if (proof.length) expect(verifyInclusion({ ...claim, proof: proof.slice(1) })).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('ATK an inner node is no leaf, and the last leaf doubled is another log', async () => {
    const inner = nodes.get('1/0') ?? emptyRoot
    const root = frontierRoot(frontiers[4] ?? emptyFrontier)
    const upper = [nodes.get('1/1') ?? emptyRoot]
    expect(verifyInclusion({ leafHash: inner, index: 0n, size: 4n, proof: upper, root })).toBe(
      false,
    )
    const leaf = leaves[2] ?? emptyRoot
    const doubled = nodeHash(nodes.get('1/0') ?? emptyRoot, nodeHash(leaf, leaf))
    expect(frontierRoot(frontiers[3] ?? emptyFrontier)).not.toBe(doubled)
    const proof = await inclusionProof(2n, 3n, read)
    expect(verifyInclusion({ leafHash: leaf, index: 3n, size: 3n, proof, root: doubled })).toBe(
      false,
    )
  })

  it('INV-22 each root is consistent with every one before, and with no other', async () => {
    for (let size2 = 1; size2 <= 100; size2++) {
      const root2 = frontierRoot(frontiers[size2] ?? emptyFrontier)
      for (let size1 = 0; size1 <= size2; size1++) {
        const root1 = frontierRoot(frontiers[size1] ?? emptyFrontier)
        const proof = await consistencyProof(BigInt(size1), BigInt(size2), read)
        const claim = { size1: BigInt(size1), root1, size2: BigInt(size2), root2, proof }
        if (!verifyConsistency(claim)) throw new Error(`${size1} -> ${size2} does not verify`)
        if (verifyConsistency({ ...claim, root1: flip(root1, 7) })) {
          throw new Error(`${size1} -> ${size2} verifies for another first root`)
        }
        if (size1 > 0 && verifyConsistency({ ...claim, root2: flip(root2, 7) })) {
          throw new Error(`${size1} -> ${size2} verifies for another second root`)
        }
      }
    }
  })

  it('ATK any flipped bit of a consistency proof fails', async () => {
    const place = fc
      .integer({ min: 2, max: MAX_SIZE })
      .chain((size2) =>
        fc.tuple(fc.integer({ min: 1, max: size2 - 1 }), fc.constant(size2), fc.nat(), fc.nat(255)),
      )
    await fc.assert(
      fc.asyncProperty(place, async ([size1, size2, where, bit]) => {
        const proof = await consistencyProof(BigInt(size1), BigInt(size2), read)
        const claim = {
          size1: BigInt(size1),
          root1: frontierRoot(frontiers[size1] ?? emptyFrontier),
          size2: BigInt(size2),
          root2: frontierRoot(frontiers[size2] ?? emptyFrontier),
          proof,
        }
        expect(verifyConsistency(claim)).toBe(true)
        const at = where % proof.length
        const spoilt = proof.map((part, each) => (each === at ? flip(part, bit) : part))
        expect(verifyConsistency({ ...claim, proof: spoilt })).toBe(false)
        expect(verifyConsistency({ ...claim, proof: proof.slice(1) })).toBe(false)
        expect(verifyConsistency({ ...claim, proof: [...proof, emptyRoot] })).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('what is no hash verifies nothing, and throws nothing', () => {
    const odd = ['0x', '0xzz', '', `0x${'ab'.repeat(33)}`] as Hex[]
    for (const proof of odd.map((each) => [each])) {
      const root = emptyRoot
      expect(verifyInclusion({ leafHash: root, index: 0n, size: 2n, proof, root })).toBe(false)
      const sizes = { size1: 1n, size2: 2n }
      expect(verifyConsistency({ ...sizes, root1: root, root2: root, proof })).toBe(false)
    }
  })

  it('proofs of what is not there are a mistake of the caller', async () => {
    await expect(inclusionProof(3n, 3n, read)).rejects.toThrow(RangeError)
    await expect(consistencyProof(4n, 3n, read)).rejects.toThrow(RangeError)
  })
})

type ChainVectors = {
  leaves: { digest: Hex; loggedAt: string; code: string; data: Hex; hash: Hex }[]
  cases: { oldSize: number; oldRoot: Hex; size: number; root: Hex; proof: Hex[] }[]
}

describe('docs/protocol/vectors/consistency.json, which the contract reads too', () => {
  const root = join(import.meta.dirname, '..', '..', '..', '..')
  const file = join(root, 'docs', 'protocol', 'vectors', 'consistency.json')
  const vectors: ChainVectors = JSON.parse(readFileSync(file, 'utf8'))

  it('leaves', () => {
    expect(vectors.leaves.length).toBeGreaterThan(0)
    for (const leaf of vectors.leaves) {
      const data = leafData(leaf.digest, Number(leaf.loggedAt), leaf.code)
      expect([toHex(data), leafHash(data)]).toEqual([leaf.data, leaf.hash])
    }
  })

  it('proofs', () => {
    expect(vectors.cases.length).toBeGreaterThan(0)
    for (const each of vectors.cases) {
      const claim = {
        size1: BigInt(each.oldSize),
        root1: each.oldRoot,
        size2: BigInt(each.size),
        root2: each.root,
        proof: each.proof,
      }
      expect(verifyConsistency(claim)).toBe(true)
    }
  })
})

function flip(hash: Hex, bit: number): Hex {
  const bytes = fromHex(hash)
  const at = (bit >> 3) % bytes.length
  return toHex(bytes.with(at, (bytes[at] ?? 0) ^ (1 << (bit & 7))))
}

function bigintOf(folder: string, file: string, field: string): bigint {
  const text = readFileSync(join(folder, file), 'utf8')
  const match = new RegExp(`"${field}": (\\d+)`).exec(text)
  if (!match) throw new Error(`${file} has no ${field}`)
  return BigInt(match[1] ?? 0)
}
