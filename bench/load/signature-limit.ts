import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { decodeEnvelope, type PublicKey } from '@liquefy/protocol'

/** What a worker of `verifying-worker.ts` verifies, over and over. */
export interface VerifyingOrder {
  seconds: number
  signed: { bytes: Uint8Array; signature: Uint8Array; jwk: { x: string; y: string } }[]
}

/**
 * How many P-256 signatures over these envelopes `crypto.verify` checks in a second, in as many workers as there are cores: no node can take
 * more envelopes than that.
 */
export async function signatureLimit(
  envelopes: readonly { bytes: Uint8Array; key: PublicKey }[],
  seconds: number,
): Promise<number> {
  const signed = envelopes.map(({ bytes, key }) => {
    const decoded = decodeEnvelope(bytes)
    if (!decoded.ok) throw new Error(decoded.message)
    const { signedBytes, signature } = decoded.envelope
    return { bytes: signedBytes, signature, jwk: { x: base64url(key.x), y: base64url(key.y) } }
  })
  const order: VerifyingOrder = { seconds, signed }
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

function base64url(hex: string): string {
  return Buffer.from(hex.slice(2), 'hex').toString('base64url')
}
