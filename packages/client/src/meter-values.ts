import {
  type AttestationJson,
  accountSigner,
  attestationToJson,
  type CoveringValue,
  clearingHouseDomain,
  encodeQuorumSignature,
  LiquefyError,
  METER_VALUE_TYPES,
  METER_VALUES_TYPES,
  type MeterValue,
  machineSigner,
  meterValueDigest,
  meterValuesDigest,
  type Quorum,
  SIGNER_KIND,
  type SignedMeterValueJson,
  type SigningKey,
  signedMeterValueToJson,
  signTypedDigest,
} from '@liquefy/protocol'
import type { Wallet } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'

/** Who signs: an account, which sees what it signs (EIP-712), or a machine by its key. */
export type ValueSigner = { wallet: Wallet } | { machineId: bigint; key: SigningKey }

type House = { deployment: Pick<Deployment, 'chainId' | 'clearingHouse'> }

/**
 * Signs a meter value of an agreement: the buyer's voucher, or one of k signatures. Send it with `submitMeterValue`, or collect it with others
 * in `combineSignatures`. Without meters `evidenceHead` may be anything, such as zero or the hash of a document, and `heads` is empty.
 */
export async function signMeterValue(
  input: House & { by: ValueSigner; value: CoveringValue },
): Promise<SignedMeterValueJson> {
  const { deployment, by, value } = input
  const signature =
    'key' in by
      ? signTypedDigest(by.key, meterValueDigest({ ...deployment, value }))
      : await by.wallet.signTypedData({
          account: by.wallet.account,
          domain: clearingHouseDomain(deployment.chainId, deployment.clearingHouse),
          types: METER_VALUE_TYPES,
          primaryType: 'MeterValue',
          message: signedFields(value),
        })
  return signedMeterValueToJson({ ...value, signature })
}

/**
 * Signs many meter values at once, of agreements whose terms name this signer. Send it with `submitAttestation`: the ledger pays the good
 * ones and skips the others.
 */
export async function attestMeterValues(
  input: House & { by: ValueSigner; values: readonly CoveringValue[] },
): Promise<AttestationJson> {
  const { deployment, by, values } = input
  if ('key' in by) {
    const signature = signTypedDigest(by.key, meterValuesDigest({ ...deployment, values }))
    const signer = machineSigner(by.machineId)
    return attestationToJson({ signerKind: SIGNER_KIND.machine, signer, values, signature })
  }
  const signature = await by.wallet.signTypedData({
    account: by.wallet.account,
    domain: clearingHouseDomain(deployment.chainId, deployment.clearingHouse),
    types: METER_VALUES_TYPES,
    primaryType: 'MeterValues',
    message: { values: values.map(signedFields) },
  })
  const signer = accountSigner(by.wallet.account.address)
  return attestationToJson({ signerKind: SIGNER_KIND.account, signer, values, signature })
}

/**
 * Puts the signatures of a quorum's members together. `signed` are `[signer, what it signed]`; whoever has not signed is left out.
 *
 * @throws LiquefyError `QUORUM_INVALID` if they are too few, by somebody else, or over different values.
 */
export function combineSignatures(
  quorum: Quorum,
  signed: readonly (readonly [signer: Hex, value: SignedMeterValueJson])[],
): SignedMeterValueJson {
  const [first] = signed
  if (!first || signed.length < quorum.threshold) {
    throw new LiquefyError(
      'QUORUM_INVALID',
      `${signed.length} have signed, ${quorum.threshold} must.`,
    )
  }
  const [, value] = first
  if (signed.some(([, other]) => contentOf(other) !== contentOf(value))) {
    throw new LiquefyError('QUORUM_INVALID', 'They signed different values; let all sign the same.')
  }
  const pairs = signed.map(([signer, { signature }]) => [signer, signature] as const)
  return { ...value, signature: encodeQuorumSignature(quorum, pairs) }
}

function contentOf({ signature: _, ...value }: SignedMeterValueJson): string {
  return JSON.stringify(value)
}

function signedFields({ agreementId, period, asOf, registers, evidenceHead }: MeterValue) {
  return { agreementId, period, asOf, registers, evidenceHead }
}
