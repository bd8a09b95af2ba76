import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatDecimal } from '@liquefy/protocol'
import { DAYS } from './agreements.ts'
import { type Bill, runTrip } from './trip.ts'

/** `npm start -w @liquefy/example-cold-chain`: the whole tour in virtual time, and what it came to. */
const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-cold-chain-'))
try {
  const { freight, penalty } = await runTrip(dataDir)
  say(words(freight))
  say(words(penalty))
  say('\nday       driven         freight    too warm         penalty')
  for (let day = 0; day < DAYS; day += 1) {
    const [way, warm] = [freight.audit.periods[day], penalty.audit.periods[day]]
    const driven = `${way?.registers[0]} m`.padStart(12)
    const seconds = `${warm?.registers[0]} s`.padStart(12)
    say(`${day + 1}  ${driven}${euro(way?.paidMinor)}${seconds}${euro(warm?.paidMinor)}`)
  }
  say(`\nfreight: ${verdict(freight)}\npenalty: ${verdict(penalty)}`)
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}

function words({ agreement }: Bill): string {
  return [...agreement.rulesInWords, agreement.tariffInWords].join('\n')
}

function euro(minor = '0'): string {
  const text = formatDecimal(BigInt(minor), 6, { grouping: true }).slice(0, -4)
  return `${text} tEUR`.padStart(16)
}

function verdict({ audit }: Bill): string {
  const { priced, envelopes, settledMinor, differenceMinor, firstFault } = audit
  const fault = firstFault ? `, ${firstFault.code}` : ''
  return `${priced} of ${envelopes} envelopes priced, ${euro(settledMinor).trim()} settled, audit difference ${differenceMinor}${fault}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
