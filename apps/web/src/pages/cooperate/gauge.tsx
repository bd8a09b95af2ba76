import { useDeployment } from '../../queries.ts'
import { nameOf } from '../../ui/format.ts'

interface Part {
  name: string
  className: string
  amount: bigint
}

/** Parts of `whole` from left to right, with a mark where something is reached. For the eye alone: the figures stand beside it in words. */
export const Gauge = ({
  whole,
  parts,
  mark,
}: {
  whole: bigint
  parts: Part[]
  mark?: { at: bigint; words: string } | undefined
}) => {
  const place = mark ? percentOf(mark.at, whole) : 0
  const side = place < 20 ? ' gauge-mark-left' : place > 80 ? ' gauge-mark-right' : ''
  return (
    <div className={mark ? 'gauge gauge-marked' : 'gauge'} aria-hidden="true">
      <div className="gauge-parts">
        {parts.map(({ name, className, amount }) => (
          <span
            key={name}
            className={className}
            title={name}
            style={{ width: `${percentOf(amount, whole)}%` }}
          />
        ))}
      </div>
      {mark ? (
        <span className={`gauge-mark${side}`} style={{ left: `${place}%` }}>
          <span>{mark.words}</span>
        </span>
      ) : null}
    </div>
  )
}

/** To a hundredth, at most 100. */
const percentOf = (amount: bigint, whole: bigint): number =>
  whole === 0n ? 0 : Math.min(100, Number((amount * 10_000n) / whole) / 100)

const radius = 46
const around = 2 * Math.PI * radius

/** Who owns how much, as a ring; the table beside it says it in words. */
export const OwnersRing = ({
  owners,
  supply,
}: {
  owners: { account: string; shares: bigint; colour: string }[]
  supply: bigint
}) => {
  const deployment = useDeployment().data
  let before = 0
  return (
    <svg className="ring" viewBox="0 0 120 120" aria-hidden="true">
      <circle className="ring-hole" cx="60" cy="60" r={radius} />
      {owners.map(({ account, shares, colour }) => {
        const length = (percentOf(shares, supply) / 100) * around
        const from = before
        before += length
        // A gap tells neighbours apart where colours do not.
        const drawn = Math.max(0.6, length - (owners.length > 1 ? 1.4 : 0))
        return (
          <circle
            key={account}
            cx="60"
            cy="60"
            r={radius}
            stroke={colour}
            strokeDasharray={`${drawn} ${around - drawn}`}
            strokeDashoffset={around / 4 - from}
          >
            <title>{nameOf(deployment, account)}</title>
          </circle>
        )
      })}
      <text x="60" y="62">
        {String(supply)}
      </text>
      <text className="ring-words" x="60" y="76">
        shares
      </text>
    </svg>
  )
}
