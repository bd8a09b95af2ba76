import { canonicalize } from 'json-canonicalize'
import { type Hex, keccak256, stringToBytes } from 'viem'

/** RFC 8785 canonical JSON of a plain JSON value. */
export function canonicalJson(value: unknown): string {
  return canonicalize(value)
}

/** `keccak256(UTF-8 of the RFC 8785 canonical JSON)`: how terms commit to a description. */
export function canonicalHash(value: unknown): Hex {
  return keccak256(stringToBytes(canonicalJson(value)))
}
