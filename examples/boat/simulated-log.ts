import { createRandom } from '@liquefy/simulator'
import { writeSentence } from './nmea.ts'

/** What the skipper does for so long: speed in knots, course in degrees. */
const WATCH = [
  { minutes: 60, knots: 6.1, course: 208 },
  { minutes: 10, knots: 4.2, course: 225 },
  { minutes: 35, knots: 1.3, course: 240 },
  { minutes: 15, knots: 5.8, course: 180 },
  { minutes: 25, knots: 0, course: 180 },
  { minutes: 95, knots: 6.2, course: 204 },
] as const

const EVERY_SECONDS = 2
const START = { secondOfDay: 10 * 3_600, latitude: 60.08, longitude: 23.54 }
const KNOTS_PER_DEGREE_AND_SECOND = 60 * 3_600
const NOISE_KNOTS = 0.15

/** Four hours among the islands, as instruments would have written them: VTG and GLL every two seconds, NMEA 0183. */
export function simulatedLog(seed: number): string {
  const random = createRandom(seed)
  const lines: string[] = []
  let { secondOfDay, latitude, longitude } = START
  for (const { minutes, knots, course } of WATCH) {
    for (let left = minutes * 60; left > 0; left -= EVERY_SECONDS) {
      const speed = knots === 0 ? 0 : knots + random.between(-NOISE_KNOTS, NOISE_KNOTS)
      const heading = (course + random.between(-3, 3)) * (Math.PI / 180)
      const degrees = (speed * EVERY_SECONDS) / KNOTS_PER_DEGREE_AND_SECOND
      latitude += degrees * Math.cos(heading)
      longitude += (degrees * Math.sin(heading)) / Math.cos(latitude * (Math.PI / 180))
      secondOfDay += EVERY_SECONDS
      lines.push(speedLine(course, speed), positionLine(latitude, longitude, secondOfDay))
    }
  }
  return `${lines.join('\r\n')}\r\n`
}

function speedLine(course: number, knots: number): string {
  const over = `${course.toFixed(2)},T,${course.toFixed(2)},M`
  return writeSentence(['IIVTG', over, knots.toFixed(2), 'N', '', '', 'S'])
}

function positionLine(latitude: number, longitude: number, secondOfDay: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const time = `${two(secondOfDay / 3_600)}${two((secondOfDay / 60) % 60)}${two(secondOfDay % 60)}`
  const north = `${degreesAndMinutes(latitude, 2)},N`
  const east = `${degreesAndMinutes(longitude, 3)},E`
  return writeSentence(['GPGLL', north, east, time, 'A', 'S'])
}

function degreesAndMinutes(degrees: number, digits: number): string {
  const thousandths = Math.round(degrees * 60_000)
  const whole = String(Math.floor(thousandths / 60_000)).padStart(digits, '0')
  return `${whole}${((thousandths % 60_000) / 1_000).toFixed(3).padStart(6, '0')}`
}
