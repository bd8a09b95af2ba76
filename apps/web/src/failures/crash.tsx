import { useEffect, useRef, useState } from 'react'
import { useLive } from '../live/live.tsx'
import { failureWords, MissingPartError } from './failure-words.ts'
import { Report } from './report.tsx'

/** A page, or a part of one, that an error has stopped: what happened, and what to do. All around it goes on. */
export const Crash = ({
  what = 'This page',
  error,
  reset,
}: {
  what?: string
  error: unknown
  reset: () => void
}) => {
  const [atMs] = useState(Date.now)
  const isMissing = error instanceof MissingPartError
  useComeBack(isMissing ? reset : undefined)
  return (
    <section className="card problem" role="alert">
      <h2>{isMissing ? `${what} did not arrive` : `${what} stopped`}</h2>
      <p>{failureWords(error)}</p>
      {isMissing ? null : (
        <p>
          This is a fault of the page, not of your machines or your money. Try again; the rest of
          the page can be used meanwhile.
        </p>
      )}
      <p className="actions">
        <button type="button" className="button" onClick={reset}>
          Try again
        </button>
        <button
          type="button"
          className="button button-quiet"
          onClick={() => window.location.reload()}
        >
          Load the page again
        </button>
      </p>
      {isMissing ? null : <Report error={error} atMs={atMs} />}
    </section>
  )
}

/** What was missing because the node was away is fetched when it is back. */
const useComeBack = (fetchAgain: (() => void) | undefined) => {
  const { connected } = useLive()
  const before = useRef(connected)
  useEffect(() => {
    const isBack = connected && !before.current
    before.current = connected
    if (isBack) fetchAgain?.()
  }, [connected, fetchAgain])
}
