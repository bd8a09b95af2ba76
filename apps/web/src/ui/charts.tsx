/** A line without axes, for lists. Says in words what it shows. */
export const Sparkline = ({ values, label }: { values: number[]; label: string }) => {
  if (values.length < 2) return <span className="sparkline" aria-hidden="true" />
  const lowest = Math.min(...values)
  const span = Math.max(...values) - lowest || 1
  const points = values
    .map((value, index) => {
      const x = (index / (values.length - 1)) * 100
      const y = 28 - ((value - lowest) / span) * 26
      return `${x.toFixed(2)},${y.toFixed(2)}`
    })
    .join(' ')
  return (
    <svg
      className="sparkline"
      viewBox="0 0 100 30"
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <polygon className="spark-area" points={`0,30 ${points} 100,30`} />
      <polyline className="spark-line" points={points} vectorEffect="non-scaling-stroke" />
    </svg>
  )
}

/** Parts of one amount side by side, largest meaning first. */
export const AmountBar = ({
  parts,
}: {
  parts: { name: string; className: string; minor: bigint }[]
}) => {
  const total = parts.reduce((sum, { minor }) => sum + minor, 0n)
  return (
    <div className="amount-bar" aria-hidden="true">
      {parts.map(({ name, className, minor }) =>
        total > 0n && minor > 0n ? (
          <span
            key={name}
            className={className}
            style={{ flexGrow: Number((minor * 10_000n) / total) }}
            title={name}
          />
        ) : null,
      )}
    </div>
  )
}

/** Single payments over time, newest to the right. */
export const PaymentBars = ({
  payments,
}: {
  payments: { key: string; minor: bigint; label: string }[]
}) => {
  const largest = payments.reduce((most, { minor }) => (minor > most ? minor : most), 1n)
  return (
    <ol className="payment-bars">
      {payments.map(({ key, minor, label }) => (
        <li
          key={key}
          title={label}
          style={{ height: `${Math.max(4, Number((minor * 100n) / largest))}%` }}
        >
          <span className="visually-hidden">{label}</span>
        </li>
      ))}
    </ol>
  )
}
