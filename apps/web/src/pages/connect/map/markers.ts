import type { MachineSummary } from '@liquefy/client'
import type { MapView } from './map-view.ts'

/** One mark on the map: a machine, or several that would lie on each other. */
export interface Marker {
  x: number
  y: number
  machines: MachineSummary[]
}

const nearPx = 30

/** Machines of a view as marks that do not overlap; which are together depends on their order alone. */
export const markersOf = (machines: readonly MachineSummary[], view: MapView): Marker[] => {
  const markers: Marker[] = []
  const cells = new Map<string, Marker[]>()
  const key = (x: number, y: number) => `${Math.floor(x / nearPx)} ${Math.floor(y / nearPx)}`
  for (const machine of machines) {
    if (!machine.place) continue
    const [x, y] = view.xy(machine.place)
    const near = [-nearPx, 0, nearPx]
      .flatMap((dx) => [-nearPx, 0, nearPx].flatMap((dy) => cells.get(key(x + dx, y + dy)) ?? []))
      .find((marker) => Math.hypot(marker.x - x, marker.y - y) < nearPx)
    if (near) {
      near.machines.push(machine)
      continue
    }
    const marker = { x, y, machines: [machine] }
    markers.push(marker)
    cells.set(key(x, y), [...(cells.get(key(x, y)) ?? []), marker])
  }
  return markers
}
