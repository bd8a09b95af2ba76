import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useLive } from '../live/live.tsx'
import { failureWords, MissingPartError } from './failure-words.ts'
import { Report } from './report.tsx'

/** A page, or a part of one, that an error has stopped: what happened, and what to do. All around it goes on. */
export const Crash = ({
  what,
  error,
  reset,
}: {
  /** A part of a page by its name; without it a whole page. */
  what?: string
  error: unknown
  reset: () => void
}) => {
  const [atMs] = useState(Date.now)
  const queries = useQueryClient()
  // It may have stumbled over an answer: the next try asks anew.
  useEffect(() => queries.removeQueries({ type: 'inactive' }), [queries])
  const isMissing = error instanceof MissingPartError
  useComeBack(isMissing && what === undefined)
  const name = what ?? 'This page'
  return (
    <section className="card problem" role="alert">
      <h2>{isMissing ? `${name} did not arrive` : `${name} stopped`}</h2>
      <p>{failureWords(error)}</p>
      {isMissing ? null : (
        <p>
          This is a fault of the page, not of your machines or your money. Try again; the rest of
          the page can be used meanwhile.
        </p>
      )}
      <p className="actions">
        {isMissing ? null : (
          <button type="button" className="button" onClick={reset}>
            Try again
          </button>
        )}
        <button
          type="button"
          className={isMissing ? 'button' : 'button button-quiet'}
          onClick={() => window.location.reload()}
        >
          Load the page again
        </button>
      </p>
      {isMissing ? null : <Report error={error} atMs={atMs} />}
    </section>
  )
}

/**
 * A page that did not arrive because the node was away is loaded when it is back: there is nothing else on it to be lost. One that is missing
 * although the node answers would be missing again.
 */
const useComeBack = (isWanted: boolean) => {
  const { connected, wasConnected } = useLive()
  const before = useRef({ connected, wasConnected })
  useEffect(() => {
    const wasLost = before.current.wasConnected && !before.current.connected
    if (isWanted && wasLost && connected) window.location.reload()
    before.current = { connected, wasConnected }
  }, [connected, wasConnected, isWanted])
}
