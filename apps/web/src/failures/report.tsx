import { Copyable } from '../ui/copyable.tsx'

/** What whoever mends it wants to know: to be copied, sent nowhere. */
export const Report = ({ error, atMs }: { error: unknown; atMs: number }) => (
  <details className="report">
    <summary>Details for a report</summary>
    <Copyable
      label="Says nothing of you but the address of this page"
      text={[
        new Date(atMs).toISOString(),
        window.location.pathname,
        navigator.userAgent,
        error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error),
      ].join('\n')}
    />
  </details>
)
