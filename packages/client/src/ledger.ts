import { machineRegistryAbi } from '@liquefy/abi'
import {
  CURVE_NUMBER,
  keyId,
  type PrivateKey,
  registerDigest,
  signTypedDigest,
} from '@liquefy/protocol'
import { parseEventLogs, zeroAddress } from 'viem'
import { type Sender, sendAll } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'

/** An action on the machine registry. */
export interface MachineAction extends Sender {
  /** Where it is: `createClient({ url }).deployment()`. */
  deployment: Pick<Deployment, 'chainId' | 'registry'>
}

const PROOF_SECONDS = 86_400n

/**
 * Registers a machine for the wallet's account, with its key's proof of possession; answers its id. It is `registered`:
 * call `activateMachine` next.
 */
export async function registerMachine(
  action: MachineAction & { key: PrivateKey },
): Promise<bigint> {
  const [machineId] = await registerMachines(action, [action.key])
  if (machineId === undefined) throw new RangeError('One key gives one machine.')
  return machineId
}

/** Moves a registered machine to `active`. For its owner. */
export async function activateMachine(action: MachineAction & { machineId: bigint }) {
  await activateMachines(action, [action.machineId])
}

/** Registers many machines, as `registerMachine` does one; answers their ids in the order of the keys. */
export async function registerMachines(
  action: MachineAction,
  keys: readonly PrivateKey[],
  onDone?: (done: number) => void,
): Promise<bigint[]> {
  const { deployment, publicClient, wallet } = action
  const { chainId, registry } = deployment
  const owner = wallet.account.address
  const [p256Verifier, { timestamp }] = await Promise.all([
    publicClient.readContract({
      address: registry,
      abi: machineRegistryAbi,
      functionName: 'p256Sha256Verifier',
    }),
    publicClient.getBlock(),
  ])
  const deadline = timestamp + PROOF_SECONDS
  const calls = keys.map((key) => {
    const { curve, x, y } = key.publicKey
    const verifier = curve === 'P-256' ? p256Verifier : zeroAddress
    const id = keyId(key.publicKey)
    const digest = registerDigest({ chainId, registry, owner, verifier, deadline, keyId: id })
    const onLedger = { curve: CURVE_NUMBER[curve], verifier, x, y }
    return callOf(registry, 'register', [owner, onLedger, deadline, signTypedDigest(key, digest)])
  })
  const receipts = await sendAll(action, calls, onDone)
  return receipts.map(({ logs }) => {
    const [event] = parseEventLogs({
      abi: machineRegistryAbi,
      eventName: 'MachineRegistered',
      logs,
    })
    if (!event) throw new TypeError('The ledger registered a machine without saying so.')
    return event.args.machineId
  })
}

/** Moves registered machines to `active`. For their owner. */
export function activateMachines(
  action: MachineAction,
  machineIds: readonly bigint[],
  onDone?: (done: number) => void,
) {
  const { registry } = action.deployment
  const calls = machineIds.map((machineId) => callOf(registry, 'activate', [machineId]))
  return sendAll(action, calls, onDone)
}

function callOf(address: Hex, functionName: string, args: readonly unknown[]) {
  return { address, abi: machineRegistryAbi, functionName, args }
}
