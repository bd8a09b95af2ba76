import { failureWords } from './failure-words.ts'
import { Report } from './report.tsx'
import { forgetUnexpected, useUnexpected } from './unexpected.ts'

/** Says that something went wrong where no part of the page shows it. */
export const UnexpectedNotice = () => {
  const unexpected = useUnexpected()
  if (unexpected === undefined) return null
  return (
    <section className="card notice" role="status">
      <h2>Something on this page went wrong</h2>
      <p>
        {failureWords(unexpected.error)} What you see goes on, but a part of it may be incomplete:
        if something looks odd, load the page again.
      </p>
      <p className="actions">
        <button type="button" className="button" onClick={() => window.location.reload()}>
          Load the page again
        </button>
        <button type="button" className="button button-quiet" onClick={forgetUnexpected}>
          Go on
        </button>
      </p>
      <Report error={unexpected.error} atMs={unexpected.atMs} />
    </section>
  )
}
