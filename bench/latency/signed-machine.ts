import {
  encodeEnvelope,
  evidenceHead,
  type Hex,
  meterValueDigest,
  privateKeyFromBytes,
  signTypedDigest,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { LatencyPlan, PlannedMachine } from './plan.ts'

/** What a machine is going to send, in its order. */
export interface SignedTurn {
  /** When it is due, ms since 1970: its last reading is of then. */
  atMs: number
  envelope: Uint8Array
  /** JSON of the signed meter value that covers it. */
  meterValue: string | undefined
}

export const STREAM = 'energy'
/** The counter's first reading is its baseline: the register lies one behind. */
const registerAfter = (seq: number, readings: number) => seq * readings - 1
/** How many envelopes a register includes. */
export const seqsIn = (register: number, readings: number) => Math.floor((register + 1) / readings)

/** Signs all that a machine sends from `fromMs` on. */
export function signTurns(
  plan: LatencyPlan,
  machine: PlannedMachine,
  { fromMs, everyMs, withValue }: { fromMs: number; everyMs: number; withValue: boolean },
): SignedTurn[] {
  const { chainId, registry, readings } = plan
  const signer = privateKeyFromBytes('P-256', Buffer.from(machine.scalarHex, 'hex'))
  const machineId = BigInt(machine.machineId)
  let prev: Hex = ZERO_DIGEST
  const count = Math.floor(((plan.warmUpSeconds + plan.seconds) * 1_000) / everyMs)
  return Array.from({ length: count }, (_, index): SignedTurn => {
    const atMs = Math.round(fromMs + index * everyMs)
    const { bytes, digest } = encodeEnvelope({
      signer,
      iss: { chainId, registry, machineId },
      machineId,
      stream: STREAM,
      iat: Math.floor(atMs / 1_000),
      seq: BigInt(index + 1),
      prev,
      content: {
        kind: 'readings',
        readings: Array.from({ length: readings }, (__, place) => ({
          timeMs: atMs - readings + 1 + place,
          unit: 'Wh',
          value: BigInt(index * readings + place),
        })),
      },
    })
    prev = digest
    return { atMs, envelope: bytes, meterValue: withValue ? valueJson(index + 1) : undefined }
  })

  function valueJson(seq: number): string {
    const { agreementId } = machine
    const asOf = Math.floor((fromMs + (seq - 1) * everyMs) / 1_000)
    const registers = [BigInt(registerAfter(seq, readings))]
    const value = {
      agreementId,
      period: 0,
      asOf: BigInt(asOf),
      registers,
      evidenceHead: evidenceHead([prev]),
    }
    const digest = meterValueDigest({ chainId, clearingHouse: plan.clearingHouse, value })
    return JSON.stringify({
      ...value,
      asOf,
      registers: registers.map(String),
      heads: [{ stream: STREAM, seq: String(seq) }],
      signature: signTypedDigest(signer, digest),
    })
  }
}
