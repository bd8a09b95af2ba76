import type { ChartView } from './use-time-window.ts'

/** What the address of a machine's page says: which stream, and what of it. */
export interface MachineSearch extends ChartView {
  stream?: string
}

/** Reads it from an address that anybody may have written: what makes no sense is as if it were not there. */
export const machineSearchOf = (search: Record<string, unknown>): MachineSearch => {
  const { stream, last, from, to } = search
  const named = typeof stream === 'string' ? { stream } : {}
  if (isTime(last)) return { ...named, last }
  if (isTime(from) && isTime(to) && from < to) return { ...named, from, to }
  return named
}

const isTime = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < LAST_MS

/** The year 10,000, far inside of what a date can be. */
const LAST_MS = 253_402_300_800_000
