import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  encodeToken,
  type Hex,
  keyId,
  LiquefyError,
  registerDigest,
  registryAudience,
  type SigningKey,
  signTypedDigest,
  type TariffContracts,
} from '@liquefy/protocol'
import { writeDurably } from './durable-file.ts'

/** Which machine a folder is, known once it is registered. */
export interface Identity {
  machineId: bigint
  chainId: number
  registry: Hex
  /** Where its agreements live; without it the machine signs readings but no meter values. */
  clearingHouse?: Hex
  /** Tariff contracts of the trusted deployment; without them the machine prices no late evidence, and signs no adjustments. */
  tariffs?: TariffContracts
  /** Broker, `mqtt://` or `mqtts://`. */
  mqttUrl?: string
}

const TOKEN_SECONDS = 3_600
const file = (folder: string) => join(folder, 'machine.json')

/** Keeps the identity in `<folder>/machine.json`. */
export function saveIdentity(folder: string, identity: Identity): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const json = { ...identity, machineId: identity.machineId.toString() }
  writeDurably(file(folder), `${JSON.stringify(json, undefined, 2)}\n`)
}

/** Reads `<folder>/machine.json`; undefined if the machine is not registered yet. */
export function loadIdentity(folder: string): Identity | undefined {
  if (!existsSync(file(folder))) return undefined
  const json = JSON.parse(readFileSync(file(folder), 'utf8')) as Identity & { machineId: string }
  return { ...json, machineId: BigInt(json.machineId) }
}

/**
 * What the key signs so that anyone may register it for `owner`: docs/protocol/machine.md, `Register`.
 *
 * @param request.verifier of the registry: `P256Sha256Verifier` for P-256, the zero address for secp256k1.
 * @param request.deadline seconds since 1970.
 * @returns the arguments of `MachineRegistry.register`.
 */
export function proofOfPossession(
  key: SigningKey,
  request: { chainId: number; registry: Hex; owner: Hex; verifier: Hex; deadline: bigint },
) {
  const id = keyId(key.publicKey)
  const proof = signTypedDigest(key, registerDigest({ ...request, keyId: id }))
  return { ...key.publicKey, ...request, keyId: id, proof }
}

/** A fresh MQTT password, valid for an hour. */
export function passwordToken(
  key: SigningKey,
  identity: Pick<Identity, 'machineId' | 'chainId' | 'registry'>,
  nowMs: number,
): string {
  const issuedAt = Math.floor(nowMs / 1000)
  return encodeToken({
    key,
    machineId: identity.machineId,
    audience: registryAudience(identity.chainId, identity.registry),
    issuedAt,
    expiresAt: issuedAt + TOKEN_SECONDS,
  })
}

/** @throws LiquefyError `IDENTITY_MISSING` if neither the folder nor the caller says who the machine is. */
export function resolveIdentity(folder: string, given: Partial<Identity>): Identity {
  const { machineId, chainId, registry, ...rest } = { ...loadIdentity(folder), ...given }
  if (machineId === undefined || chainId === undefined || registry === undefined) {
    throw new LiquefyError(
      'IDENTITY_MISSING',
      `Register the key in ${folder} first, and keep the answer with saveIdentity, or pass machineId, chainId and registry.`,
    )
  }
  return { machineId, chainId, registry: registry.toLowerCase() as Hex, ...rest }
}
