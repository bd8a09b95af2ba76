import { MACHINE_STATES, STORAGE_LAYOUT } from '@liquefy/abi'
import { concat, type Hex, keccak256, toHex } from 'viem'
import type { KeyEpoch, LedgerMachine } from '../ledger.ts'
import { notProven } from './ledger-proof-error.ts'
import { entrySlot, type ProvenState } from './state-proof.ts'
import { fieldOf, slotAfter } from './storage-word.ts'

const { slots, structs } = STORAGE_LAYOUT.machineRegistry
const { Machine: fields } = structs
const CURVE_NUMBERS = { 'P-256': 1n, secp256k1: 2n } as const

/**
 * Holds the events of a machine against what the registry keeps of it: its state, its controller, how many keys it has had, and the key that is
 * its own now, which stands as the code of a contract.
 *
 * @throws LedgerProofError
 */
export async function checkMachineState(
  state: ProvenState,
  registry: Hex,
  machineId: bigint,
  machine: LedgerMachine | undefined,
): Promise<void> {
  const hold = (what: string, expected: bigint | Hex, found: bigint | Hex) => {
    if (expected === found) return
    throw notProven(`events of machine ${machineId} are missing or too many: ${what}`, {
      expected: String(expected),
      found: String(found),
    })
  }
  const [word = 0n] = await state.storage(registry, [
    slotAfter(entrySlot(BigInt(slots._machines), machineId), fields.state.slot),
  ])
  const field = (name: keyof typeof fields) => fieldOf(word, fields[name])
  const key = currentKey(machine)
  hold('its state', field('state'), stateNumber(machine))
  hold('its controller', field('controller'), machine?.controller ?? 0n)
  hold('the number of its keys', field('keyEpoch'), BigInt(machine?.keys.length ?? 0))
  hold('the curve of its key', field('curve'), key ? CURVE_NUMBERS[key.key.curve] : 0n)
  hold('the verifier of its key', field('rawDigest'), key?.signsRawDigest ? 1n : 0n)
  if (!key) return
  const point = toHex(field('point'), { size: 20 })
  const { x, y } = key.key
  hold('its key', (await state.codeHash(point)) ?? '0x', keccak256(concat(['0x00', x, y])))
}

function currentKey(machine: LedgerMachine | undefined): KeyEpoch | undefined {
  const last = machine?.keys.at(-1)
  return last?.end === undefined ? last : undefined
}

function stateNumber(machine: LedgerMachine | undefined): bigint {
  const last = machine?.states.at(-1)?.state ?? 'none'
  return BigInt(MACHINE_STATES.findIndex((name) => name.toLowerCase() === last))
}
