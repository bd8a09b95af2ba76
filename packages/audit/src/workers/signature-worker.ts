/** A thread that verifies signatures for `signature-workers.ts`. */
import { parentPort } from 'node:worker_threads'
import { verify } from '@liquefy/protocol'
import {
  SIGNATURE_BYTES,
  type SignatureBatch,
  type SignatureVerdicts,
} from './signature-workers.ts'

parentPort?.on('message', ({ id, keys, index, lengths, bytes }: SignatureBatch) => {
  const verdicts = new Uint8Array(lengths.length)
  let at = 0
  for (const [place, length] of lengths.entries()) {
    const key = keys[index[place] ?? 0]
    const signature = bytes.subarray(at, at + SIGNATURE_BYTES)
    const message = bytes.subarray(at + SIGNATURE_BYTES, at + SIGNATURE_BYTES + length)
    if (key && verify(key, message, signature)) verdicts[place] = 1
    at += SIGNATURE_BYTES + length
  }
  const answer: SignatureVerdicts = { id, verdicts }
  parentPort?.postMessage(answer, [verdicts.buffer])
})
