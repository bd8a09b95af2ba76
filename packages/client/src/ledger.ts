import { machineRegistryAbi } from '@liquefy/abi'
import {
  CURVE_NUMBER,
  keyId,
  type PublicKey,
  registerControlledDigest,
  registerDigest,
  type SigningKey,
  signTypedDigest,
} from '@liquefy/protocol'
import { parseEventLogs, type TransactionReceipt, zeroAddress } from 'viem'
import { type Call, type Sender, send, sendAll } from './transaction.ts'
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
  action: MachineAction & { key: SigningKey },
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
  keys: readonly SigningKey[],
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
    const verifier = key.publicKey.curve === 'P-256' ? p256Verifier : zeroAddress
    const id = keyId(key.publicKey)
    const digest = registerDigest({ chainId, registry, owner, verifier, deadline, keyId: id })
    const proof = signTypedDigest(key, digest)
    return registerCall({ registry, owner, key: key.publicKey, verifier, deadline, proof })
  })
  return (await sendAll(action, calls, onDone)).map(registeredId)
}

/**
 * Registers a machine that cannot sign, for the wallet's account; answers its id. `key` is that of the active machine `controller`, an edge,
 * which signs for it from then on.
 */
export async function registerControlledMachine(
  action: MachineAction & { controller: bigint; key: SigningKey; salt: Hex },
): Promise<bigint> {
  const { deployment, publicClient, wallet, controller, key, salt } = action
  const { chainId, registry } = deployment
  const owner = wallet.account.address
  const { timestamp } = await publicClient.getBlock()
  const deadline = timestamp + PROOF_SECONDS
  const digest = registerControlledDigest({ chainId, registry, owner, controller, salt, deadline })
  const proof = signTypedDigest(key, digest)
  const call = callOf(registry, 'registerControlled', [owner, controller, salt, deadline, proof])
  return registeredId(await send(action, call))
}

/** A registration for `owner` of the key that signed `proof`. */
export function registerCall(registration: {
  registry: Hex
  owner: Hex
  key: PublicKey
  verifier: Hex
  deadline: bigint
  proof: Hex
}): Call {
  const { registry, owner, key, verifier, deadline, proof } = registration
  const { curve, x, y } = key
  const onLedger = { curve: CURVE_NUMBER[curve], verifier, x, y }
  return callOf(registry, 'register', [owner, onLedger, deadline, proof])
}

/** The id that a receipt of `register` tells. */
export function registeredId({ logs }: TransactionReceipt): bigint {
  const [event] = parseEventLogs({ abi: machineRegistryAbi, eventName: 'MachineRegistered', logs })
  if (!event) throw new TypeError('The ledger registered a machine without saying so.')
  return event.args.machineId
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
