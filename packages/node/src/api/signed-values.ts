import type { AcceptedAttestation, AcceptedMeterValue, Hex } from '@liquefy/client'
import type { MeterAnswer } from '../transact/meter-value.ts'
import type { ApiContext } from './context.ts'
import { ProblemError } from './problem.ts'

/** A code's HTTP status: what cannot be read or is not signed is 422, what is right but does not fit now is 409. */
const STATUS: Readonly<Record<Exclude<MeterAnswer['code'], 'ACCEPTED'>, number>> = {
  AGREEMENT_UNKNOWN: 404,
  FIELD_FORBIDDEN: 422,
  METER_VALUE_INVALID: 422,
  METER_SIGNATURE_INVALID: 422,
  METER_MISMATCH: 409,
  RATE_BOUND: 409,
  SUPERSEDED: 409,
  VALUES_TOO_MANY: 409,
}

/** Takes a signed meter value of an agreement. @throws ProblemError with the code of docs/protocol/transport.md. */
export async function takeMeterValue(
  context: ApiContext,
  agreementId: Hex,
  json: unknown,
): Promise<AcceptedMeterValue> {
  const named = (json as { agreementId?: unknown }).agreementId
  if (typeof named !== 'string' || named.toLowerCase() !== agreementId) {
    throw new ProblemError(422, 'METER_VALUE_INVALID', 'It must name the agreement of the path.')
  }
  const answer = await context.submitMeterValue(json)
  if (answer.code === 'ACCEPTED') return answer
  throw new ProblemError(STATUS[answer.code], answer.code, answer.message)
}

/** Takes an attestation. @throws ProblemError with the code of docs/protocol/transport.md. */
export async function takeAttestation(
  context: ApiContext,
  json: unknown,
): Promise<AcceptedAttestation> {
  const answer = await context.submitAttestation(json)
  if (answer.code === 'ACCEPTED') {
    return { attestationId: answer.attestationId, items: answer.items }
  }
  const unreadable = answer.code === 'FIELD_FORBIDDEN' || answer.code === 'ATTESTATION_INVALID'
  throw new ProblemError(unreadable ? 422 : 409, answer.code, answer.message)
}
