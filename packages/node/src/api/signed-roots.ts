import { setTimeout as sleep } from 'node:timers/promises'
import type { SignedRoot } from '@liquefy/protocol'
import type { Evidence } from '../trust/evidence.ts'

/** Roots of the log that are signed for receipts: few signatures, however many receipts are asked for. */
export interface SignedRoots {
  /** One that covers this leaf: the newest, and a newer one at most once a second. */
  covering(index: bigint): Promise<SignedRoot>
  /** That of a size. */
  at(size: bigint): Promise<SignedRoot>
}

const LEAST_MS = 1_000
const MOST_KEPT = 256

/** All leaves of one size share a signature, so that receipts cost one a second, and one for each other size that is not kept. */
export function createSignedRoots(evidence: Pick<Evidence, 'head' | 'signedRoot'>): SignedRoots {
  const kept = new Map<bigint, Promise<SignedRoot>>()
  let newest: SignedRoot | undefined
  let notBefore = Number.NEGATIVE_INFINITY
  let signing: Promise<SignedRoot> | undefined

  function at(size: bigint): Promise<SignedRoot> {
    const known = kept.get(size)
    if (known) return known
    const root = evidence.signedRoot(size)
    kept.set(size, root)
    root.catch(() => kept.delete(size))
    const [oldest] = kept.keys()
    if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest)
    return root
  }

  async function signNewest(): Promise<SignedRoot> {
    const wait = notBefore - performance.now()
    if (wait > 0) await sleep(wait)
    notBefore = performance.now() + LEAST_MS
    // The head too, so that a log with two roots for one size is found out here.
    const { size } = await evidence.head()
    newest = await at(BigInt(size))
    return newest
  }

  return {
    at,
    async covering(index) {
      if (newest && newest.size > index) return newest
      signing ??= signNewest().finally(() => {
        signing = undefined
      })
      const root = await signing
      if (root.size > index) return root
      // It was logged after this signature had begun.
      signing ??= signNewest().finally(() => {
        signing = undefined
      })
      return signing
    },
  }
}
