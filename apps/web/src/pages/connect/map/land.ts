import type { GeoPermissibleObjects } from 'd3-geo'
import { feature } from 'topojson-client'

/** Outlines of land. */
export type Land = GeoPermissibleObjects

/** Coarse outlines do from here on. */
const coarseDegrees = 40
/** Below this the finest outlines that we carry are off by more than a mark is wide. */
const finestDegrees = 0.2

/** The outlines (Natural Earth, from npm: no server is asked) that suit a view; undefined where none do. */
export const loadLand = async (spanDegrees: number): Promise<Land | undefined> => {
  if (spanDegrees < finestDegrees) return undefined
  const { default: atlas } =
    spanDegrees > coarseDegrees
      ? await import('world-atlas/land-110m.json', { with: { type: 'json' } })
      : await import('world-atlas/land-50m.json', { with: { type: 'json' } })
  const topology = atlas as unknown as Parameters<typeof feature>[0]
  const { land } = topology.objects
  return land ? feature(topology, land) : undefined
}
