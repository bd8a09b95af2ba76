import { createPublicKey, verify } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import type { VerifyingOrder } from './signature-limit.ts'

const { seconds, signed } = workerData as VerifyingOrder
const ready = signed.map(({ bytes, signature, jwk }) => ({
  bytes,
  signature,
  key: {
    key: createPublicKey({ key: { kty: 'EC', crv: 'P-256', ...jwk }, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363' as const,
  },
}))

const startedMs = performance.now()
const endMs = startedMs + seconds * 1_000
let count = 0
let nowMs = startedMs
while (nowMs < endMs) {
  for (const { bytes, signature, key } of ready) {
    if (!verify('sha256', bytes, key, signature)) throw new Error('A good signature failed.')
  }
  count += ready.length
  nowMs = performance.now()
}
parentPort?.postMessage(Math.round((count * 1_000) / (nowMs - startedMs)))
