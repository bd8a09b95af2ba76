import { senmlToUcum } from './senml.ts'

/** What one of a unit is, exactly: `numerator / denominator` of the coherent SI unit of its dimension. */
export type UnitQuantity = {
  numerator: bigint
  denominator: bigint
  /** Exponents of `BASES`; equal text means that the units measure the same kind of thing. */
  dimension: string
}

/** Kelvin and degree Celsius differ by more than a factor, so each stands for itself. */
const BASES = ['m', 'kg', 's', 'A', 'K', 'Cel', 'mol', 'cd', 'bit'] as const
type Exponents = Partial<Record<(typeof BASES)[number], number>>

/** By UCUM code: how much of which base units, and whether UCUM lets it have a prefix. */
type Atom = { per: readonly [bigint, bigint]; of: Exponents; hasPrefixes: boolean }

const atom = (of: Exponents, numerator = 1n, denominator = 1n): Atom => ({
  per: [numerator, denominator],
  of,
  hasPrefixes: true,
})
const alone = (of: Exponents, numerator = 1n, denominator = 1n): Atom => ({
  ...atom(of, numerator, denominator),
  hasPrefixes: false,
})

const ATOMS: ReadonlyMap<string, Atom> = new Map([
  ['m', atom({ m: 1 })],
  ['g', atom({ kg: 1 }, 1n, 1_000n)],
  ['t', atom({ kg: 1 }, 1_000n)],
  ['s', atom({ s: 1 })],
  ['min', alone({ s: 1 }, 60n)],
  ['h', alone({ s: 1 }, 3_600n)],
  ['d', alone({ s: 1 }, 86_400n)],
  ['A', atom({ A: 1 })],
  ['K', atom({ K: 1 })],
  ['Cel', alone({ Cel: 1 })],
  ['mol', atom({ mol: 1 })],
  ['cd', atom({ cd: 1 })],
  ['bit', atom({ bit: 1 })],
  ['By', atom({ bit: 1 }, 8n)],
  ['l', atom({ m: 3 }, 1n, 1_000n)],
  ['L', atom({ m: 3 }, 1n, 1_000n)],
  ['Hz', atom({ s: -1 })],
  ['N', atom({ kg: 1, m: 1, s: -2 })],
  ['Pa', atom({ kg: 1, m: -1, s: -2 })],
  ['J', atom({ kg: 1, m: 2, s: -2 })],
  ['W', atom({ kg: 1, m: 2, s: -3 })],
  ['C', atom({ A: 1, s: 1 })],
  ['V', atom({ kg: 1, m: 2, s: -3, A: -1 })],
  ['1', alone({})],
  ['%', alone({}, 1n, 100n)],
  ['[ppm]', alone({}, 1n, 1_000_000n)],
  ['[ppb]', alone({}, 1n, 1_000_000_000n)],
])

const PREFIXES: ReadonlyMap<string, readonly [bigint, bigint]> = new Map([
  ['n', [1n, 1_000_000_000n]],
  ['u', [1n, 1_000_000n]],
  ['m', [1n, 1_000n]],
  ['c', [1n, 100n]],
  ['d', [1n, 10n]],
  ['h', [100n, 1n]],
  ['k', [1_000n, 1n]],
  ['M', [1_000_000n, 1n]],
  ['G', [1_000_000_000n, 1n]],
  ['T', [1_000_000_000_000n, 1n]],
])

const POWER = /^(\[?[A-Za-z%]+\]?|1)(-?[1-9])?$/

/**
 * What one of a unit is, by its SenML name (RFC 8428) or its UCUM code: `Wh`, `W.h`, `kg/m3`, `min`, `count`.
 * Undefined for units that are not in the table, whose ratio to others is not rational, or which have another zero.
 */
export function unitQuantity(name: string): UnitQuantity | undefined {
  const parts = (senmlToUcum(name) ?? name).split(/([./])/)
  let product: UnitQuantity | undefined = quantityOf(1n, 1n, {})
  for (let at = 0; at < parts.length; at += 2) {
    // A code may begin with "/": nothing stands before it.
    const text = at === 0 && parts[0] === '' && parts.length > 1 ? '1' : (parts[at] ?? '')
    const factor = powerOf(text, parts[at - 1] === '/' ? -1 : 1)
    product = product && factor && multiply(product, factor)
  }
  return product
}

/** What one of `a` times one of `b` is: W and s are a J. */
export function multiply(a: UnitQuantity, b: UnitQuantity): UnitQuantity {
  const exponents = exponentsOf(b)
  const sum = exponentsOf(a).map((exponent, base) => exponent + (exponents[base] ?? 0))
  return {
    numerator: a.numerator * b.numerator,
    denominator: a.denominator * b.denominator,
    dimension: sum.join(' '),
  }
}

/** A unit with its exponent, `s2`, above or below the line. */
function powerOf(text: string, sign: 1 | -1): UnitQuantity | undefined {
  const [, code = '', exponentText = '1'] = POWER.exec(text) ?? []
  const unit = atomOf(code)
  if (!unit) return undefined
  const exponent = sign * Number(exponentText)
  const size = BigInt(Math.abs(exponent))
  const [numerator, denominator] = unit.per.map((part) => part ** size) as [bigint, bigint]
  const of = Object.fromEntries(
    Object.entries(unit.of).map(([base, count]) => [base, count * exponent]),
  )
  return exponent > 0
    ? quantityOf(numerator, denominator, of)
    : quantityOf(denominator, numerator, of)
}

/** The unit of a code: one of the table, or one that has prefixes with one before it. */
function atomOf(code: string): Atom | undefined {
  const whole = ATOMS.get(code)
  if (whole) return whole
  const prefix = PREFIXES.get(code.slice(0, 1))
  const rest = ATOMS.get(code.slice(1))
  if (!prefix || !rest?.hasPrefixes) return undefined
  return atom(rest.of, rest.per[0] * prefix[0], rest.per[1] * prefix[1])
}

function quantityOf(numerator: bigint, denominator: bigint, of: Exponents): UnitQuantity {
  return { numerator, denominator, dimension: BASES.map((base) => of[base] ?? 0).join(' ') }
}

function exponentsOf({ dimension }: UnitQuantity): number[] {
  return dimension.split(' ').map(Number)
}
