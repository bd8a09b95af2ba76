import type { Hex } from '@liquefy/client'
import {
  type Attestation,
  type CoveringValue,
  elapsedSeconds,
  meterValuesDigest,
  owedCapped,
  parseAttestation,
} from '@liquefy/protocol'
import { dropUnusedAttestations, saveAttestation } from '../store/attestations.ts'
import type { Queryable } from '../store/database.ts'
import { forgetLowerValues, saveMeterValue } from '../store/meter-values.ts'
import { saveOwed } from '../store/metering.ts'
import {
  findAgreement,
  type JudgedAgreement,
  judgeContent,
  type ValueContext,
  type ValueRefusal,
} from './meter-value.ts'
import { checkSignature } from './signature-check.ts'

/** What became of one value of an attestation. The ledger skips what is not accepted, and pays the rest. */
interface AttestedItem {
  agreementId: Hex
  period: number
  code: 'ACCEPTED' | 'SIGNER_DIFFERS' | ValueRefusal['code']
  message?: string
}

/** What the node says of an attestation. */
export type AttestationAnswer =
  | { code: 'ACCEPTED'; attestationId: Hex; items: AttestedItem[] }
  | {
      code: 'FIELD_FORBIDDEN' | 'ATTESTATION_INVALID' | 'METER_MISMATCH' | 'NOTHING_ACCEPTED'
      message: string
    }

interface JudgedItem {
  value: CoveringValue
  known: JudgedAgreement | undefined
  item: AttestedItem | { code: 'METER_MISMATCH'; message: string }
}

/**
 * Judges an attestation: one signature over many values of agreements that name its signer. It is relayed whole or not at all, since the
 * signature is of all values together: not at all if one of them says otherwise than the node's own fold, for the ledger would pay that.
 */
export async function judgeAttestation(
  context: ValueContext,
  json: unknown,
): Promise<AttestationAnswer> {
  const parsed = parseAttestation(json)
  if (!parsed.ok) return { code: parsed.code, message: parsed.message }
  const { attestation } = parsed
  const attestationId = meterValuesDigest({ ...context.ledger, values: attestation.values })
  const signed = await checkSignature(context, attestation, attestationId, attestation.signature)
  if (!signed.ok) return { code: 'ATTESTATION_INVALID', message: signed.message }
  const judged = await Promise.all(
    attestation.values.map((value) => judgeItem(context, attestation, value)),
  )
  const items: AttestedItem[] = []
  for (const { item, value } of judged) {
    if (item.code === 'METER_MISMATCH') {
      const message = `Period ${value.period} of agreement ${value.agreementId}: ${item.message}`
      return { code: 'METER_MISMATCH', message }
    }
    items.push(item)
  }
  const accepted = judged.filter(({ item }) => item.code === 'ACCEPTED')
  if (accepted.length === 0) {
    const codes = [...new Set(items.map(({ code }) => code))].join(', ')
    return {
      code: 'NOTHING_ACCEPTED',
      message: `The ledger would pay none of its values: ${codes}.`,
    }
  }
  await context.database.transaction(async (client) => {
    const { signerKind, signer, values } = attestation
    const kept = { attestationId, signerKind, signer, values, signature: signed.signature }
    await saveAttestation(client, kept, context.clock.nowMs())
    for (const { value, known } of accepted) {
      if (known) await saveAttested(context, client, known, value, attestationId)
    }
    await dropUnusedAttestations(client, signer)
  })
  return { code: 'ACCEPTED', attestationId, items }
}

async function judgeItem(
  context: ValueContext,
  attestor: Attestation,
  value: CoveringValue,
): Promise<JudgedItem> {
  const { agreementId, period } = value
  const found = findAgreement(context, value)
  const refuse = ({ code, message }: { code: AttestedItem['code']; message: string }) => ({
    value,
    known: undefined,
    item: { agreementId, period, code, message },
  })
  if (!('terms' in found)) return refuse(found)
  const { signerKind, signer } = found.terms
  if (signerKind !== attestor.signerKind || signer !== attestor.signer) {
    const message = 'The terms name another signer.'
    return refuse({ code: 'SIGNER_DIFFERS', message })
  }
  const refusal = await judgeContent(context, found, value)
  if (!refusal) return { value, known: found, item: { agreementId, period, code: 'ACCEPTED' } }
  if (refusal.code === 'METER_MISMATCH') return { value, known: undefined, item: refusal }
  return refuse(refusal)
}

async function saveAttested(
  { clock }: ValueContext,
  client: Queryable,
  { agreement, terms }: JudgedAgreement,
  value: CoveringValue,
  attestationId: Hex,
): Promise<void> {
  const { tariff } = agreement
  if (!tariff) return
  const accepted = {
    ...value,
    registers: [...value.registers],
    heads: value.heads.map(({ stream, seq }) => ({ stream, seq: seq.toString() })),
    owedMinor: owedCapped(tariff, value.registers, elapsedSeconds(terms, value), terms.capMinor),
    receivedMs: clock.nowMs(),
    signature: '0x' as const,
    attestationId,
  }
  if (terms.meters.length === 0) {
    await forgetLowerValues(client, accepted)
    await saveOwed(client, [accepted], accepted.receivedMs)
  }
  await saveMeterValue(client, accepted)
}
