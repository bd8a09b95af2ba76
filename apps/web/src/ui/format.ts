import type { AgreementSummary, Deployment, PartyMachine } from '@liquefy/client'
import { formatDecimal } from '@liquefy/protocol'

const grouped = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 })
const decimalMark =
  new Intl.NumberFormat().formatToParts(1.5).find(({ type }) => type === 'decimal')?.value ?? '.'

/**
 * An exact decimal for reading: digits grouped as the reader's locale does, cut (never rounded up) to `places`.
 *
 * @param value integer in smallest units, as a decimal string
 */
export const formatExact = (value: string, decimals: number, places: number): string => {
  const text = formatDecimal(BigInt(value), decimals)
  const [whole = '0', fraction = ''] = text.split('.')
  const shown = fraction.padEnd(places, '0').slice(0, places)
  const sign = whole === '-0' ? '-' : ''
  return `${sign}${grouped.format(BigInt(whole))}${places > 0 ? decimalMark + shown : ''}`
}

/** An exact decimal without zeros that say nothing: "40", "0.5". Not grouped, so that it can stand in a field. */
export const formatAmount = (value: string, decimals: number): string => {
  const text = formatDecimal(BigInt(value), decimals)
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

export const formatCount = (value: number | string): string => grouped.format(BigInt(value))

/** "one reading", "1,200 readings": of a word that takes an s. */
export const countOf = (count: number, what: string): string =>
  count === 1 ? `one ${what}` : `${formatCount(count)} ${what}s`

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
const dateAndClock = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'medium',
})
const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' })

/** Clock time today, else with its date. */
export const formatTime = (timeMs: number): string =>
  new Date(timeMs).toDateString() === new Date().toDateString()
    ? clock.format(timeMs)
    : dateAndClock.format(timeMs)

export const formatTimeWithZone = (timeMs: number): string => zoned.format(timeMs)

/** "3 s", "12 min", "5 h", "3 d". */
export const formatAge = (milliseconds: number): string => {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

export const shorten = (hex: string): string =>
  hex.length > 14 ? `${hex.slice(0, 8)}…${hex.slice(-4)}` : hex

/** The name of an account where this ledger's people are known, else its address shortened. */
export const nameOf = (deployment: Deployment | undefined, address: string): string =>
  deployment?.people.find((person) => person.address.toLowerCase() === address.toLowerCase())
    ?.name ?? shorten(address)

/** Who pays in an agreement, as people call him. */
export const payerName = (
  deployment: Deployment | undefined,
  { payer, payerMachine }: Pick<AgreementSummary, 'payer' | 'payerMachine'>,
): string => accountName(payerMachine) ?? nameOf(deployment, payer)

/** Who is paid in an agreement, as people call him. */
export const payeeName = (
  deployment: Deployment | undefined,
  { payee, payeeMachine }: Pick<AgreementSummary, 'payee' | 'payeeMachine'>,
): string => accountName(payeeMachine) ?? nameOf(deployment, payee)

const accountName = (machine: PartyMachine | null): string | undefined =>
  machine === null ? undefined : `machine ${machine.machineId} (its own account)`

const unitSigns: Readonly<Record<string, string>> = {
  Cel: '°C',
  deg: '°',
  lat: '°',
  lon: '°',
  count: '',
  '%RH': '% RH',
  '%EL': '%',
}

/** A unit of SenML as people write it. */
export const unitWords = (unit: string): string => unitSigns[unit] ?? unit

/** Grams read better as kilograms from a kilogram on; other units stay. */
export const formatQuantity = (value: string, unit: string): string => {
  const larger: Record<string, [unit: string, decimals: number]> = {
    g: ['kg', 3],
    Wh: ['kWh', 3],
    ml: ['l', 3],
    m: ['km', 3],
  }
  const step = larger[unit]
  if (step && value.length > step[1]) return `${formatExact(value, step[1], 2)} ${step[0]}`
  return `${formatExact(value, 0, 0)} ${unitWords(unit)}`.trimEnd()
}
