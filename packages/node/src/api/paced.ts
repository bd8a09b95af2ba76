/** The least time between two reads, and how many times longer than a read the pause after it is. */
const FRESH_MS = 500
const PAUSE_FACTOR = 20
/** Prometheus itself waits for ten seconds by default. */
const PATIENCE_MS = 2_000

/**
 * A figure that costs something to read: asked as often as anybody likes, it is read at most once at a time, and for a twentieth of the
 * time at most. Whoever asks waits at most 2 s, then gets what was read last; undefined if the last read failed, or none has
 * ended yet.
 */
export function paced<T>(read: () => Promise<T>, freshMs = FRESH_MS): () => Promise<T | undefined> {
  let newest: T | undefined
  let reading: Promise<void> | undefined
  let notBefore = Number.NEGATIVE_INFINITY

  async function readOnce(): Promise<void> {
    const begun = performance.now()
    try {
      newest = await read()
    } catch {
      newest = undefined
    }
    const took = performance.now() - begun
    notBefore = performance.now() + Math.max(freshMs, PAUSE_FACTOR * took)
    reading = undefined
  }

  return async () => {
    if (performance.now() >= notBefore) reading ??= readOnce()
    if (reading === undefined) return newest
    let timer: NodeJS.Timeout | undefined
    const tooLong = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS)
    })
    await Promise.race([reading, tooLong])
    clearTimeout(timer)
    return newest
  }
}
