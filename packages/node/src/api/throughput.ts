import type { Throughput } from '@liquefy/client'

const STEP_MS = 2_000
/** A quarter of an hour. */
const STEPS = 450

/**
 * How many envelopes were logged in each two seconds of the last quarter of an hour, by whichever process: read off the size of the log. Null: not
 * known, since the node did not run or its database did not answer.
 */
export function measureThroughput(
  readLogSize: () => Promise<bigint>,
  nowMs: () => number,
): { view(): Throughput; close(): void } {
  const logged: (number | null)[] = Array.from({ length: STEPS }, () => null)
  let before: bigint | undefined
  let endMs = nowMs()
  let reading = false

  const step = async () => {
    // A database that does not answer is asked once.
    const size = reading ? undefined : await read()
    logged.shift()
    logged.push(size === undefined || before === undefined ? null : Number(size - before))
    before = size
    endMs = nowMs()
  }
  const read = async (): Promise<bigint | undefined> => {
    reading = true
    try {
      return await readLogSize()
    } catch {
      return undefined
    } finally {
      reading = false
    }
  }
  const timer = setInterval(() => void step(), STEP_MS)
  timer.unref()
  return {
    view: () => ({ stepMs: STEP_MS, endMs, logged: [...logged] }),
    close: () => clearInterval(timer),
  }
}
