import type { Tour } from './tracker.ts'

/** Seconds after the first midnight; `clock` as 17:00 or 17:00:17. */
const at = (day: number, clock: string): number => {
  const [hours = 0, minutes = 0, seconds = 0] = clock.split(':').map(Number)
  return ((day * 24 + hours) * 60 + minutes) * 60 + seconds
}
const stretch = (day: number, from: string, to: string) => [at(day, from), at(day, to)] as const

/** Three days: there, back, and one in the yard. Doors open twice on the road. */
export const tour: Tour = {
  drives: [
    { from: at(0, '08:00'), to: at(0, '11:30'), kilometres: 276 },
    { from: at(1, '09:00'), to: at(1, '12:30'), kilometres: 276 },
  ],
  doorsOpen: [
    stretch(0, '07:30', '07:32'),
    stretch(0, '11:45', '11:47'),
    stretch(1, '08:30', '08:32'),
    stretch(1, '12:45', '12:47'),
  ],
  // A short one costs what it lasts; a long one costs the cap.
  coolingFails: [stretch(0, '09:00', '09:45'), stretch(1, '10:00', '14:00')],
  // None of them begins when the tracker happens to read. The last day has one too many.
  defrosts: [
    stretch(0, '17:00:17', '17:30:17'),
    stretch(1, '17:00:17', '17:30:17'),
    stretch(2, '15:00:17', '15:30:17'),
    stretch(2, '19:00:17', '19:30:17'),
  ],
  recoverySeconds: 15 * 60,
}
