import { type Hex, hexToBytes, keccak256 } from 'viem'

const BITS = 2_048
/** A filter this full answers "maybe" wrongly in one of 64 cases an address; so many addresses were asked for when that was found bearable. */
const FULL_SHARE = 0.25
const FEW = 3
/** Addresses whose bits are remembered: the same ones are asked for in every block. */
const MOST_KNOWN = 20_000

/**
 * Whether a block with this bloom filter (2,048 bits, Yellow Paper 4.3.1) may hold logs of one of these contracts. A "no" is certain, a "yes" is
 * the less worth the fuller the filter.
 */
export function mayHoldLogs(bloom: Hex, addresses: readonly Hex[]): boolean {
  const filter = hexToBytes(bloom)
  const isSet = (bit: number) =>
    ((filter[filter.length - 1 - (bit >> 3)] ?? 0) & (1 << (bit & 7))) > 0
  return addresses.some((address) => bitsOf(address).every(isSet))
}

/** Whether a "maybe" of this filter for one of so many addresses is worth a closer look. */
export function isSparse(bloom: Hex, addresses: number): boolean {
  let set = 0
  for (const byte of hexToBytes(bloom)) {
    for (let rest = byte; rest > 0; rest &= rest - 1) set += 1
  }
  return set < BITS * FULL_SHARE * Math.cbrt(FEW / Math.max(FEW, addresses))
}

const known = new Map<Hex, number[]>()

function bitsOf(address: Hex): number[] {
  const before = known.get(address)
  if (before) return before
  const bits = reckonBits(address)
  if (known.size >= MOST_KNOWN) known.clear()
  known.set(address, bits)
  return bits
}

function reckonBits(address: Hex): number[] {
  const digest = hexToBytes(keccak256(address))
  return [0, 2, 4].map((at) => (((digest[at] ?? 0) << 8) | (digest[at + 1] ?? 0)) % BITS)
}
