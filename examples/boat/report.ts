import { formatDecimal, mondayOf } from '@liquefy/protocol'
import { LOAN_MINOR, RESERVE_MINOR, SHARE_MINOR } from './founding.ts'
import type { Income } from './income.ts'
import type { Logbook } from './logbook.ts'
import { CHARTERER, FOUNDER, GIVER, RECEIVER } from './people.ts'
import type { HalfSaturday } from './saturdays.ts'
import type { Bill, Season } from './season.ts'
import { table } from './table.ts'

/** The story in plain text, tables aligned. */
export function tell(season: Season): string {
  return [
    tellLog(season.logbook),
    tellShares(season),
    tellSaturdays(season),
    tellCharter(season.charter),
    tellIncome(season.incomes),
    tellOwners(season),
    tellVote(season),
    tellAudit(season.charter),
  ]
    .map((part) => part.join('\n'))
    .join('\n\n')
}

function tellLog({ isReal, lines, fixes, refused }: Logbook): string[] {
  const faults = Object.entries(refused).map(([code, count]) => `${count} ${code}`)
  const bad = faults.length === 0 ? 'none refused' : `refused: ${faults.join(', ')}`
  return [
    `THE LOG. ${whole(lines)} lines of NMEA 0183, ${whole(fixes.length)} positions with a speed, ${bad}.`,
    isReal
      ? "Position, speed and distance are a real boat's; engine and fuel are a simulated engine's, which runs from three knots on."
      : "There is no real log here: position and speed are simulated, and so are engine and fuel. Set LIQUEFY_SHARED for a real boat's.",
  ]
}

function tellShares({ machineId, company, owners, proceedsMinor }: Season): string[] {
  const shares = owners.reduce((sum, owner) => sum + owner.shares, 0n)
  return [
    `SHARES. ${FOUNDER} registers the boat (machine ${machineId}) and gives it to a vault, ${company.vault}.`,
    `${owners.length - 1} friends buy ${proceedsMinor / SHARE_MINOR} of ${shares} shares at ${euro(SHARE_MINOR)}: she has ${euro(proceedsMinor)} for them, and keeps the rest.`,
  ]
}

function tellSaturdays({ owners, saturday }: Season): string[] {
  const halves = owners.map(({ half }) => half).sort((a, b) => a.week - b.week)
  const [first, last] = [halves[0], halves.at(-1)]
  if (!first || !last) return []
  return [
    `SATURDAYS. Each friend has half of one, drawn by lot: ${halves.length} rights on the ledger, of the weeks from ${mondayOf(first.week)} to ${mondayOf(last.week)}.`,
    `${saturday.lender} lends the first morning to ${saturday.borrower}. The boat says to the one: ${startWords(saturday.toLender)} To the other: ${startWords(saturday.toBorrower)}`,
  ]
}

function startWords(answer: Season['saturday']['toLender']): string {
  return answer.ok ? 'It starts.' : answer.message
}

function tellCharter({ agreement, audit }: Bill): string[] {
  const rows = audit.periods.map(({ registers, paidMinor }, day) => [
    DAYS[day] ?? '',
    hours(registers[0]),
    `${formatDecimal(BigInt(registers[1] ?? 0), 3)} l`,
    euro(BigInt(paidMinor)),
  ])
  return [
    `CHARTER. ${CHARTERER} has the boat from Monday to Friday:`,
    `${agreement.tariffInWords}.`,
    '',
    ...table(['day', 'engine', 'fuel', 'paid'], rows),
  ]
}

function tellIncome(incomes: readonly Income[]): string[] {
  const rows = incomes.map(({ amount, reserve, lender, fees, owners }, index) => [
    index === 0 ? 'Wednesday' : 'Friday',
    ...[amount, reserve, lender, fees, owners].map(exact),
  ])
  return [
    `INCOME. First ${euro(RESERVE_MINOR)} for a new engine, then the bank until its ${euro(LOAN_MINOR)} are back, 3 % for the berth, the rest to the owners.`,
    '',
    ...table(['', 'income, tEUR', 'reserve', 'bank', 'berth', 'owners'], rows),
  ]
}

function tellOwners({ owners, incomes, leftMinor }: Season): string[] {
  const rows = owners.map(({ friend, shares, half, vote, claimedMinor }) => [
    friend,
    String(shares),
    halfSaturday(half),
    vote,
    exact(claimedMinor),
  ])
  const claimed = owners.reduce((sum, owner) => sum + owner.claimedMinor, 0n)
  const income = incomes.reduce((sum, one) => sum + one.owners, 0n)
  return [
    `OWNERS. On Thursday ${GIVER} gave ${RECEIVER} a share; what it earned before stayed hers. Then everybody claimed.`,
    '',
    ...table(['friend', 'shares', 'Saturday', 'vote', 'claimed, tEUR'], rows),
    '',
    `claimed ${exact(claimed)} + left on the vault ${exact(leftMinor)} = owners' income ${exact(income)} tEUR${claimed + leftMinor === income ? '' : ': THEY DIFFER'}`,
  ]
}

function tellVote({ decision }: Season): string[] {
  return [
    `VOTE. ${decision.title}: ${decision.words}`,
    ...decision.effects.map((effect) => `What it does on the ledger: ${effect}`),
    `${decision.for} shares for, ${decision.against} against, ${decision.abstain} abstain. After two days in the timelock anybody may have it done: ${euro(decision.spentMinor)} paid.`,
  ]
}

function tellAudit({ audit }: Bill): string[] {
  const { priced, envelopes, settledMinor, differenceMinor, firstFault } = audit
  const fault = firstFault ? `, ${firstFault.code}` : ''
  return [
    `AUDIT of the charter: ${priced} of ${envelopes} envelopes priced, ${exact(BigInt(settledMinor))} tEUR settled, difference ${differenceMinor}${fault}`,
  ]
}

const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday']

function halfSaturday({ week, half }: HalfSaturday): string {
  const saturday = new Date(Date.parse(`${mondayOf(week)}T00:00:00Z`) + 5 * 86_400_000)
  return `${saturday.toISOString().slice(0, 10)} ${half === 'morning' ? ' 8-14' : '14-20'}`
}

function hours(seconds = '0'): string {
  const minutes = Math.floor(Number(seconds) / 60)
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

function whole(count: number): string {
  return formatDecimal(BigInt(count), 0, { grouping: true })
}

/** To the smallest unit. */
function exact(minor: bigint): string {
  return formatDecimal(minor, 6, { grouping: true })
}

/** To the cent below. */
function euro(minor: bigint): string {
  return `${exact(minor).slice(0, -4)} tEUR`
}
