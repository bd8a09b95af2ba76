import type { Machine } from '@liquefy/client'

/** What a machine looks like. */
export type TwinKind = 'silo' | 'charger'

const energyUnits = ['Wh', 'kWh']
const powerUnits = ['W', 'kW']

/** Which picture fits what a machine measures: its main stream falls while it is drawn down, or counts energy; undefined: none of ours. */
export const twinKindOf = (machine: Machine): TwinKind | undefined => {
  if (machine.mainRule === 'drawdown') return 'silo'
  const unit = machine.streams.find(({ stream }) => stream === machine.mainStream)?.unit
  return unit && [...energyUnits, ...powerUnits].includes(unit) ? 'charger' : undefined
}

/** Whether a stream's readings add up (energy) or are of the moment (power), and what one is in watts; undefined: neither. */
export const wattsOf = (unit: string | null): { adds: boolean; factor: number } | undefined => {
  if (unit === null) return undefined
  const thousand = unit.startsWith('k') ? 1_000 : 1
  if (energyUnits.includes(unit)) return { adds: true, factor: 3_600 * thousand }
  return powerUnits.includes(unit) ? { adds: false, factor: thousand } : undefined
}
