import type { Hex } from 'viem'

/** A machine on a ledger: the CAIP-19 id of its token, in parts. `registry` is in lower case. */
export type Issuer = { chainId: number; registry: Hex; machineId: bigint }

/** A stream of a machine: the `sub` of an envelope, in parts. */
export type Subject = { machineId: bigint; stream: string }

const ISS = /^eip155:([1-9][0-9]{0,15})\/erc721:(0x[0-9a-f]{40})\/([1-9][0-9]{0,77})$/
const SUB = /^([1-9][0-9]{0,77})\/([a-z][a-z0-9-]{0,31})$/
const MAX_TOKEN_ID = 2n ** 256n - 1n

/** `eip155:<chainId>/erc721:<registry, lower case>`: the audience of password tokens. */
export function registryAudience(chainId: number, registry: string): string {
  return `eip155:${chainId}/erc721:${registry.toLowerCase()}`
}

/** `eip155:<chainId>/erc721:<registry, lower case>/<machineId>` (CAIP-19). */
export function formatIss(issuer: Issuer): string {
  return `${registryAudience(issuer.chainId, issuer.registry)}/${issuer.machineId}`
}

/** Reads what `formatIss` writes; undefined for any other text. */
export function parseIss(text: string): Issuer | undefined {
  const match = ISS.exec(text)
  if (!match) return undefined
  const chainId = Number(match[1])
  const machineId = BigInt(match[3] ?? 0)
  if (!Number.isSafeInteger(chainId) || machineId > MAX_TOKEN_ID) return undefined
  return { chainId, registry: match[2] as Hex, machineId }
}

/** `<machineId>/<stream>`. */
export function formatSub(subject: Subject): string {
  return `${subject.machineId}/${subject.stream}`
}

/** Reads what `formatSub` writes; undefined for any other text. */
export function parseSub(text: string): Subject | undefined {
  const match = SUB.exec(text)
  if (!match) return undefined
  const machineId = BigInt(match[1] ?? 0)
  return machineId > MAX_TOKEN_ID ? undefined : { machineId, stream: match[2] ?? '' }
}
