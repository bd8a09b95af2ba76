import type { Hex } from 'viem'
import type { Envelope } from '../trust/envelope.ts'
import type { AdmissionCode } from '../trust/verdicts.ts'

/** What stands in the leaf, or that a revocation has cut the envelope off. */
export type LoggedCode = AdmissionCode | 'BEYOND_CUT'

/**
 * The code that a fold sees. An admitted envelope whose key was revoked counts only if an anchor of an earlier block than the revocation covers
 * it: what nobody could see on the ledger by then may have been made by whoever had the key.
 *
 * @param cutSize of a revoked key: how many leaves of the log such an anchor covers, 0 if there is none; undefined of any other key.
 */
export function codeBehindCut(
  code: AdmissionCode,
  logIndex: bigint,
  cutSize: bigint | undefined,
): LoggedCode {
  return code === 'OK' && cutSize !== undefined && logIndex >= cutSize ? 'BEYOND_CUT' : code
}

/** An envelope as the evidence log has it: what the fold may see of it. `loggedAt` in ms since 1970. */
export type LoggedEnvelope = {
  seq: bigint
  digest: Hex
  loggedAt: number
  code: LoggedCode
  content: Envelope['content']
  iat: number
}
