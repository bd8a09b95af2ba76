import { useId } from 'react'
import type { TwinKind } from './twin-kind.ts'

/** The same as in three dimensions, drawn: for browsers without WebGL, and until it is there. */
export const TwinPicture = ({
  kind,
  share,
  label,
}: {
  kind: TwinKind
  share: number
  label: string
}) => (
  <svg className="twin-picture" viewBox="0 0 200 240" role="img" aria-label={label}>
    {kind === 'silo' ? <Silo share={share} /> : <Charger share={share} />}
  </svg>
)

const topY = 46
const outletY = 186

const Silo = ({ share }: { share: number }) => {
  const clip = useId()
  const levelY = outletY - share * (outletY - topY)
  return (
    <>
      <ellipse className="twin-ground" cx="100" cy="226" rx="72" ry="8" />
      <path
        className="twin-frame"
        d="M62,150 V226 M138,150 V226 M62,206 L138,170 M138,206 L62,170"
      />
      <clipPath id={clip}>
        <path d="M58,46 H142 V146 L108,186 H92 L58,146 Z" />
      </clipPath>
      <path className="twin-inside" d="M58,46 H142 V146 L108,186 H92 L58,146 Z" />
      <rect
        className="twin-grain"
        x="50"
        width="100"
        y={levelY}
        height={outletY - levelY}
        clipPath={`url(#${clip})`}
      />
      <path className="twin-shell" d="M58,46 H142 V146 L108,186 H92 L58,146 Z" />
      <path className="twin-roof" d="M52,46 L100,20 L148,46 Z" />
      <path className="twin-frame" d="M150,44 V222 M158,44 V222" />
      {Array.from({ length: 12 }, (_, rung) => 54 + rung * 14).map((y) => (
        <path key={y} className="twin-frame" d={`M150,${y} H158`} />
      ))}
    </>
  )
}

const Charger = ({ share }: { share: number }) => {
  const angle = Math.PI * (1 - share)
  const [x, y] = [100 + 30 * Math.cos(angle), 96 - 30 * Math.sin(angle)]
  return (
    <>
      <ellipse className="twin-ground" cx="100" cy="222" rx="72" ry="9" />
      <rect className="twin-shell twin-pillar" x="58" y="26" width="84" height="194" rx="12" />
      <rect className="twin-screen" x="66" y="46" width="68" height="66" rx="5" />
      <path className="twin-arc" d="M70,96 A30,30 0 0 1 130,96" />
      <path className="twin-needle" d={`M100,96 L${x},${y}`} />
      <path className="twin-cable" d="M142,150 C178,160 176,214 152,200 S150,120 142,116" />
      <rect
        className="twin-glow"
        x="64"
        y="126"
        width="5"
        height="82"
        rx="2"
        opacity={0.2 + 0.8 * share}
      />
    </>
  )
}
