import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { failureWords } from '../failures/failure-words.ts'

/** An error in words: what happened, and what to do. */
export const Problem = ({
  title,
  error,
  children,
}: {
  title: string
  error: unknown
  children?: ReactNode
}) => (
  <section className="card problem" role="alert">
    <h2>{title}</h2>
    <p>{failureWords(error)}</p>
    {children}
  </section>
)

export const Empty = ({ title, children }: { title: string; children: ReactNode }) => (
  <div className="empty">
    <h3>{title}</h3>
    <p>{children}</p>
  </div>
)

export const Loading = ({ what }: { what: string }) => (
  <div className="loading" role="status">
    <span className="skeleton" />
    <span className="skeleton short" />
    <span className="visually-hidden">Loading {what}</span>
  </div>
)

/** The three states that every piece of data has before it is there. */
export const Loaded = <T,>({
  query,
  what,
  children,
}: {
  query: UseQueryResult<T>
  what: string
  children: (data: T) => ReactNode
}) => {
  if (query.data !== undefined) return <>{children(query.data)}</>
  if (query.isError) {
    return (
      <Problem title={`Could not load ${what}`} error={query.error}>
        <button type="button" className="button" onClick={() => void query.refetch()}>
          Try again
        </button>
      </Problem>
    )
  }
  return <Loading what={what} />
}
