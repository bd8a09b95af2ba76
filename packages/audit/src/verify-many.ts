import { type PublicKey, verify } from '@liquefy/protocol'

/** A signature over bytes, and the key that it should be of. */
export interface Signed {
  key: PublicKey
  bytes: Uint8Array
  /** 64 bytes `r || s`. */
  signature: Uint8Array
}

/**
 * Verifies signatures as `verify` of the protocol does, wherever it likes: on other threads, on other cores. Answers one verdict each, in
 * the order given; rejects if it cannot say.
 */
export type VerifyMany = (signed: readonly Signed[]) => Promise<readonly boolean[]>

/** Longest that this thread is kept busy. */
const BUSY_MS = 40

/** Verifies on this thread, which has time for other things now and then: without native cryptography a signature takes milliseconds. */
export const verifyHere: VerifyMany = async (signed) => {
  const verdicts: boolean[] = []
  let busySince = performance.now()
  for (const { key, bytes, signature } of signed) {
    verdicts.push(verify(key, bytes, signature))
    if (performance.now() - busySince <= BUSY_MS) continue
    await new Promise<void>((resolve) => setTimeout(resolve, 0))
    busySince = performance.now()
  }
  return verdicts
}
