import { machineRegistryAbi } from '@liquefy/abi'
import { proofOfPossession } from '@liquefy/machine'
import { CURVE_NUMBER, type Hex, type PrivateKey } from '@liquefy/protocol'
import { parseEventLogs, zeroAddress } from 'viem'
import { type Ledger, type Signer, sendAll } from './transactions.ts'

const VALID_SECONDS = 86_400n

/**
 * Registers machines for the account that sends, and makes them active. Each key proves by its signature that it is there.
 * Answers the machine ids in the order of the keys.
 */
export async function registerMachines(
  ledger: Ledger,
  registry: Hex,
  owner: Signer,
  keys: readonly PrivateKey[],
  onDone: (done: number) => void = () => {},
): Promise<bigint[]> {
  const { client, chainId } = ledger
  const p256Verifier = await client.readContract({
    address: registry,
    abi: machineRegistryAbi,
    functionName: 'p256Sha256Verifier',
  })
  const { timestamp } = await client.getBlock()
  const deadline = timestamp + VALID_SECONDS
  const contract = { address: registry, abi: machineRegistryAbi }
  const registered = await sendAll(
    ledger,
    owner,
    keys.map((key) => {
      const verifier = key.curve === 'P-256' ? p256Verifier : zeroAddress
      const request = { chainId, registry, owner: owner.address, verifier, deadline }
      const { x, y, proof } = proofOfPossession(key, request)
      const onLedger = { curve: CURVE_NUMBER[key.curve], verifier, x, y }
      return {
        ...contract,
        functionName: 'register',
        args: [owner.address, onLedger, deadline, proof],
      }
    }),
    onDone,
  )
  const ids = registered.map(({ logs }) => {
    const [event] = parseEventLogs({
      abi: machineRegistryAbi,
      logs,
      eventName: 'MachineRegistered',
    })
    if (!event) throw new TypeError('The ledger registered a machine without saying so.')
    return event.args.machineId
  })
  await sendAll(
    ledger,
    owner,
    ids.map((id) => ({ ...contract, functionName: 'activate', args: [id] })),
    (done) => onDone(keys.length + done),
  )
  return ids
}
