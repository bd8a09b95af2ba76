import type { Deployment, Machine } from '@liquefy/client'
import { formatIss } from '@liquefy/protocol'

/** Who a machine is to other systems. */
export interface ThingIdentity {
  /** A URI, the same wherever the machine is described. */
  id: string
  /** CAIP-19 id of its token: chain, registry, machine. */
  caip19: string
  did: string | undefined
  serial: string | undefined
  manufacturer: string | undefined
  model: string | undefined
}

/** The only place that says which of a machine's names other systems know it by. What its maker says counts while it is good. */
export function identityOf(
  { machineId, did, credential }: Pick<Machine, 'machineId' | 'did' | 'credential'>,
  { chainId, registry }: Pick<Deployment, 'chainId' | 'registry'>,
): ThingIdentity {
  const caip19 = formatIss({ chainId, registry, machineId: BigInt(machineId) })
  const maker = credential?.state === 'valid' ? credential : undefined
  return {
    id: did ?? `urn:caip-19:${caip19}`,
    caip19,
    did: did ?? undefined,
    serial: maker?.serial,
    manufacturer: maker?.manufacturer,
    model: maker?.model,
  }
}
