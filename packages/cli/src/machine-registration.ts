import { activateMachines, registerMachines as register } from '@liquefy/client'
import type { Hex, SigningKey } from '@liquefy/protocol'
import { type Ledger, type Signer, senderOf } from './transactions.ts'

/**
 * Registers machines for the account that sends, and makes them active. Answers the machine ids in the order of the keys.
 */
export async function registerMachines(
  ledger: Ledger,
  registry: Hex,
  owner: Signer,
  keys: readonly SigningKey[],
  onDone: (done: number) => void = () => {},
): Promise<bigint[]> {
  const action = { ...senderOf(ledger, owner), deployment: { chainId: ledger.chainId, registry } }
  const ids = await register(action, keys, onDone)
  await activateMachines(action, ids, (done) => onDone(keys.length + done))
  return ids
}
