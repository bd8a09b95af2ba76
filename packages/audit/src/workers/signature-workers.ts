import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { LiquefyError, type PublicKey } from '@liquefy/protocol'
import type { Signed, VerifyMany } from '../verify-many.ts'

/** What a thread of `signature-worker.ts` is asked. */
export interface SignatureBatch {
  id: number
  keys: PublicKey[]
  count: number
  /**
   * All in one, for each buffer costs as much to hand over as copying it: by signature two numbers of 32 bits, which key and how many bytes it is over;
   * then, one behind the other, each `r || s` and those bytes.
   */
  buffer: ArrayBuffer
}

/** Its answer: by signature 1 if it verifies, else 0. */
export interface SignatureVerdicts {
  id: number
  verdicts: Uint8Array
}

export const SIGNATURE_BYTES = 64
export const HEAD_BYTES = 8

/** Threads that verify signatures. */
export interface SignatureWorkers {
  verifyMany: VerifyMany
  stop(): Promise<void>
}

interface Thread {
  worker: Worker
  waiting: Map<number, PromiseWithResolvers<boolean[]>>
  /** It takes no more, and what waits for it gets no answer. */
  end(reason: Error): void
  hasEnded: boolean
}

/** Starts a thread for each core. A batch goes to the one that has least to do. */
export function startSignatureWorkers(): SignatureWorkers {
  const threads = Array.from({ length: availableParallelism() }, startThread)
  let nextId = 0
  return {
    async verifyMany(signed) {
      const [first, ...others] = threads.filter(({ hasEnded }) => !hasEnded)
      if (!first) throw endedError()
      const { worker, waiting } = others.reduce(
        (least, one) => (one.waiting.size < least.waiting.size ? one : least),
        first,
      )
      const batch = packed(nextId, signed)
      nextId += 1
      const answer = Promise.withResolvers<boolean[]>()
      waiting.set(batch.id, answer)
      worker.ref()
      worker.postMessage(batch, [batch.buffer])
      return answer.promise
    },
    async stop() {
      for (const { end } of threads) end(endedError())
      await Promise.all(threads.map(({ worker }) => worker.terminate()))
    },
  }
}

function endedError(): LiquefyError {
  return new LiquefyError('WORKERS_ENDED', 'The threads that verify have ended: start others.')
}

function startThread(): Thread {
  const worker = new Worker(join(import.meta.dirname, 'signature-worker.ts'))
  const waiting: Thread['waiting'] = new Map()
  const thread: Thread = {
    worker,
    waiting,
    hasEnded: false,
    end(reason) {
      thread.hasEnded = true
      for (const { reject } of waiting.values()) reject(reason)
      waiting.clear()
    },
  }
  // Without work it does not keep the process from ending.
  worker.unref()
  worker.on('message', ({ id, verdicts }: SignatureVerdicts) => {
    waiting.get(id)?.resolve(Array.from(verdicts, (verdict) => verdict === 1))
    waiting.delete(id)
    if (waiting.size === 0) worker.unref()
  })
  worker.on('error', thread.end)
  return thread
}

function packed(id: number, signed: readonly Signed[]): SignatureBatch {
  const keys = [...new Set(signed.map(({ key }) => key))]
  const head = signed.length * HEAD_BYTES
  const size = signed.reduce((sum, { bytes }) => sum + SIGNATURE_BYTES + bytes.length, head)
  const whole = new Uint8Array(size)
  const numbers = new Uint32Array(whole.buffer, 0, 2 * signed.length)
  let at = head
  for (const [place, { key, bytes, signature }] of signed.entries()) {
    numbers[2 * place] = keys.indexOf(key)
    numbers[2 * place + 1] = bytes.length
    whole.set(signature, at)
    whole.set(bytes, at + SIGNATURE_BYTES)
    at += SIGNATURE_BYTES + bytes.length
  }
  return { id, keys, count: signed.length, buffer: whole.buffer }
}
