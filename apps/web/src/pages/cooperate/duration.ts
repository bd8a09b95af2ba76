const units = { minutes: 60, hours: 3_600, days: 86_400 } as const

export const durationUnits = Object.keys(units)

/** A time as it is written: a number, and what of. */
export interface Duration {
  count: string
  unit: keyof typeof units
}

/** In the largest unit that leaves nothing over. */
export const durationOf = (seconds: number): Duration => {
  const unit =
    seconds % units.days === 0 ? 'days' : seconds % units.hours === 0 ? 'hours' : 'minutes'
  return { count: String(Number((seconds / units[unit]).toFixed(2))), unit }
}

/** In whole seconds, at least one, or what is wrong with it. */
export const secondsIn = ({ count, unit }: Duration): number | string => {
  if (!/^\d{1,5}(\.\d{1,2})?$/.test(count.trim())) return 'Write a number like 3.'
  const seconds = Math.round(Number(count) * units[unit])
  return seconds === 0 ? 'It must be more than nothing.' : seconds
}
