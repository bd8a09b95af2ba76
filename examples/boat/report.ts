import { formatDecimal } from '@liquefy/protocol'
import type { Logbook } from './logbook.ts'
import type { Bill, Season } from './season.ts'

/** The story in plain text, tables aligned. */
export function tell({ logbook, charter }: Season): string {
  return [...tellLog(logbook), '', ...tellCharter(charter)].join('\n')
}

function tellLog({ isReal, lines, fixes, refused }: Logbook): string[] {
  const faults = Object.entries(refused).map(([code, count]) => `${count} ${code}`)
  const bad = faults.length === 0 ? 'none refused' : `refused: ${faults.join(', ')}`
  return [
    `The log: ${whole(lines)} lines of NMEA 0183, ${whole(fixes.length)} positions with a speed, ${bad}.`,
    isReal
      ? "Position, speed and distance are a real boat's; engine and fuel are a simulated engine's, which runs from three knots on."
      : "There is no real log here: position and speed are simulated, and so are engine and fuel. Set LIQUEFY_SHARED for a real boat's.",
  ]
}

function tellCharter({ agreement, audit }: Bill): string[] {
  const rows = audit.periods.map(({ registers, paidMinor }, day) => [
    DAYS[day] ?? '',
    hours(registers[0]),
    `${formatDecimal(BigInt(registers[1] ?? 0), 3)} l`,
    euro(paidMinor),
  ])
  const { priced, envelopes, settledMinor, differenceMinor, firstFault } = audit
  const fault = firstFault ? `, ${firstFault.code}` : ''
  return [
    agreement.tariffInWords,
    '',
    ...table(['day', 'engine', 'fuel', 'charter'], rows),
    '',
    `charter: ${priced} of ${envelopes} envelopes priced, ${euro(settledMinor)} settled, audit difference ${differenceMinor}${fault}`,
  ]
}

const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday']

function hours(seconds = '0'): string {
  const minutes = Math.floor(Number(seconds) / 60)
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

function whole(count: number): string {
  return formatDecimal(BigInt(count), 0, { grouping: true })
}

/** To the cent below. */
function euro(minor: string): string {
  return `${formatDecimal(BigInt(minor), 6, { grouping: true }).slice(0, -4)} tEUR`
}

/** The first column to the left, the others to the right. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  return [heads, ...rows].map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return column === 0 ? cell.padEnd(width) : cell.padStart(width + 3)
      })
      .join(''),
  )
}
