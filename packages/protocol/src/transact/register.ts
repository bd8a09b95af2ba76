import type { MeterRule } from './rule.ts'

/**
 * How many parts of a rule's cumulative input make one of what its factor scales. An integral is kept as twice
 * value x ms, time in ms, a way in micrometres, so that no division happens before the last.
 */
const PARTS: Readonly<Record<MeterRule['rule'], bigint>> = {
  counter: 1n,
  drawdown: 1n,
  integral: 2_000n,
  'duration-beyond': 1_000n,
  count: 1n,
  distance: 1_000_000n,
}

/** The register that a period's exact cumulative input makes: scaled by the rule's factor and floored, at once. */
export function registerOf(rule: MeterRule, input: bigint): bigint {
  const { numerator, denominator } = scaleOf(rule)
  return (input * numerator) / denominator
}

/** What one of a rule's input is in its register, as an exact fraction. */
export function scaleOf({ rule, factor }: MeterRule): { numerator: bigint; denominator: bigint } {
  return {
    numerator: BigInt(factor.numerator),
    denominator: BigInt(factor.denominator) * PARTS[rule],
  }
}
