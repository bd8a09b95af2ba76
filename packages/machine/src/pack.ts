import type { ReadingInput } from '@liquefy/protocol'
import type { Chain } from './segment.ts'

/** When samples of a stream become an envelope: at a number of records, or at an age, whichever is first. */
export interface PackEvery {
  records?: number
  ageMs?: number
}

/** A reading: the records that may not be parted. */
export interface PackedSample {
  records: readonly ReadingInput[]
  resolve: () => void
  reject: (error: unknown) => void
}

/** Samples that wait for their envelope. */
export interface Packs {
  add(chain: Chain, sample: PackedSample, every: PackEvery, nowMs: number): void
  /** Hands out packs that are old enough, or all. */
  flush(nowMs?: number): void
  flushChain(chain: Chain): void
}

const RECORDS_WITHOUT_LIMIT = 1_000

export function createPacks(publish: (chain: Chain, samples: PackedSample[]) => void): Packs {
  const packs = new Map<Chain, { samples: PackedSample[]; records: number; dueMs: number }>()

  function flushChain(chain: Chain): void {
    const pack = packs.get(chain)
    if (!pack) return
    packs.delete(chain)
    publish(chain, pack.samples)
  }

  return {
    add(chain, sample, every, nowMs) {
      const dueMs = nowMs + (every.ageMs ?? Infinity)
      const pack = packs.get(chain) ?? { samples: [], records: 0, dueMs }
      packs.set(chain, pack)
      pack.samples.push(sample)
      pack.records += sample.records.length
      if (pack.records >= (every.records ?? RECORDS_WITHOUT_LIMIT)) flushChain(chain)
    },
    flush(nowMs = Infinity) {
      for (const [chain, { dueMs }] of packs) if (dueMs <= nowMs) flushChain(chain)
    },
    flushChain,
  }
}
