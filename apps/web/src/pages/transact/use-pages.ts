import { useState } from 'react'

/** Where a reader has come in a list that is read page by page: the place that each page opened so far lies before. */
export const usePages = <T>() => {
  const [before, setBefore] = useState<T[]>([])
  return {
    /** Undefined on the first page. */
    before: before.at(-1),
    onNewer: before.length === 0 ? undefined : () => setBefore(before.slice(0, -1)),
    earlierThan: (place: T) => () => setBefore([...before, place]),
  }
}
