import { DEPLOYED_CODE } from '@liquefy/abi'
import { type Hex, keccak256 } from 'viem'
import { LedgerProofError } from './ledger-proof-error.ts'
import type { ProvenState } from './state-proof.ts'

type ContractName = keyof typeof DEPLOYED_CODE

/** Immutable variables of a contract by name, as 32-byte words. */
export type Immutables = Readonly<Record<string, Hex>>

const WORD_CHARACTERS = 64

/**
 * Proves that an address has the code of one of our contracts, and reads the immutable variables in it, which no storage slot holds.
 *
 * @throws LedgerProofError `CONTRACT_UNKNOWN` if the code is another, however true it is
 */
export async function provenContract(
  state: ProvenState,
  address: Hex,
  name: ContractName,
): Promise<Immutables> {
  const { hash, immutables } = DEPLOYED_CODE[name]
  const code = await state.code(address)
  let bare = code.slice(2)
  const words: Record<string, Hex> = {}
  for (const [variable, places] of Object.entries(immutables)) {
    for (const start of places as readonly number[]) {
      const at = 2 * start
      const word: Hex = `0x${bare.slice(at, at + WORD_CHARACTERS)}`
      if (word !== (words[variable] ?? word)) throw unknown(address, name, hash, 'torn code')
      words[variable] = word
      bare = bare.slice(0, at) + '0'.repeat(WORD_CHARACTERS) + bare.slice(at + WORD_CHARACTERS)
    }
  }
  const found = keccak256(`0x${bare}`)
  if (found !== hash) throw unknown(address, name, hash, code === '0x' ? 'no code' : found)
  return words
}

function unknown(address: Hex, name: ContractName, expected: Hex, found: string) {
  return new LedgerProofError({
    code: 'CONTRACT_UNKNOWN',
    message: `what the ledger has at ${address} is not the ${String(name)} of this release: compare the address, or audit with the release that deployed it`,
    expected,
    found,
  })
}

export function addressIn(immutables: Immutables, name: string): Hex {
  return `0x${(immutables[name] ?? '0x').slice(-40)}`
}
