import { createHash } from 'node:crypto'
import { clearingHouseAbi } from '@liquefy/abi'
import type { Hex } from '@liquefy/client'
import type { MeterValue } from '@liquefy/protocol'
import { encodeFunctionData } from 'viem'
import type { StoredAttestation } from '../store/attestations.ts'
import type { AcceptedValue, UnsettledValue } from '../store/meter-values.ts'

/** Values in one call: about 100,000 gas each. */
const BATCH = 50

/** Values that go to the ledger together, and the intent that names them. */
export interface SettleBatch {
  intentId: string
  values: UnsettledValue[]
}

/**
 * Parts values into calls. What failed before goes alone, so that it can hold up no other; an attestation goes whole, with all of its
 * values among `unsettled`.
 */
export function settleBatches(
  due: readonly UnsettledValue[],
  unsettled: readonly UnsettledValue[],
): SettleBatch[] {
  const own = due.filter(({ attestationId }) => attestationId === undefined)
  const fresh = own.filter(({ attempts }) => attempts === 0)
  const batches = own.filter(({ attempts }) => attempts > 0).map((value) => [value])
  for (let from = 0; from < fresh.length; from += BATCH) {
    batches.push(fresh.slice(from, from + BATCH).sort(inCallOrder))
  }
  return [
    ...batches.map((values) => ({ intentId: intentIdOf(values), values })),
    ...attestedBatches(due, unsettled),
  ]
}

function attestedBatches(
  due: readonly UnsettledValue[],
  unsettled: readonly UnsettledValue[],
): SettleBatch[] {
  const ids = new Set(due.flatMap(({ attestationId }) => attestationId ?? []))
  return [...ids].map((id) => {
    const values = unsettled.filter(({ attestationId }) => attestationId === id)
    const attempts = Math.max(...values.map((value) => value.attempts))
    return { intentId: `settle-attested:${id}:${attempts}`, values }
  })
}

/** The order in which `readAssigned` gives them back, so that an intent sent again has the same call. */
function inCallOrder(a: AcceptedValue, b: AcceptedValue): number {
  if (a.agreementId !== b.agreementId) return a.agreementId < b.agreementId ? -1 : 1
  return a.period - b.period
}

/** Names what it carries; a value tried again is another intent. */
function intentIdOf(values: readonly UnsettledValue[]): string {
  const names = values.map(
    ({ agreementId, period, asOf, evidenceHead, attempts }) =>
      `${agreementId}:${period}:${asOf}:${evidenceHead}${attempts > 0 ? `:${attempts}` : ''}`,
  )
  if (names.length === 1) return `settle:${names[0]}`
  return `settle:${values.length}:${createHash('sha256').update(names.join(' ')).digest('hex')}`
}

/** Values that have a signature each, or an empty one where time alone counts. */
export function settleCall(values: readonly AcceptedValue[]): Hex {
  return encodeFunctionData({
    abi: clearingHouseAbi,
    functionName: 'settle',
    args: [values.map(signedFields), values.map(({ signature }) => signature)],
  })
}

/** All values of an attestation, as its signature wants them. */
export function attestedCall({ values, signerKind, signer, signature }: StoredAttestation): Hex {
  return encodeFunctionData({
    abi: clearingHouseAbi,
    functionName: 'settleAttested',
    args: [values.map(signedFields), signerKind, signer, signature],
  })
}

function signedFields({ agreementId, period, asOf, registers, evidenceHead }: MeterValue) {
  return { agreementId, period, asOf, registers: [...registers], evidenceHead }
}
