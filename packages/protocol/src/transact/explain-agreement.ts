import { ZERO_DIGEST } from '../trust/envelope.ts'
import { formatDecimal } from '../units/decimal.ts'
import { durationWords } from '../units/duration.ts'
import { explainTariff, type TariffAsset, type TariffUnit, tariffUnits } from './explain-tariff.ts'
import { explainRule, type MeterRule } from './rule.ts'
import { explainSigner, SIGNER_KIND } from './signer.ts'
import { owedCapped, type Tariff } from './tariff.ts'
import type { Terms } from './terms.ts'

/** An agreement as far as it can be explained; `tariff` undefined if its contract is none of ours. */
export interface Explained {
  terms: Terms
  rules: readonly MeterRule[]
  tariff: Tariff | undefined
  asset: TariffAsset
  /** What people are called, by lower-case address. */
  names: ReadonlyMap<string, string>
  /** What its machine is called, where it has a name. */
  machineName?: string | undefined
  /** The id of the agreement that this one belongs to. */
  linkedTo?: string | undefined
}

/** What an agreement says, in plain words, with an example bill. Amounts as in `exampleBill`. */
export interface Explanation {
  /** Sentences, in the order in which they are read. */
  words: string[]
  bill: BillLine[]
}

/** One line of the example bill: what was counted, and what the period costs so far with it and all lines before. */
interface BillLine {
  what: string
  amountMinor: string
}

/** An example bill shows so many of the units that prices are quoted in. */
const EXAMPLE_UNITS = 100n
const WHOLE = { grouping: true } as const

/** Explains an agreement. */
export function explainAgreement(explained: Explained): Explanation {
  const { terms, rules, tariff, asset, names, linkedTo } = explained
  const name = (address: string) => names.get(address.toLowerCase()) ?? address
  const money = (minor: bigint) =>
    `${formatDecimal(minor, asset.decimals, { grouping: true, trim: true })} ${asset.symbol}`
  const units = tariffUnits(terms, rules)
  return {
    words: [
      `${name(terms.payer)} pays ${name(terms.payee)}${subjectWords(explained)}.`,
      ...(linkedTo ? [`It belongs to agreement ${linkedTo}.`] : []),
      ...terms.meters.map(({ stream }, index) => `Stream "${stream}": ${ruleWords(rules[index])}`),
      `The price is ${tariff ? explainTariff(tariff, { units, asset }) : 'what a tariff contract says that we do not know'}.`,
      `A period is ${durationWords(terms.periodSeconds)}, and there are ${formatDecimal(BigInt(terms.periods), 0, WHOLE)} of them; one costs at most ${money(terms.capMinor)}.`,
      `${signerWords(explained)}, out of escrow that ${name(terms.payer)} has put there before.`,
      ...limitWords(terms, units),
      `Readings count if they arrive within ${durationWords(terms.backfillSeconds)}. A period is final ${durationWords(terms.lateSeconds)} after its end; what comes later makes one adjustment, upward, and nothing else.`,
      `If escrow runs short, what is proven stays owed, and is paid after a top-up.`,
      `${name(terms.payee)} may end it at any time; anybody may ${durationWords(terms.lateSeconds + terms.settleSeconds)} after the last period. What is left in escrow then goes back to ${name(terms.payer)}.`,
    ],
    bill: tariff ? exampleBill(terms, tariff, units) : [],
  }
}

/** So many quantities are enough to slide over. */
const QUANTITIES = 50n

/**
 * Quantities of one register, in its units, for an example: from none in even steps of 1, 2 or 5 of a power of ten of the price's unit, up to
 * where the cap is reached, or a million units where it never is.
 */
export function exampleQuantities(
  tariff: Tariff,
  { per }: TariffUnit,
  { limits, periodSeconds, capMinor }: Pick<Terms, 'limits' | 'periodSeconds' | 'capMinor'>,
): bigint[] {
  const costs = (quantity: bigint) =>
    owedCapped(
      tariff,
      limits.map((_, index) => (index === 0 ? quantity : 0n)),
      BigInt(periodSeconds),
      capMinor,
    )
  const rounds = [1n, 2n, 5n].map((step) => step * per)
  let most = per * 10n
  for (let power = 1n; power <= 100_000n; power *= 10n) {
    const enough = rounds.find((step) => costs(step * power * 10n) >= capMinor)
    most = (enough ?? 10n * per) * power * 10n
    if (enough) break
  }
  const step = most / QUANTITIES || 1n
  return Array.from({ length: Number(most / step) + 1 }, (_, index) => BigInt(index) * step)
}

/** What one offer changes of another: the same part of both in words, only where they differ. */
export interface TermsChange {
  what: string
  before: string
  after: string
}

/** What changed between two offers, in the order in which terms are explained. Until when they may be opened is no part of it. */
export function termsChanges(before: Explained, after: Explained): TermsChange[] {
  const [earlier, later] = [partsOf(before), partsOf(after)]
  return [...new Set([...earlier.keys(), ...later.keys()])].flatMap((what) => {
    const change = { what, before: earlier.get(what) ?? 'none', after: later.get(what) ?? 'none' }
    return change.before === change.after ? [] : [change]
  })
}

/** Terms part by part, each in words. */
function partsOf(explained: Explained): Map<string, string> {
  const { terms, rules, tariff, asset, names } = explained
  const name = (address: string) => names.get(address.toLowerCase()) ?? address
  const units = tariffUnits(terms, rules)
  const cap = formatDecimal(terms.capMinor, asset.decimals, { grouping: true, trim: true })
  return new Map([
    ['Who pays whom', `${name(terms.payer)} pays ${name(terms.payee)}`],
    ['Machine', terms.machineId === 0n ? 'none' : machineWords(explained)],
    ...terms.meters.flatMap(({ stream, startHead }, index): [string, string][] => [
      [`Meter ${index + 1}`, `stream "${stream}": ${ruleWords(rules[index])}`],
      [
        `Meter ${index + 1} begins`,
        startHead === ZERO_DIGEST ? 'with the first envelope' : `behind envelope ${startHead}`,
      ],
    ]),
    ['Price', tariff ? explainTariff(tariff, { units, asset }) : 'a contract that we do not know'],
    ['Period', durationWords(terms.periodSeconds)],
    ['Number of periods', formatDecimal(BigInt(terms.periods), 0, WHOLE)],
    ['Most that a period costs', `${cap} ${asset.symbol}`],
    ['Signed by', signedByWords(explained)],
    ...limitWords(terms, units).map((words, index): [string, string] => [
      `Limit ${index + 1}`,
      words,
    ]),
    ['Counts from', momentText(terms.start)],
    ['Readings count for', durationWords(terms.backfillSeconds)],
    ['A period is final after', durationWords(terms.lateSeconds)],
    ['A missing reading is waited for', durationWords(terms.gapTimeoutSeconds)],
    ['Left for settling', durationWords(terms.settleSeconds)],
    ['Streams', terms.shared ? 'shared with other agreements' : 'for this agreement alone'],
  ])
}

/** A moment in whole seconds of UTC; a number where no calendar reaches. */
function momentText(seconds: bigint): string {
  const date = new Date(Number(seconds) * 1000)
  if (Number.isNaN(date.getTime())) return `${seconds} s after 1970`
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** `machine 3`, or `Pump in hall 2 (machine 3)`. */
function machineWords({ terms: { machineId }, machineName }: Explained): string {
  return machineName === undefined
    ? `machine ${machineId}`
    : `${machineName} (machine ${machineId})`
}

function subjectWords(explained: Explained): string {
  const { machineId, signerKind } = explained.terms
  if (machineId === 0n) return ''
  return signerKind === SIGNER_KIND.nobody
    ? ` for ${machineWords(explained)}`
    : ` for what ${machineWords(explained)} measures`
}

function signedByWords(explained: Explained): string {
  const { terms } = explained
  const isItself =
    terms.signerKind === SIGNER_KIND.machine && BigInt(terms.signer) === terms.machineId
  return isItself ? machineWords(explained) : explainSigner(terms)
}

function signerWords(explained: Explained): string {
  return explained.terms.signerKind === SIGNER_KIND.nobody
    ? 'Time alone counts: nobody signs anything, and the money moves by itself'
    : `Meter values are signed by ${signedByWords(explained)}, and such a signature alone moves the money`
}

function ruleWords(rule: MeterRule | undefined): string {
  return rule ? explainRule(rule) : 'a rule that we do not know.'
}

/** A bill of one whole period, register by register, by the same arithmetic that the ledger uses. */
function exampleBill(terms: Terms, tariff: Tariff, units: readonly TariffUnit[]): BillLine[] {
  const seconds = BigInt(terms.periodSeconds)
  const registers = units.map(() => 0n)
  const cost = () => owedCapped(tariff, registers, seconds, terms.capMinor).toString()
  const lines = [
    {
      what: `a whole period of ${durationWords(terms.periodSeconds)}, nothing used`,
      amountMinor: cost(),
    },
  ]
  for (const [index, { unit, per }] of units.entries()) {
    registers[index] = EXAMPLE_UNITS * per
    lines.push({
      what: `and ${EXAMPLE_UNITS} ${unit} on register ${index + 1}`,
      amountMinor: cost(),
    })
  }
  return lines
}

function limitWords({ limits }: Terms, units: readonly TariffUnit[]): string[] {
  return limits.map(({ burst, perHour }, index) => {
    const { unit, per } = units[index] ?? { unit: 'units', per: 1n }
    const text = (count: bigint) => formatDecimal(count / per, 0, WHOLE)
    const unitText =
      per === 1n || (burst % per === 0n && perHour % per === 0n) ? unit : `whole ${unit}`
    return `Register ${index + 1} never shows more than ${text(burst)} ${unitText} plus ${text(perHour)} an hour in a period: that is the most a stolen key could take.`
  })
}
