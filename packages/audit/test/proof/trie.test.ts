import { createMerkleProof, createMPT } from '@ethereumjs/mpt'
import { bytesToHex, type Hex, hexToBytes, keccak256, numberToHex, pad, toRlp } from 'viem'
import { describe, expect, test } from 'vitest'
import { entrySlot } from '../../src/proof/state-proof.ts'
import { listRoot, provenAt } from '../../src/proof/trie.ts'

/** Root of a trie without anything in it (Yellow Paper, appendix D). */
const EMPTY_ROOT = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421'
const key = (index: number) => numberToHex(index, { size: 32 })

async function storageOf(count: number) {
  const trie = await createMPT({ useKeyHashing: true })
  for (let index = 0; index < count; index += 1) {
    await trie.put(hexToBytes(key(index)), toRlp(numberToHex(index + 1), 'bytes'))
  }
  const proofOf = async (index: number): Promise<Hex[]> =>
    (await createMerkleProof(trie, hexToBytes(key(index)))).map((node) => bytesToHex(node))
  return { root: bytesToHex(trie.root()), proofOf }
}

describe('what a trie holds', () => {
  test('is proven where something stands, and where nothing does', async () => {
    const { root, proofOf } = await storageOf(300)
    for (const index of [0, 1, 127, 128, 299]) {
      const value = await provenAt(root, key(index), await proofOf(index))
      expect(value).toBe(toRlp(numberToHex(index + 1)))
    }
    expect(await provenAt(root, key(300), await proofOf(300))).toBeNull()
    expect(await provenAt(EMPTY_ROOT, key(0), [])).toBeNull()
  })

  test('is not proven by nodes of another key, of another root, changed, cut off or left out', async () => {
    const { root, proofOf } = await storageOf(300)
    const nodes = await proofOf(7)
    expect(await provenAt(root, key(8), nodes)).toBeUndefined()
    expect(await provenAt((await storageOf(299)).root, key(7), nodes)).toBeUndefined()
    expect(await provenAt(root, key(7), [])).toBeUndefined()
    expect(await provenAt(root, key(7), nodes.slice(0, -1))).toBeUndefined()
    expect(await provenAt(root, key(7), nodes.slice(1))).toBeUndefined()
    for (const [index, node] of nodes.entries()) {
      const last = (Number.parseInt(node.slice(-1), 16) ^ 1).toString(16)
      const changed = nodes.with(index, `${node.slice(0, -1)}${last}` as Hex)
      expect(await provenAt(root, key(7), changed)).toBeUndefined()
    }
  })

  test('as a list has a root that depends on each item and their order', async () => {
    expect(await listRoot([])).toBe(EMPTY_ROOT)
    const items = Array.from({ length: 200 }, (_, index) => keccak256(numberToHex(index)))
    const root = await listRoot(items)
    const [first = '0x', second = '0x', ...rest] = items
    expect(await listRoot(items)).toBe(root)
    expect(await listRoot([second, first, ...rest])).not.toBe(root)
    expect(await listRoot(items.slice(0, -1))).not.toBe(root)
    expect(await listRoot(items.with(150, '0x00'))).not.toBe(root)
  })
})

test("a mapping's entry stands where Solidity's documentation says", () => {
  // keccak256(h(k) . p), with the key in 32 bytes before the slot.
  const address: Hex = `0x${'12'.repeat(20)}`
  expect(entrySlot(5n, address)).toBe(keccak256(`${pad(address)}${key(5).slice(2)}`))
  expect(entrySlot(5n, 9n)).toBe(keccak256(`${key(9)}${key(5).slice(2)}`))
})
