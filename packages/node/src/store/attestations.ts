import type { Hex } from '@liquefy/client'
import { type MeterValue, type MeterValueJson, meterValueToJson } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** One signature over many meter values, as it came in. */
export interface StoredAttestation {
  /** The EIP-712 digest that was signed. */
  attestationId: Hex
  signerKind: number
  signer: Hex
  /** As the contract wants it. */
  signature: Hex
  values: readonly MeterValue[]
}

/** Stores an attestation; the same one again changes nothing. */
export async function saveAttestation(
  db: Queryable,
  attestation: StoredAttestation,
  receivedMs: number,
): Promise<void> {
  await db.query(
    'INSERT INTO attestations VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING',
    [
      bytesOf(attestation.attestationId),
      attestation.signerKind,
      bytesOf(attestation.signer),
      bytesOf(attestation.signature),
      JSON.stringify(attestation.values.map(meterValueToJson)),
      receivedMs,
    ],
  )
}

/** Attestations by their ids. */
export async function readAttestations(
  db: Queryable,
  attestationIds: readonly Hex[],
): Promise<Map<Hex, StoredAttestation>> {
  const { rows } = await db.query('SELECT * FROM attestations WHERE attestation_id = ANY ($1)', [
    attestationIds.map(bytesOf),
  ])
  return new Map(
    rows.map((row) => {
      const attestationId = hexOf(row.attestation_id)
      return [
        attestationId,
        {
          attestationId,
          signerKind: row.signer_kind,
          signer: hexOf(row.signer),
          signature: hexOf(row.signature),
          values: (row.items as MeterValueJson[]).map(valueFrom),
        },
      ]
    }),
  )
}

function valueFrom(json: MeterValueJson): MeterValue {
  return { ...json, asOf: BigInt(json.asOf), registers: json.registers.map(BigInt) }
}

/** Forgets the attestations of a signer of which no value is kept any more. */
export async function dropUnusedAttestations(db: Queryable, signer: Hex): Promise<void> {
  await db.query(
    `DELETE FROM attestations a WHERE signer = $1
     AND NOT EXISTS (SELECT FROM meter_values v WHERE v.attestation_id = a.attestation_id)`,
    [bytesOf(signer)],
  )
}
