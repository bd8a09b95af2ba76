import {
  advance,
  foldTermsOf,
  type LoggedEnvelope,
  owedCapped,
  registerAt,
  startFold,
  withinRateBound,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import {
  createVirtualClock,
  type MachineDefinition,
  termsOf,
  withdrawnKg,
} from '@liquefy/simulator'
import { expect, test } from 'vitest'
import { product } from '../product.ts'

const START_MS = Date.UTC(2026, 0, 5)
const MINUTES = 59

/** An hour of one silo in virtual time, folded as machine and node do. */
function run(definition: MachineDefinition) {
  const terms = termsOf(definition.agreement, {
    deployment: {
      asset: { address: `0x${'01'.repeat(20)}` },
      linearTariff: `0x${'02'.repeat(20)}`,
      tieredTariff: `0x${'03'.repeat(20)}`,
      planTariff: `0x${'06'.repeat(20)}`,
    },
    machineId: 1n,
    payer: `0x${'04'.repeat(20)}`,
    payee: `0x${'05'.repeat(20)}`,
    startSeconds: BigInt(START_MS / 1_000),
    salt: ZERO_DIGEST,
  })
  const [meter] = definition.agreement.meters
  if (!meter) throw new Error('no meter')
  const foldTerms = foldTermsOf(terms, 0, meter.rule, 1n)
  const clock = createVirtualClock(START_MS)
  const process = definition.process(definition.seed)
  const codes = new Map<string, number>()
  const money: bigint[] = []
  let state = startFold(foldTerms)
  let seq = 0n
  let replacements = 0
  let refills = 0
  let level = 0n
  for (let second = 1; second <= MINUTES * 60; second += 1) {
    clock.advance(product.readEveryMs)
    const nowMs = clock.nowMs()
    for (const one of process.step(product.readEveryMs * product.speedUp, nowMs)) {
      if (one.stream !== meter.stream) continue
      seq += 1n
      const base = { seq, digest: ZERO_DIGEST, loggedAt: nowMs, code: 'OK', iat: 0 } as const
      let envelope: LoggedEnvelope
      if (one.kind === 'replacement') {
        replacements += 1
        const { atMs, reason } = one
        const declaration = { kind: 'replacement', atMs, reason } as const
        envelope = { ...base, content: { kind: 'declaration', declaration } }
      } else {
        if (one.kind !== 'reading') throw new Error(`A silo tells no ${one.kind}.`)
        const mantissa = one.sample.value as bigint
        if (mantissa > level + 20n && level > 0n) refills += 1
        level = mantissa
        const value = { kind: 'decimal', mantissa, exponent: 0 } as const
        const reading = { name: '', unit: 'mm', timeMs: nowMs, value }
        envelope = { ...base, content: { kind: 'readings', readings: [reading] } }
      }
      const folded = advance(foldTerms, state, [envelope], nowMs)
      state = folded.state
      for (const { code } of folded.steps) codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    const registers = [registerAt(state, 0)]
    const asOf = BigInt(Math.floor(nowMs / 1_000))
    const value = {
      agreementId: ZERO_DIGEST,
      period: 0,
      asOf,
      registers,
      evidenceHead: ZERO_DIGEST,
    }
    if (!withinRateBound(terms, value)) throw new Error(`rate bound at second ${second}`)
    const { tariff, capMinor } = definition.agreement
    money.push(owedCapped(tariff, registers, BigInt(second), capMinor))
  }
  return { process, codes, money, replacements, refills, grams: registerAt(state, 0) }
}

test.each(product.machines)(
  '$name: an hour bills what left the silo, and no refill',
  (definition) => {
    const { process, codes, money, refills, grams } = run(definition)
    expect([...codes.keys()]).toEqual(['OK'])
    expect(refills).toBeGreaterThan(10)
    const leftKg = withdrawnKg(process)
    const billedKg = Number(grams) / 1_000
    expect(leftKg).toBeGreaterThan(5_000)
    // What a probe with noise cannot see, at each refill and at the end: a few millimetres.
    expect(Math.abs(billedKg - leftKg) / leftKg).toBeLessThan(0.03)
    expect(money.at(-1)).toBeLessThan(definition.agreement.capMinor)
    expect(money.at(-1)).toBeLessThan(definition.agreement.escrowMinor)
    const firstCent = money.findIndex((minor) => minor > 10_000n)
    expect(firstCent).toBeGreaterThan(-1)
    expect(firstCent).toBeLessThan(30)
  },
)

test('one probe is replaced after a few minutes, and bills nothing', () => {
  const replaced = product.machines.map((definition) => run(definition).replacements)
  expect(replaced).toEqual([0, 0, 1])
})

test('no machine has the random numbers of another', () => {
  const seeds = product.machines.map(({ seed }) => seed)
  expect(new Set(seeds).size).toBe(seeds.length)
})
