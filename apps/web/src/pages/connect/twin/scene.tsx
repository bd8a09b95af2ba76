import { useEffect, useRef } from 'react'
import { createChargerModel } from './charger-model.ts'
import { createSiloModel } from './silo-model.ts'
import { createStage, type Stage } from './stage.ts'
import type { TwinKind } from './twin-kind.ts'

const models = { silo: createSiloModel, charger: createChargerModel }

/** A twin in three dimensions; arrives on its own, since only few pages show one. */
export const TwinScene = ({
  kind,
  share,
  shown,
  label,
  onLost,
}: {
  kind: TwinKind
  share: number
  shown: string
  label: string
  onLost: () => void
}) => {
  const holder = useRef<HTMLDivElement>(null)
  const stage = useRef<Stage>(undefined)
  const lost = useRef(onLost)
  lost.current = onLost

  useEffect(() => {
    if (!holder.current) return
    try {
      stage.current = createStage(holder.current, models[kind](), () => lost.current())
    } catch {
      // The browser has WebGL, and its driver refuses.
      lost.current()
    }
    return () => {
      stage.current?.dispose()
      stage.current = undefined
    }
  }, [kind])

  useEffect(() => {
    stage.current?.show(share, shown, `${label}. Drag it or use the arrow keys to turn it.`)
  })

  return <div className="twin-stage" ref={holder} />
}
