import { setImmediate } from 'node:timers/promises'
import { BusyError } from './problem.ts'

/** Runs a piece of work when its turn comes; undefined at once if too much waits already. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T> | undefined

/** Work that takes much of the processor: one piece at a time, in the order in which it came, and at most `mostWaiting` behind it. */
export function oneAtATime(mostWaiting: number): Turns {
  let inLine = 0
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    if (inLine > mostWaiting) return undefined
    inLine += 1
    // What machines send is answered between two pieces.
    const mine = last
      .then(() => setImmediate())
      .then(work)
      .finally(() => {
        inLine -= 1
      })
    last = mine.catch(() => undefined)
    return mine
  }
}

const nodeBusy = () =>
  new BusyError('NODE_BUSY', 'Too many ask for this at once: ask again in a second.', 1)

/** Waits for its turn, or says to come back. @throws BusyError `NODE_BUSY`, or what `busy` makes. */
export async function inTurn<T>(
  turns: Turns,
  work: () => Promise<T>,
  busy: () => BusyError = nodeBusy,
): Promise<T> {
  const done = turns(work)
  if (done) return done
  throw busy()
}
