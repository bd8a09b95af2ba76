import {
  type Hex,
  keyId,
  LiquefyError,
  type PublicKey,
  parsePublicKey,
  registerDigest,
  verifyTypedDigest,
} from '@liquefy/protocol'
import { isAddress } from 'viem'
import { type MachineAction, registerCall, registeredId } from './ledger.ts'
import { send } from './transaction.ts'

/**
 * What a device hands to its owner, who registers it: its public key with its proof of possession (docs/protocol/machine.md, `Register`), for one
 * owner, on one registry, until `deadline` (s since 1970).
 */
export interface RegistrationRequest {
  chainId: number
  registry: Hex
  owner: Hex
  verifier: Hex
  deadline: bigint
  key: PublicKey
  proof: Hex
}

const PROOF = /^0x([0-9a-fA-F]{2}){64,65}$/

/** A request as one line of JSON, to be copied. */
export function writeRegistration({ key, deadline, ...rest }: RegistrationRequest): string {
  const { curve, x, y } = key
  return JSON.stringify({ ...rest, deadline: Number(deadline), curve, x, y })
}

/**
 * Reads what `writeRegistration` wrote, and checks that the key signed it.
 *
 * @throws LiquefyError `REGISTRATION_INVALID`
 */
export function readRegistration(text: string): RegistrationRequest {
  const json = objectIn(text)
  const { chainId, registry, owner, verifier, deadline, proof } = json
  const parsed = parsePublicKey({ curve: json.curve, x: json.x, y: json.y })
  if (!parsed.ok) throw invalid(parsed.message)
  const fits =
    isCount(chainId) &&
    isCount(deadline) &&
    isAccount(registry) &&
    isAccount(owner) &&
    isAccount(verifier) &&
    isProof(proof)
  if (!fits) throw invalid('A field is missing, or is not what it should be.')
  const request: RegistrationRequest = {
    chainId,
    registry,
    owner,
    verifier,
    deadline: BigInt(deadline),
    key: parsed.key,
    proof,
  }
  const digest = registerDigest({ ...request, keyId: keyId(request.key) })
  if (!verifyTypedDigest(request.key, digest, proof)) {
    throw invalid('The proof was not signed by this key for this owner; was a part left out?')
  }
  return request
}

/**
 * Registers the machine of a request for the wallet's account; answers its id. It is `registered`: call `activateMachine` next.
 *
 * @throws LiquefyError `REGISTRATION_ELSEWHERE` if it is for another owner or another ledger, `REGISTRATION_EXPIRED`.
 */
export async function registerRequested(
  action: MachineAction & { request: RegistrationRequest },
): Promise<bigint> {
  const { deployment, publicClient, wallet, request } = action
  const { chainId, registry, owner, deadline } = request
  const same = (one: Hex, other: Hex) => one.toLowerCase() === other.toLowerCase()
  if (!same(owner, wallet.account.address)) {
    throw new LiquefyError(
      'REGISTRATION_ELSEWHERE',
      `The device has signed for the owner ${owner}, and you are ${wallet.account.address}: let it sign for you.`,
    )
  }
  if (chainId !== deployment.chainId || !same(registry, deployment.registry)) {
    throw new LiquefyError(
      'REGISTRATION_ELSEWHERE',
      `The device has signed for chain ${chainId}, registry ${registry}; this is chain ${deployment.chainId}, registry ${deployment.registry}. Let it ask this node.`,
    )
  }
  const { timestamp } = await publicClient.getBlock()
  if (timestamp > deadline) {
    throw new LiquefyError(
      'REGISTRATION_EXPIRED',
      'What the device has signed is too old: let it sign once more.',
    )
  }
  return registeredId(await send(action, registerCall(request)))
}

function objectIn(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw invalid('It is no JSON: copy the whole line, from { to }.')
}

function invalid(why: string): LiquefyError {
  return new LiquefyError(
    'REGISTRATION_INVALID',
    `This is not what \`liquefy machine prove\` printed. ${why}`,
  )
}

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) > 0
const isAccount = (value: unknown): value is Hex =>
  typeof value === 'string' && isAddress(value, { strict: false })
const isProof = (value: unknown): value is Hex => typeof value === 'string' && PROOF.test(value)
