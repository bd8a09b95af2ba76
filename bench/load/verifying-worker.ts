import { createPublicKey, verify } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { verify as verifyByProtocol } from '@liquefy/protocol'
import type { VerifyingOrder } from './signature-limit.ts'

const { seconds, verifier, signed } = workerData as VerifyingOrder
const checks = signed.map(({ bytes, signature, key }) => {
  if (verifier === 'protocol') return () => verifyByProtocol(key, bytes, signature)
  const x = Buffer.from(key.x.slice(2), 'hex').toString('base64url')
  const y = Buffer.from(key.y.slice(2), 'hex').toString('base64url')
  const imported = {
    key: createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' }),
    dsaEncoding: 'ieee-p1363' as const,
  }
  return () => verify('sha256', bytes, imported, signature)
})

const startedMs = performance.now()
const endMs = startedMs + seconds * 1_000
let count = 0
let nowMs = startedMs
while (nowMs < endMs) {
  for (const isGood of checks) if (!isGood()) throw new Error('A good signature failed.')
  count += checks.length
  nowMs = performance.now()
}
parentPort?.postMessage(Math.round((count * 1_000) / (nowMs - startedMs)))
