import type { Hex } from 'viem'
import type { Envelope } from '../trust/envelope.ts'
import type { AdmissionCode } from '../trust/verdicts.ts'

/** An envelope as the evidence log has it: what the fold may see of it. `loggedAt` in ms since 1970. */
export type LoggedEnvelope = {
  seq: bigint
  digest: Hex
  loggedAt: number
  code: AdmissionCode
  content: Envelope['content']
  iat: number
}
