import { multiply, type UnitQuantity, unitQuantity } from '../units/unit-quantity.ts'
import type { MeterRule } from './rule.ts'

/** Which stream a rule meters. */
export type MeteredBy = { stream: string; rule: MeterRule }

/**
 * Whether the prices of an agreement are per what its meters count, and each meter counts what its rule says, by physics where the units
 * are known and by name where not (docs/protocol/meter-rules.md, "Units"). Asked before an agreement is opened, never at billing.
 *
 * @param units the unit that each price is per, in the order of the meters; none: only the rules are looked at.
 * @returns what does not fit, in one sentence that names the meter; undefined if all does.
 */
export function checkTariffUnits(
  meters: readonly MeteredBy[],
  units?: readonly string[],
): string | undefined {
  if (units && units.length !== meters.length) {
    return `there are ${units.length} units of prices, but ${meters.length} meters; name one for each meter, in their order.`
  }
  for (const [index, { stream, rule }] of meters.entries()) {
    const meter = `meter ${index + 1} ("${stream}")`
    const priced = units?.[index] ?? rule.registerUnit
    if (!isSameUnit(rule.registerUnit, priced)) {
      return `${meter} counts in ${rule.registerUnit}, but its price is per ${priced}.`
    }
    const slip = conversionSlip(rule)
    if (slip) return `${meter} ${slip}`
  }
  return undefined
}

/** The same name, or two names of exactly the same: l and L. */
function isSameUnit(one: string, other: string): boolean {
  if (one === other) return true
  const [a, b] = [unitQuantity(one), unitQuantity(other)]
  if (a?.dimension !== b?.dimension || !a || !b) return false
  return a.numerator * b.denominator === b.numerator * a.denominator
}

/** How a rule's factor contradicts its units; undefined if it does not, or nothing is known of one of them. */
function conversionSlip(rule: MeterRule): string | undefined {
  const counted = unitQuantity(rule.registerUnit)
  const input = inputOf(rule)
  if (!counted || !input) return undefined
  if (counted.dimension === input.quantity.dimension) return factorSlip(rule, counted, input)
  if (rule.rule === 'duration-beyond' || rule.rule === 'distance') {
    return `measures in ${input.name}, which cannot be counted in ${rule.registerUnit}.`
  }
  if (rule.rule === 'integral' && counted.dimension === unitQuantity(rule.unit)?.dimension) {
    return `adds ${rule.unit} up over time: that is ${input.name}, which cannot be counted in ${rule.registerUnit}.`
  }
  // Millimetres of a level are so many grams: a calibration, of which units say nothing.
  return undefined
}

type Input = { name: string; quantity: UnitQuantity }

/** What a rule's factor scales. */
function inputOf(rule: MeterRule): Input | undefined {
  switch (rule.rule) {
    case 'counter':
    case 'drawdown':
      return scaled(rule.unit, rule.scale, unitQuantity(rule.unit))
    case 'integral': {
      const [rate, second] = [unitQuantity(rule.unit), unitQuantity('s')]
      return scaled(`${rule.unit} s`, rule.scale, rate && second && multiply(rate, second))
    }
    case 'duration-beyond':
      return scaled('s', 0, unitQuantity('s'))
    case 'count':
      return scaled('readings', 0, unitQuantity('1'))
    case 'distance':
      return scaled('m', 0, unitQuantity('m'))
  }
}

function scaled(name: string, scale: number, quantity?: UnitQuantity): Input | undefined {
  if (!quantity) return undefined
  const denominator = quantity.denominator * 10n ** BigInt(scale)
  return {
    name: scale === 0 ? name : `${name} to ${scale} places`,
    quantity: { ...quantity, denominator },
  }
}

function factorSlip(
  { factor, registerUnit }: MeterRule,
  counted: UnitQuantity,
  { name, quantity }: Input,
): string | undefined {
  const numerator = quantity.numerator * counted.denominator
  const denominator = quantity.denominator * counted.numerator
  if (BigInt(factor.numerator) * denominator === BigInt(factor.denominator) * numerator) {
    return undefined
  }
  const common = greatestCommonDivisor(numerator, denominator)
  return (
    `measures in ${name} and counts in ${registerUnit}: its factor must be ${numerator / common}/${denominator / common}, ` +
    `not ${factor.numerator}/${factor.denominator}.`
  )
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b)
}
