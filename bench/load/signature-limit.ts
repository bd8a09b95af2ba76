import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { decodeEnvelope, type PublicKey } from '@liquefy/protocol'

/** How a signature is verified: by `crypto.verify` of its 64 bytes, as COSE has them, or by `verify` of `@liquefy/protocol`. */
export type Verifier = 'crypto' | 'protocol'

/** What a worker of `verifying-worker.ts` verifies, over and over. */
export interface VerifyingOrder {
  seconds: number
  verifier: Verifier
  signed: { bytes: Uint8Array; signature: Uint8Array; key: PublicKey }[]
}

/**
 * How many P-256 signatures over these envelopes are verified in a second, in as many workers as there are cores, by a program that does nothing
 * else.
 */
export async function signatureLimit(
  envelopes: readonly { bytes: Uint8Array; key: PublicKey }[],
  seconds: number,
  verifier: Verifier = 'crypto',
): Promise<number> {
  const signed = envelopes.map(({ bytes, key }) => {
    const decoded = decodeEnvelope(bytes)
    if (!decoded.ok) throw new Error(decoded.message)
    const { signedBytes, signature } = decoded.envelope
    return { bytes: signedBytes, signature, key }
  })
  const order: VerifyingOrder = { seconds, verifier, signed }
  const counts = Array.from({ length: availableParallelism() }, () => countOf(order))
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

function countOf(order: VerifyingOrder): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(import.meta.dirname, 'verifying-worker.ts'), {
      workerData: order,
    })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}
