import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import type { Hex } from 'viem'

/** `0x…`, lower case, two digits a byte. */
export function toHex(bytes: Uint8Array): Hex {
  return `0x${bytesToHex(bytes)}`
}

/** The bytes of a `0x…` string. Throws on an odd number of digits or a digit that is none. */
export function fromHex(hex: Hex): Uint8Array {
  return hexToBytes(hex.slice(2))
}

const DIGITS = new Int8Array(128).fill(-1)
for (let value = 0; value < 16; value += 1) {
  const digit = value.toString(16)
  DIGITS[digit.charCodeAt(0)] = value
  DIGITS[digit.toUpperCase().charCodeAt(0)] = value
}

/** Writes the 32 bytes of a `0x…` string into others from `at` on. Throws on another length or a digit that is none. */
export function writeHex(hex: Hex, into: Uint8Array, at: number): void {
  if (hex.length !== 66) throw new RangeError('A hash has 32 bytes.')
  for (let place = 0; place < 32; place += 1) {
    const high = DIGITS[hex.charCodeAt(2 + 2 * place)] ?? -1
    const low = DIGITS[hex.charCodeAt(3 + 2 * place)] ?? -1
    if (high < 0 || low < 0) throw new RangeError('A digit of a hash is none.')
    into[at + place] = (high << 4) | low
  }
}

/** One array of all parts, in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
