import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { PublicKey } from '@liquefy/protocol'
import type { Signed, VerifyMany } from '../verify-many.ts'

/** What a thread of `signature-worker.ts` is asked: signatures one behind the other, `r || s` and then the bytes that they are over. */
export interface SignatureBatch {
  id: number
  keys: PublicKey[]
  /** By signature: index of its key, and how many bytes it is over. */
  index: Uint32Array<ArrayBuffer>
  lengths: Uint32Array<ArrayBuffer>
  bytes: Uint8Array<ArrayBuffer>
}

/** Its answer: by signature 1 if it verifies, else 0. */
export interface SignatureVerdicts {
  id: number
  verdicts: Uint8Array
}

export const SIGNATURE_BYTES = 64

/** Threads that verify signatures. */
export interface SignatureWorkers {
  verifyMany: VerifyMany
  stop(): Promise<void>
}

interface Thread {
  worker: Worker
  waiting: Map<number, PromiseWithResolvers<boolean[]>>
}

/** Starts a thread for each core. A batch goes to the one that has least to do. */
export function startSignatureWorkers(): SignatureWorkers {
  const threads = Array.from({ length: availableParallelism() }, startThread)
  let nextId = 0
  return {
    async verifyMany(signed) {
      const { worker, waiting } = threads.reduce((least, one) =>
        one.waiting.size < least.waiting.size ? one : least,
      )
      const batch = packed(nextId, signed)
      nextId += 1
      const answer = Promise.withResolvers<boolean[]>()
      waiting.set(batch.id, answer)
      worker.ref()
      const { index, lengths, bytes } = batch
      worker.postMessage(batch, [index.buffer, lengths.buffer, bytes.buffer])
      return answer.promise
    },
    async stop() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()))
    },
  }
}

function startThread(): Thread {
  const worker = new Worker(join(import.meta.dirname, 'signature-worker.ts'))
  const waiting: Thread['waiting'] = new Map()
  // Without work it does not keep the process from ending.
  worker.unref()
  worker.on('message', ({ id, verdicts }: SignatureVerdicts) => {
    waiting.get(id)?.resolve(Array.from(verdicts, (verdict) => verdict === 1))
    waiting.delete(id)
    if (waiting.size === 0) worker.unref()
  })
  // One that failed keeps what waits, so that nothing more is given to it.
  worker.on('error', (error) => {
    for (const { reject } of waiting.values()) reject(error)
  })
  return { worker, waiting }
}

function packed(id: number, signed: readonly Signed[]): SignatureBatch {
  const keys = [...new Set(signed.map(({ key }) => key))]
  const index = Uint32Array.from(signed, ({ key }) => keys.indexOf(key))
  const lengths = Uint32Array.from(signed, ({ bytes }) => bytes.length)
  const size = lengths.reduce((sum, length) => sum + SIGNATURE_BYTES + length, 0)
  const bytes = new Uint8Array(size)
  let at = 0
  for (const one of signed) {
    bytes.set(one.signature, at)
    bytes.set(one.bytes, at + SIGNATURE_BYTES)
    at += SIGNATURE_BYTES + one.bytes.length
  }
  return { id, keys, index, lengths, bytes }
}
