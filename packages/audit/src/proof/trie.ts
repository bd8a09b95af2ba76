import { createMPT, verifyMerkleProof } from '@ethereumjs/mpt'
import { bytesToHex, type Hex, hexToBytes, keccak256, numberToHex, toRlp } from 'viem'

/** Root of the Merkle Patricia trie over a list, as a block commits to its receipts: keys are RLP of the index. */
export async function listRoot(values: readonly Hex[]): Promise<Hex> {
  const trie = await createMPT()
  for (const [index, value] of values.entries()) {
    const key = index === 0 ? '0x' : numberToHex(index)
    await trie.put(
      toRlp(key.length % 2 === 0 ? key : `0x0${key.slice(2)}`, 'bytes'),
      hexToBytes(value),
    )
  }
  return bytesToHex(trie.root())
}

/** Of a trie without anything in it: the hash of RLP's empty string. */
const EMPTY_ROOT = keccak256('0x80')

/**
 * What the trie of this root holds at the hash of `key`: the RLP of the value, null if nothing stands there. Undefined if the nodes do not
 * prove either (EIP-1186).
 */
export async function provenAt(
  root: Hex,
  key: Hex,
  nodes: readonly Hex[],
): Promise<Hex | null | undefined> {
  // There is no node to show of it, which the library does not take for a proof.
  if (root === EMPTY_ROOT) return null
  try {
    const value = await verifyMerkleProof(
      hexToBytes(key),
      nodes.map((node) => hexToBytes(node)),
      {
        root: hexToBytes(root),
        useKeyHashing: true,
      },
    )
    return value === null ? null : bytesToHex(value)
  } catch {
    return undefined
  }
}
