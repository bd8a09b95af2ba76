import { type Hex, hexToBytes, keccak256 } from 'viem'

const BITS = 2_048

/**
 * A test whether a block's bloom filter (Yellow Paper 4.3.1) may stand for a log with all of these addresses and topics. A "no" is
 * certain: the block has no such log.
 */
export function bloomTest(items: readonly Hex[]): (bloom: Hex) => boolean {
  const bits = items.flatMap(bitsOf).map((bit) => ({
    character: 2 + (2 * BITS) / 8 - 1 - (bit >> 2),
    mask: 1 << (bit & 3),
  }))
  return (bloom) =>
    bits.every(({ character, mask }) => (Number.parseInt(bloom[character] ?? '0', 16) & mask) > 0)
}

function bitsOf(item: Hex): number[] {
  const digest = hexToBytes(keccak256(item))
  return [0, 2, 4].map((at) => (((digest[at] ?? 0) << 8) | (digest[at + 1] ?? 0)) % BITS)
}
