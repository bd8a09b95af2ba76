import type { Hex } from '@liquefy/protocol'

/** What `loader.ts` is started with. */
export interface LatencyPlan {
  mqttUrl: string
  apiUrl: string
  chainId: number
  registry: Hex
  clearingHouse: Hex
  /** Not measured, then measured. */
  warmUpSeconds: number
  seconds: number
  /** Readings of an envelope: a counter that rises by one with each. */
  readings: number
  /** Each sends an envelope every so many milliseconds, the first of them spread evenly over that time. */
  owed: { everyMs: number; machines: PlannedMachine[] }
  /** The same, with a signed meter value right behind each envelope. */
  paid: { everyMs: number; machines: PlannedMachine[] }
}

/** A machine with one metered agreement, which owes one smallest unit for each count of its register. */
export interface PlannedMachine {
  machineId: string
  scalarHex: string
  agreementId: Hex
}

/** What the loader has seen. Latencies in ms, in any order. */
export interface LatencyReport {
  sent: number
  /** From writing an envelope to the event, over the API, whose amount owed includes it. */
  owedMs: number[]
  /** From writing an envelope to the event of the settlement that pays it. */
  paidMs: number[]
  /** Longest that an envelope was written behind its time. */
  latestSendMs: number
  /** Processor time of the loader while it sent, as a part of one core. */
  loaderCores: number
}
