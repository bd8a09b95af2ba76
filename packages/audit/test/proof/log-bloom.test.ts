import { hexToBytes, keccak256, numberToHex } from 'viem'
import { expect, test } from 'vitest'
import { bloomTest } from '../../src/proof/log-bloom.ts'

const item = (index: number) => keccak256(numberToHex(index))

/** The filter of some items, bit by bit as the Yellow Paper says (4.3.1): three times eleven bits of the hash, counted from the right. */
function bloomOf(items: readonly `0x${string}`[]): `0x${string}` {
  let filter = 0n
  for (const one of items) {
    const digest = hexToBytes(keccak256(one))
    for (const at of [0, 2, 4]) {
      const bit = ((digest[at] ?? 0) * 256 + (digest[at + 1] ?? 0)) % 2_048
      filter |= 1n << BigInt(bit)
    }
  }
  return numberToHex(filter, { size: 256 })
}

test('what a block has is never denied, and what it has not is denied nearly always', () => {
  const bloom = bloomOf(Array.from({ length: 40 }, (_, index) => item(index)))
  for (let index = 0; index < 40; index += 2) {
    expect(bloomTest([item(index), item(index + 1)])(bloom)).toBe(true)
  }
  const foreign = Array.from({ length: 1_000 }, (_, index) => item(1_000 + index))
  expect(foreign.filter((one) => bloomTest([one])(bloom)).length).toBeLessThan(20)
  expect(bloomTest([item(0), item(41)])(bloomOf([item(0)]))).toBe(false)
  expect(bloomTest([item(0)])(`0x${'00'.repeat(256)}`)).toBe(false)
})
