import type { Deployment, Machine } from '@liquefy/client'
import type { ValueField } from './newest-value.ts'

/** What a machine is described from. */
export interface ThingInput {
  machine: Pick<
    Machine,
    | 'machineId'
    | 'name'
    | 'owner'
    | 'state'
    | 'controller'
    | 'key'
    | 'agreements'
    | 'did'
    | 'credential'
  >
  /** Those that have a reading, in order of name. */
  streams: readonly ThingStream[]
  deployment: Pick<Deployment, 'chainId' | 'registry' | 'mqttUrl'>
  /** Where whoever asks reaches the node, without a path. */
  origin: string
}

export interface ThingStream {
  stream: string
  /** Times of its first reading and its last. */
  firstMs: number
  lastMs: number
  /** Of its newest envelope; never empty. */
  fields: readonly ValueField[]
}
