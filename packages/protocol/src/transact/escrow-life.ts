import { formatDecimal } from '../units/decimal.ts'
import { larger, smaller } from '../units/larger.ts'
import type { Terms } from './terms.ts'

/** What was newly owed in a span of time that has just passed. No seconds: nothing could be owed yet. */
export type Pace = { minor: bigint; seconds: bigint }

/** How far what an agreement has in escrow reaches. */
export type EscrowLife =
  /** Nothing more will be owed. */
  | { kind: 'ended' }
  /** All of it is owed already. */
  | { kind: 'spent' }
  /** It is enough for the most that the caps of the remaining periods let be owed. */
  | { kind: 'covered' }
  /** Nothing was owed lately. */
  | { kind: 'idle' }
  /** At that pace it lasts beyond the last period. */
  | { kind: 'to-end' }
  /** At that pace it lasts so long from now on, rounded down to a whole second. */
  | { kind: 'lasts'; seconds: bigint }

/**
 * How far escrow reaches if what is owed goes on growing at the pace of late, where no period owes more than its cap. All amounts in
 * smallest units; exact, and rounded down once, to a whole second.
 *
 * @param escrowMinor in escrow.
 * @param unpaidMinor of it: owed, and not paid yet.
 * @param owedMinor what the running period owes.
 * @param open whether the agreement is.
 */
export function escrowLife({
  terms,
  open,
  escrowMinor,
  unpaidMinor,
  owedMinor,
  pace,
  nowSeconds,
}: {
  terms: Pick<Terms, 'start' | 'periodSeconds' | 'periods' | 'capMinor'>
  open: boolean
  escrowMinor: bigint
  unpaidMinor: bigint
  owedMinor: bigint
  pace: Pace
  nowSeconds: bigint
}): EscrowLife {
  const length = BigInt(terms.periodSeconds)
  const end = terms.start + length * BigInt(terms.periods)
  const left = escrowMinor - unpaidMinor
  const isOver = !open || nowSeconds >= end
  if (isOver && left >= 0n) return { kind: 'ended' }
  if (left <= 0n) return { kind: 'spent' }
  const wait = larger(terms.start - nowSeconds, 0n)
  const running = larger(nowSeconds - terms.start, 0n) / length
  const rest = terms.start + length * (running + 1n) - (nowSeconds + wait)
  const later = BigInt(terms.periods) - running - 1n
  const room = larger(terms.capMinor - owedMinor, 0n)
  if (left >= room + later * terms.capMinor) return { kind: 'covered' }
  if (pace.minor <= 0n || pace.seconds <= 0n) return { kind: 'idle' }
  // From here on in units of 1/pace.seconds, of which one second costs pace.minor: nothing is rounded on the way.
  const scaled = left * pace.seconds
  const first = smaller(pace.minor * rest, room * pace.seconds)
  if (scaled < first) return { kind: 'lasts', seconds: wait + scaled / pace.minor }
  const each = smaller(pace.minor * length, terms.capMinor * pace.seconds)
  const whole = (scaled - first) / each
  if (whole >= later) return { kind: 'to-end' }
  const remainder = scaled - first - whole * each
  return { kind: 'lasts', seconds: wait + rest + whole * length + remainder / pace.minor }
}

/** It in words that go on from "escrow": "lasts about 12 days at the pace of the last 24 hours". */
export function explainEscrowLife(life: EscrowLife, pace: Pace): string {
  const lately = `the last ${roundedWords(pace.seconds)}`
  switch (life.kind) {
    case 'ended':
      return 'nothing more will be owed'
    case 'spent':
      return 'used up: all of it is owed already'
    case 'covered':
      return 'enough for the most that can still be owed'
    case 'idle':
      return `no end in sight: nothing was owed ${pace.seconds > 0n ? `in ${lately}` : 'yet'}`
    case 'to-end':
      return `lasts until the end of the last period at the pace of ${lately}`
    case 'lasts':
      return life.seconds < 1n
        ? `lasts less than a second at the pace of ${lately}`
        : `lasts about ${roundedWords(life.seconds)} at the pace of ${lately}`
  }
}

const UNITS = [
  ['days', 86_400n],
  ['hours', 3_600n],
  ['minutes', 60n],
] as const

/** Rounded down, in the largest unit of which it holds two or more: "24 hours", "12 days". */
function roundedWords(seconds: bigint): string {
  const [unit, length] = UNITS.find(([, unitSeconds]) => seconds >= 2n * unitSeconds) ?? [
    seconds === 1n ? 'second' : 'seconds',
    1n,
  ]
  return `${formatDecimal(seconds / length, 0, { grouping: true })} ${unit}`
}
