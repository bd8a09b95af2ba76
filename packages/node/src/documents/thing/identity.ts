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

/** The only place that says which of a machine's names other systems know it by. */
export function identityOf(
  { machineId }: Pick<Machine, 'machineId'>,
  { chainId, registry }: Pick<Deployment, 'chainId' | 'registry'>,
): ThingIdentity {
  const caip19 = formatIss({ chainId, registry, machineId: BigInt(machineId) })
  return {
    id: `urn:caip-19:${caip19}`,
    caip19: caip19,
    did: undefined,
    serial: undefined,
    manufacturer: undefined,
    model: undefined,
  }
}
