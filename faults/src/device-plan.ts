import type { Hex } from '@liquefy/client'

/** What a device is started with; whole numbers as decimal text. */
export interface DevicePlan {
  folder: string
  machineId: string
  chainId: number
  registry: Hex
  clearingHouse: Hex
  mqttUrl: string
  /** Time between readings, ms. */
  everyMs: number
  /** What its counter showed when it was last told of; undefined at its first start. */
  shown: string | undefined
}

/** What devices are told. */
export type DeviceOrder = { devices: DevicePlan[] } | { clockMs: number } | { finish: true }

/** What devices tell. */
export type DeviceNews =
  | { kind: 'started' }
  | {
      kind: 'published'
      machineId: string
      seq: string
      digest: Hex
      value: string
      isLast: boolean
    }
  | {
      kind: 'receipt'
      machineId: string
      seq: string
      digest: Hex
      loggedAt: number
      code: string
    }
  | { kind: 'meter'; machineId: string; said: string }

/** Anything as JSON, with whole numbers as decimal text. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part))
}
