import './twin.css'
import type { Machine } from '@liquefy/client'
import { Suspense, useState } from 'react'
import { Guard } from '../../../failures/guard.tsx'
import { lazyPart } from '../../../failures/lazy-part.ts'
import { Card } from '../../../ui/parts.tsx'
import { Empty, Loading } from '../../../ui/states.tsx'
import { type Measure, useLevel, usePower } from './measures.ts'
import { TwinPicture } from './picture.tsx'
import { type TwinKind, twinKindOf } from './twin-kind.ts'

const TwinScene = lazyPart(async () => (await import('./scene.tsx')).TwinScene)

/** A machine as it stands there now, in three dimensions where the browser can; nothing for a machine that we have no picture of. */
export const Twin = ({ machine }: { machine: Machine }) => {
  const kind = twinKindOf(machine)
  if (kind === 'silo') return <SiloTwin machine={machine} />
  return kind === 'charger' ? <ChargerTwin machine={machine} /> : null
}

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 })
const percent = new Intl.NumberFormat(undefined, { style: 'percent' })

const SiloTwin = ({ machine }: { machine: Machine }) => {
  const level = useLevel(machine)
  if (!level) return <NoTwin title="Level now" measure={level} />
  return (
    <TwinCard
      title="Level now"
      kind="silo"
      measure={level}
      note={`${percent.format(level.share)} of the highest seen in 30 days`}
    />
  )
}

const ChargerTwin = ({ machine }: { machine: Machine }) => {
  const power = usePower(machine)
  if (!power) return <NoTwin title="Power now" measure={power} />
  return (
    <TwinCard
      title="Power now"
      kind="charger"
      measure={power}
      note={
        power.value === 0
          ? 'nothing flows'
          : `${percent.format(power.share)} of the highest in 15 minutes, from its newest readings`
      }
    />
  )
}

const NoTwin = ({ title, measure }: { title: string; measure: null | undefined }) => (
  <Card title={title} className="twin">
    {measure === null ? (
      <Empty title="Silent">No reading within the last 15 minutes.</Empty>
    ) : (
      <Loading what="the newest readings" />
    )}
  </Card>
)

const TwinCard = ({
  title,
  kind,
  measure,
  note,
}: {
  title: string
  kind: TwinKind
  measure: Measure
  note: string
}) => {
  const [flat, setFlat] = useState(() => !hasWebGl())
  const shown = `${number.format(measure.value)} ${measure.unit}`
  const label = `${kind === 'silo' ? 'Silo' : 'Charge point'}: ${shown}, ${note}`
  const picture = <TwinPicture kind={kind} share={measure.share} label={label} />
  return (
    <Card title={title} className="twin">
      <p className="twin-value">
        {number.format(measure.value)} <span className="unit">{measure.unit}</span>
        <span className="note">{note}</span>
      </p>
      {flat ? (
        picture
      ) : (
        // Its part of the page did not arrive, or the graphics driver refuses.
        <Guard what={title} instead={picture}>
          <Suspense fallback={picture}>
            <TwinScene
              kind={kind}
              share={measure.share}
              shown={shown}
              label={label}
              onLost={() => setFlat(true)}
            />
          </Suspense>
        </Guard>
      )}
    </Card>
  )
}

const hasWebGl = (): boolean => {
  const context = document.createElement('canvas').getContext('webgl2')
  context?.getExtension('WEBGL_lose_context')?.loseContext()
  return context !== null
}
