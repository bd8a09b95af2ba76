import { shorten } from '../../ui/format.ts'
import type { Level } from './proof-steps.ts'

const rowPx = 52
const width = 360
const boxWidth = 150
const boxHeight = 28
const leftX = 0
const rightX = width - boxWidth

/** The path of one leaf to the root: on each level the node on the path and the sibling that it is hashed with. */
export const ProofTree = ({ levels, root }: { levels: Level[]; root: string }) => {
  const rows = [...levels].reverse()
  const height = (rows.length + 1) * rowPx
  return (
    <>
      <svg
        className="proof-tree"
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`A path of ${levels.length} steps from this envelope's leaf up to the root ${shorten(root)}.`}
      >
        <Box x={(width - boxWidth) / 2} y={0} text={`root ${shorten(root)}`} isOwn />
        {rows.map(({ own, sibling, siblingIs }, row) => {
          const y = (row + 1) * rowPx
          const parent = row === 0 ? width / 2 : ownX(rows[row - 1]) + boxWidth / 2
          const isLeaf = row === rows.length - 1
          return (
            <g key={own}>
              <path
                className="proof-line"
                d={`M${leftX + boxWidth / 2} ${y}L${parent} ${y - 24}`}
              />
              <path
                className="proof-line"
                d={`M${rightX + boxWidth / 2} ${y}L${parent} ${y - 24}`}
              />
              <Box
                x={siblingIs === 'left' ? rightX : leftX}
                y={y}
                text={isLeaf ? `leaf ${shorten(own)}` : shorten(own)}
                isOwn
              />
              <Box x={siblingIs === 'left' ? leftX : rightX} y={y} text={shorten(sibling)} />
            </g>
          )
        })}
      </svg>
      <details>
        <summary>All hashes, from the leaf up</summary>
        <ol className="hashes">
          {levels.map(({ own, sibling, siblingIs }) => (
            <li key={own}>
              <code>{own}</code> with <code>{sibling}</code> on its {siblingIs}
            </li>
          ))}
          <li>
            root <code>{root}</code>
          </li>
        </ol>
      </details>
    </>
  )
}

const ownX = (level: Level | undefined): number => (level?.siblingIs === 'left' ? rightX : leftX)

const Box = ({
  x,
  y,
  text,
  isOwn = false,
}: {
  x: number
  y: number
  text: string
  isOwn?: boolean
}) => (
  <g className={isOwn ? 'proof-own' : 'proof-sibling'}>
    <rect x={x} y={y} width={boxWidth} height={boxHeight} rx="7" />
    <text x={x + boxWidth / 2} y={y + 18}>
      {text}
    </text>
  </g>
)
