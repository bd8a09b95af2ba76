import {
  append,
  emptyFrontier,
  frontierRoot,
  type Hex,
  inclusionProof,
  leafHash,
  verifyInclusion,
} from '@liquefy/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { inclusionChecker } from '../src/inclusion-check.ts'

async function treeOf(size: number) {
  const nodes = new Map<string, Hex>()
  const leaves = Array.from({ length: size }, (_, index) => leafHash(Uint8Array.of(index)))
  let frontier = emptyFrontier
  for (const leaf of leaves) {
    const grown = append(frontier, leaf)
    frontier = grown.frontier
    for (const { level, index, hash } of grown.completed) nodes.set(`${level}/${index}`, hash)
  }
  const read = async (level: number, index: bigint) => {
    const hash = nodes.get(`${level}/${index}`)
    if (!hash) throw new RangeError(`no node ${level}/${index}`)
    return hash
  }
  const proofs = leaves.map((_, index) => inclusionProof(BigInt(index), BigInt(size), read))
  return { leaves, root: frontierRoot(frontier), proofs: await Promise.all(proofs) }
}

/** What is done to a proof before it is checked: nothing, mostly. */
const change = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: 'none' as const }) },
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(8) }),
  fc.record({ kind: fc.constant('drop' as const), at: fc.nat(8) }),
  fc.record({ kind: fc.constant('twice' as const), at: fc.nat(8) }),
  fc.constant({ kind: 'leaf' as const }),
  fc.record({ kind: fc.constant('index' as const), to: fc.integer({ min: -1, max: 50 }) }),
)
const claims = fc.array(fc.record({ leaf: fc.nat(49), change }), { minLength: 1, maxLength: 60 })

const flipped = (hash: Hex): Hex => `${hash.slice(0, -1)}${hash.endsWith('0') ? '1' : '0'}` as Hex

test('says of every proof, in any order and however it was changed, what RFC 9162 says of it alone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 50 }), claims, async (size, asked) => {
      const { leaves, root, proofs } = await treeOf(size)
      const check = inclusionChecker(BigInt(size), root)
      for (const { leaf, change: changed } of asked) {
        const place = leaf % size
        const proof = [...(proofs[place] ?? [])]
        const at = 'at' in changed ? changed.at % Math.max(1, proof.length) : 0
        const sibling = proof[at]
        if (changed.kind === 'flip' && sibling) proof[at] = flipped(sibling)
        if (changed.kind === 'drop') proof.splice(at, 1)
        if (changed.kind === 'twice' && sibling) proof.splice(at, 0, sibling)
        const own = leaves[place] as Hex
        const claim = {
          leafHash: changed.kind === 'leaf' ? flipped(own) : own,
          index: BigInt(changed.kind === 'index' ? changed.to : place),
          proof,
        }
        expect(check(claim)).toBe(verifyInclusion({ ...claim, size: BigInt(size), root }))
      }
    }),
    { numRuns: process.env.LIQUEFY_NIGHTLY ? 3_000 : 200 },
  )
})
