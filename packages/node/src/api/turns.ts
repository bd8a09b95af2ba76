/** Runs a piece of work when its turn comes; undefined at once if too much waits already. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T> | undefined

/** Work that takes much of the processor: one piece at a time, in the order in which it came, and at most `mostWaiting` behind it. */
export function oneAtATime(mostWaiting: number): Turns {
  let inLine = 0
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    if (inLine > mostWaiting) return undefined
    inLine += 1
    const mine = last.then(work).finally(() => {
      inLine -= 1
    })
    last = mine.catch(() => undefined)
    return mine
  }
}
