import {
  advance,
  foldTermsOf,
  owedCapped,
  registerAt,
  startFold,
  withinRateBound,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { createVirtualClock, type MachineDefinition, termsOf } from '@liquefy/simulator'
import { expect, test } from 'vitest'
import { delivered } from '../charge-point.ts'
import { product } from '../product.ts'

const START_MS = Date.UTC(2026, 0, 5)
const MINUTES = 59

/** Almost an hour of one charge point in virtual time, folded as machine and node do. */
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
  const folds = definition.agreement.meters.map(({ rule, stream }, index) => {
    const foldTerms = foldTermsOf(terms, index, rule, 1n)
    return { stream, foldTerms, seq: 0n, state: startFold(foldTerms) }
  })
  const clock = createVirtualClock(START_MS)
  const process = definition.process(definition.seed)
  const codes = new Set<string>()
  const money: bigint[] = []
  const first = new Map<string, bigint>()
  for (let second = 1; second <= MINUTES * 60; second += 1) {
    clock.advance(product.readEveryMs)
    const nowMs = clock.nowMs()
    for (const one of process.step(product.readEveryMs * product.speedUp, nowMs)) {
      const fold = folds.find(({ stream }) => stream === one.stream)
      if (!fold || one.kind !== 'reading') throw new Error(`nobody meters ${one.stream}`)
      const value = one.sample.value as bigint
      if (!first.has(one.stream)) first.set(one.stream, value)
      fold.seq += 1n
      const reading = {
        name: one.stream,
        unit: one.sample.unit,
        timeMs: nowMs,
        value: { kind: 'decimal' as const, mantissa: value, exponent: 0 },
      }
      const folded = advance(
        fold.foldTerms,
        fold.state,
        [
          {
            seq: fold.seq,
            digest: `0x${fold.seq.toString(16).padStart(64, '0')}`,
            loggedAt: nowMs,
            code: 'OK',
            iat: 0,
            content: { kind: 'readings', readings: [reading] },
          },
        ],
        nowMs,
      )
      fold.state = folded.state
      for (const { code } of folded.steps) codes.add(code)
    }
    const registers = folds.map(({ state }) => registerAt(state, 0))
    const asOf = BigInt(nowMs / 1000)
    const value = {
      agreementId: ZERO_DIGEST,
      period: 0,
      asOf,
      registers,
      evidenceHead: ZERO_DIGEST,
    }
    expect(withinRateBound(terms, value)).toBe(true)
    money.push(owedCapped(definition.agreement.tariff, registers, BigInt(second), terms.capMinor))
  }
  return { process, codes, money, first, registers: folds.map(({ state }) => registerAt(state, 0)) }
}

test.each(product.machines.map((machine) => [machine.name, machine] as const))(
  '%s: every reading is priced, what is billed is what was delivered, within the rate bound',
  (_, definition) => {
    const { process, codes, money, first, registers } = run(definition)
    expect([...codes]).toEqual(['OK'])
    const { peakWh, offPeakWh, minutes } = delivered(process)
    // The first reading of each counter is where billing begins.
    expect(registers).toEqual([
      peakWh - (first.get('peak') ?? 0n),
      offPeakWh - (first.get('offpeak') ?? 0n),
      minutes - (first.get('minutes') ?? 0n),
    ])
    // Nearly five days: there is use by day and by night.
    expect(registers.every((register) => register > 0n)).toBe(true)
    const [peak = 0n, offPeak = 0n, connected = 0n] = registers
    expect(money.at(-1)).toBe(300n * peak + 200n * offPeak + 10_000n * connected)
  },
)

test('an hour without any car costs the minimum', () => {
  expect(product.machines[0]?.agreement.tariff).toMatchObject({ minimum: 1_000_000n })
  const { money } = run(product.machines[0] as MachineDefinition)
  expect(money[0]).toBe(1_000_000n)
})

test('the same seed gives the same cars, and goes on where it was saved', () => {
  const source = product.machines[0]?.process
  if (!source) throw new Error('There is no charge point.')
  const steps = (process: ReturnType<typeof source>, count: number) =>
    Array.from({ length: count }, (_, index) => process.step(60_000, index * 1_000))
  const whole = source(5)
  const half = source(5)
  steps(whole, 400)
  steps(half, 150)
  const rest = source(5, JSON.parse(JSON.stringify(half.save())))
  steps(rest, 250)
  expect(delivered(rest)).toEqual(delivered(whole))
})
