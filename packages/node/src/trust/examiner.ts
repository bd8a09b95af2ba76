import { Worker } from 'node:worker_threads'
import { LiquefyError, type PublicKey } from '@liquefy/protocol'
import { type Examination, examineFrames } from './examine.ts'

/** What a worker is sent: frames one behind the other, and the keys that may have signed them. */
export interface ExaminationOrder {
  id: number
  bytes: Uint8Array
  lengths: number[]
  keys: readonly PublicKey[]
}

/** What it answers. */
export interface ExaminationReport extends Examination {
  id: number
}

/** Examines batches of frames on all cores. */
export interface Examiner {
  /**
   * As `examineFrames`, in portions: together they hold every frame once, in order.
   *
   * @throws LiquefyError `EXAMINER_LOST` if a worker ended before its answer; the next call starts a new one.
   */
  examine(frames: readonly Uint8Array[], keys: readonly PublicKey[]): Promise<Examination[]>
  close(): Promise<void>
}

/** So few frames are done before a worker would have been reached. */
const FEW_FRAMES = 16
/** A worker holds one portion at a time; the rest of its heap is code. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 }

/** Starts no worker before there is work for one. */
export function createExaminer(options: { workers: number }): Examiner {
  const workers: (ExaminingWorker | undefined)[] = Array.from({ length: options.workers })

  function workerAt(index: number): ExaminingWorker {
    const known = workers[index]
    if (known?.isAlive()) return known
    const worker = startWorker()
    workers[index] = worker
    return worker
  }

  return {
    async examine(frames, keys) {
      if (frames.length <= FEW_FRAMES || workers.length === 0) return [examineFrames(frames, keys)]
      const share = Math.ceil(frames.length / workers.length)
      const portions = workers.map((_, index) => frames.slice(index * share, (index + 1) * share))
      return Promise.all(portions.map((portion, index) => workerAt(index).examine(portion, keys)))
    },
    async close() {
      await Promise.all(workers.flatMap((worker) => worker?.end() ?? []))
    },
  }
}

interface ExaminingWorker {
  examine(frames: readonly Uint8Array[], keys: readonly PublicKey[]): Promise<Examination>
  isAlive(): boolean
  end(): Promise<void>
}

function startWorker(): ExaminingWorker {
  const worker = new Worker(new URL('./examining-worker.ts', import.meta.url), {
    resourceLimits: WORKER_LIMITS,
  })
  const waiting = new Map<number, PromiseWithResolvers<Examination>>()
  let lastId = 0
  let lost: LiquefyError | undefined

  function lose(cause?: unknown): void {
    lost ??= new LiquefyError('EXAMINER_LOST', 'A thread that verifies signatures ended.', {
      cause,
    })
    for (const answer of waiting.values()) answer.reject(lost)
    waiting.clear()
  }

  worker.on('message', ({ id, ...examination }: ExaminationReport) => {
    waiting.get(id)?.resolve(examination)
    waiting.delete(id)
  })
  worker.on('error', lose)
  worker.on('exit', () => lose())
  worker.unref()

  return {
    examine(frames, keys) {
      if (lost) return Promise.reject(lost)
      lastId += 1
      const bytes = joined(frames)
      const order: ExaminationOrder = {
        id: lastId,
        bytes,
        lengths: frames.map(({ length }) => length),
        keys,
      }
      const answer = Promise.withResolvers<Examination>()
      waiting.set(lastId, answer)
      worker.postMessage(order, [bytes.buffer])
      return answer.promise
    },
    isAlive: () => lost === undefined,
    async end() {
      await worker.terminate()
    },
  }
}

/** Not `Buffer.concat`: its result may share a pool with others, which must not be given away. */
function joined(frames: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const frame of frames) {
    bytes.set(frame, at)
    at += frame.length
  }
  return bytes
}
