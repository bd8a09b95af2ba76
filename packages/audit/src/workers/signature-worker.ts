/** A thread that verifies signatures for `signature-workers.ts`. */
import { parentPort } from 'node:worker_threads'
import { verify } from '@liquefy/protocol'
import {
  HEAD_BYTES,
  SIGNATURE_BYTES,
  type SignatureBatch,
  type SignatureVerdicts,
} from './signature-workers.ts'

parentPort?.on('message', ({ id, keys, count, buffer }: SignatureBatch) => {
  const numbers = new Uint32Array(buffer, 0, 2 * count)
  const bytes = new Uint8Array(buffer)
  const verdicts = new Uint8Array(count)
  let at = count * HEAD_BYTES
  for (let place = 0; place < count; place += 1) {
    const key = keys[numbers[2 * place] ?? 0]
    const end = at + SIGNATURE_BYTES + (numbers[2 * place + 1] ?? 0)
    const signature = bytes.subarray(at, at + SIGNATURE_BYTES)
    if (key && verify(key, bytes.subarray(at + SIGNATURE_BYTES, end), signature)) {
      verdicts[place] = 1
    }
    at = end
  }
  const answer: SignatureVerdicts = { id, verdicts }
  parentPort?.postMessage(answer, [verdicts.buffer])
})
