import type { ReactNode } from 'react'

/** A table that is wider than a phone: it scrolls, by keys too. */
export const WideTable = ({ label, children }: { label: string; children: ReactNode }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys (WCAG 2.1.1).
  <section className="table" aria-label={label} tabIndex={0}>
    <table>{children}</table>
  </section>
)
