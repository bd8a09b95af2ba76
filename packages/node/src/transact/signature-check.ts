import type { Hex } from '@liquefy/client'
import { SIGNER_KIND, signedBy, type Terms } from '@liquefy/protocol'
import { currentKey } from '../store/agreements.ts'
import type { Database } from '../store/database.ts'
import type { Agreements } from './agreements.ts'

/** The ledger that signatures are for, and the verifiers that it allows. */
export interface SigningLedger {
  chainId: number
  clearingHouse: Hex
  p256Sha256Verifier: Hex
  p256RawVerifier: Hex
}

/** The good signature as the contract wants it, or why it is none. */
export type CheckedSignature = { ok: true; signature: Hex } | { ok: false; message: string }

/** Checks that an EIP-712 digest is signed by whom the terms name: a machine by its current key, as the ledger would. */
export async function checkSignature(
  context: { agreements: Agreements; database: Database; ledger: SigningLedger },
  signer: Pick<Terms, 'signerKind' | 'signer'>,
  digest: Hex,
  signature: Hex,
): Promise<CheckedSignature> {
  const { agreements, database, ledger } = context
  if (signer.signerKind === SIGNER_KIND.nobody) {
    return {
      ok: false,
      message: 'Nobody signs for this agreement: what is owed follows from time.',
    }
  }
  const keys = []
  if (signer.signerKind === SIGNER_KIND.machine) {
    const machineId = BigInt(signer.signer)
    const key = await currentKey(
      database.pool,
      agreements.controllerOf(machineId) ?? machineId,
      ledger.p256RawVerifier,
    )
    if (!key) return { ok: false, message: `Machine ${machineId} has no key at present.` }
    keys.push(key)
  }
  const good = signedBy(signer, digest, signature, { keys, verifiers: ledger })
  return good === undefined
    ? { ok: false, message: `It is not signed by ${signerName(signer)}.` }
    : { ok: true, signature: good }
}

function signerName({ signerKind, signer }: Pick<Terms, 'signerKind' | 'signer'>): string {
  if (signerKind === SIGNER_KIND.machine) return `the current key of machine ${BigInt(signer)}`
  if (signerKind === SIGNER_KIND.account) return `the account 0x${signer.slice(-40)}`
  return 'enough of the signers that the terms name, or one of the signatures given is bad'
}
