import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  advance,
  type FoldState,
  type FoldStep,
  type FoldTerms,
  foldFromJson,
  foldStream,
  foldToJson,
  type LoggedEnvelope,
  lateRegisterAt,
  type MeterRule,
  registerAt,
  startFold,
  stepFold,
} from '../../src/index.ts'
import {
  BREACH,
  COUNT,
  COUNTER,
  DISTANCE,
  DRAWDOWN,
  INTEGRAL,
  logged,
  MINUTE_MS,
  reading,
  readings,
  START_MS,
  sampled,
  termsOf,
} from './fixtures.ts'

const RUNS = process.env.LIQUEFY_NIGHTLY ? 20_000 : 500

const rule = fc.constantFrom<MeterRule>(
  { ...COUNTER, maxRate: { burst: '100', perHour: '5000' } },
  { ...DRAWDOWN, maxRate: { burst: '100', perHour: '5000' }, maxSilenceSeconds: 300 },
  { ...INTEGRAL, maxValue: '250', maxSilenceSeconds: 300 },
  { ...BREACH, threshold: '1000', maxSilenceSeconds: 300, maxExcusedSeconds: 150 },
  { ...BREACH, beyond: 'below', threshold: '2000', maxSilenceSeconds: 600 },
  { ...COUNT, maxRate: { burst: '3', perHour: '30' } },
  { ...DISTANCE, noiseBandMm: 300_000, maxMmPerSecond: 20_000, maxSilenceSeconds: 300 },
)

const content = (kind: MeterRule, seq: number): fc.Arbitrary<LoggedEnvelope['content']> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .array(fc.record({ shift: fc.integer({ min: -3, max: 3 }), value: fc.nat(300) }), {
          minLength: 1,
          maxLength: 3,
        })
        .map((list) => ({
          kind: 'readings' as const,
          readings: list.flatMap(({ shift, value }) => sampled(kind, 2 * seq + shift, value)),
        })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.nat(40), fc.nat(20), fc.option(fc.tuple(fc.nat(20), fc.nat(4))))
        .map(([from, length, missing]) => ({
          kind: 'declaration' as const,
          declaration: {
            kind: 'gap' as const,
            fromMs: START_MS + from * 60_000,
            toMs: START_MS + (from + length) * 60_000,
            reason: 'test',
            ...(missing && {
              missing: [BigInt(missing[0]), BigInt(missing[0] + missing[1])] as [bigint, bigint],
            }),
          },
        })),
    },
    {
      weight: kind.rule === 'duration-beyond' ? 2 : 1,
      arbitrary: fc.tuple(fc.nat(40), fc.nat(20)).map(([from, length]) => ({
        kind: 'declaration' as const,
        declaration: {
          kind: 'excuse' as const,
          fromMs: START_MS + from * 60_000,
          toMs: START_MS + (from + length) * 60_000,
          reason: 'test',
        },
      })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.nat(40), fc.option(fc.tuple(fc.nat(300), fc.nat(300))))
        .map(([at, shown]) => ({
          kind: 'declaration' as const,
          declaration: {
            kind: 'replacement' as const,
            atMs: START_MS + at * 60_000,
            reason: 'test',
            ...(shown && {
              handover: {
                last: { mantissa: BigInt(shown[0]), exponent: 0 },
                first: { mantissa: BigInt(shown[1]), exponent: 0 },
              },
            }),
          },
        })),
    },
  )

/** A stream with gaps, fillers around their timeout, declarations, unadmitted and second envelopes, many logged in one moment. */
const scene = rule.chain((kind) =>
  fc
    .array(
      fc.nat(20).chain((seq) =>
        fc.record({
          seq: fc.constant(seq + 1),
          content: content(kind, seq + 1),
          loggedSlot: fc.nat(24),
          code: fc.constantFrom<LoggedEnvelope['code']>('OK', 'OK', 'OK', 'OK', 'CHAIN_BROKEN'),
        }),
      ),
      { maxLength: 24 },
    )
    .map((drawn) => {
      const seen = new Set<number>()
      // Slots are half the gap timeout wide, so that fillers hit the boundary often.
      const envelopes = drawn
        .map((draw, index) => ({ ...draw, index, loggedAt: START_MS + draw.loggedSlot * 60_000 }))
        .sort((a, b) => a.loggedAt - b.loggedAt)
        .map(({ seq, content: body, loggedAt, code, index }) => {
          const verdict = seen.has(seq) ? ('EQUIVOCATION' as const) : code
          seen.add(seq)
          const envelope = logged(seq, body, { loggedAt, code: verdict })
          return {
            ...envelope,
            digest:
              `${envelope.digest.slice(0, -4)}${index.toString(16).padStart(4, '0')}` as const,
          }
        })
      const terms = termsOf(kind, {
        gapTimeoutSeconds: 120,
        periodSeconds: 600,
        backfillSeconds: 900,
      })
      return { terms, envelopes: envelopes as LoggedEnvelope[] }
    }),
)

const shuffledScene = scene.chain(({ terms, envelopes }) =>
  fc.record({
    terms: fc.constant(terms),
    envelopes: fc.constant(envelopes),
    shuffled: fc.shuffledSubarray(envelopes, {
      minLength: envelopes.length,
      maxLength: envelopes.length,
    }),
    nowMs: fc.nat(5).map((slot) => (envelopes.at(-1)?.loggedAt ?? START_MS) + slot * 60_000),
  }),
)

/** As a node does: what was logged in one moment at once, with restarts from JSON in between. */
function foldLive(terms: FoldTerms, envelopes: LoggedEnvelope[], nowMs: number) {
  let state: FoldState = startFold(terms)
  let waiting: LoggedEnvelope[] = []
  const steps: FoldStep[] = []
  const take = (portion: LoggedEnvelope[], atMs: number) => {
    const result = advance(terms, foldFromJson(foldToJson(state)), [...waiting, ...portion], atMs)
    state = result.state
    waiting = result.waiting
    steps.push(...result.steps)
  }
  const moments = [...new Set(envelopes.map(({ loggedAt }) => loggedAt))].sort((a, b) => a - b)
  for (const moment of moments)
    take(
      envelopes.filter((one) => one.loggedAt === moment),
      moment,
    )
  take([], nowMs)
  return { state, waiting, steps: steps.sort(byPlace) }
}

/** One at a time, knowing only what came before, with a restart from JSON at every place. */
function foldOneByOne(terms: FoldTerms, envelopes: LoggedEnvelope[], nowMs: number) {
  let state: FoldState = startFold(terms)
  let waiting: LoggedEnvelope[] = []
  const steps: FoldStep[] = []
  for (const portion of [...envelopes.map((one) => [one]), []]) {
    const resumed = foldFromJson(foldToJson(state))
    const result = advance(terms, resumed, [...waiting, ...portion], portion[0] ? 0 : nowMs)
    state = result.state
    waiting = result.waiting
    steps.push(...result.steps)
  }
  return { state, waiting, steps: steps.sort(byPlace) }
}

/** One `seq` at a time, with the readings of that one alone. */
function foldSeqBySeq(terms: FoldTerms, envelopes: LoggedEnvelope[], nowMs: number) {
  let state: FoldState = startFold(terms)
  let waiting = envelopes
  const steps: FoldStep[] = []
  const seqs = [...new Set(envelopes.map(({ seq }) => seq))].sort((a, b) => Number(a - b))
  const unread = { kind: 'readings' as const, readings: [] }
  for (const endSeq of [...seqs.map((seq) => seq + 1n), undefined]) {
    const known = waiting.map((one) =>
      endSeq !== undefined && one.seq >= endSeq && one.content.kind === 'readings'
        ? { ...one, content: unread }
        : one,
    )
    const result = advance(terms, state, known, nowMs, endSeq)
    state = result.state
    const left = new Set(result.waiting.map(({ digest }) => digest))
    waiting = envelopes.filter(({ digest }) => left.has(digest))
    steps.push(...result.steps)
  }
  return { state, waiting: waiting.sort(byPlace), steps: steps.sort(byPlace) }
}

const byPlace = (
  a: Pick<FoldStep, 'seq' | 'code' | 'digest'>,
  b: Pick<FoldStep, 'seq' | 'code' | 'digest'>,
) =>
  Number(a.seq - b.seq) ||
  Number(a.code === 'EQUIVOCATION') - Number(b.code === 'EQUIVOCATION') ||
  (a.digest < b.digest ? -1 : 1)

describe('INV-19 the same logged envelopes give the same registers', () => {
  test('in every order', () => {
    fc.assert(
      fc.property(shuffledScene, ({ terms, envelopes, shuffled, nowMs }) => {
        expect(foldStream(terms, shuffled, nowMs)).toEqual(foldStream(terms, envelopes, nowMs))
      }),
      { numRuns: RUNS },
    )
  })

  test('live as afterwards, in portions and one by one, across restarts', () => {
    fc.assert(
      fc.property(shuffledScene, ({ terms, envelopes, nowMs }) => {
        const { state, steps, waiting } = foldStream(terms, envelopes, nowMs)
        const afterwards = { state, steps: steps.sort(byPlace), waiting }
        expect(foldLive(terms, envelopes, nowMs)).toEqual(afterwards)
        expect(foldOneByOne(terms, envelopes, nowMs)).toEqual(afterwards)
      }),
      { numRuns: RUNS },
    )
  })

  test('in portions of seq, without the readings of what comes later', () => {
    fc.assert(
      fc.property(shuffledScene, ({ terms, envelopes, nowMs }) => {
        const { state, steps, waiting } = foldStream(terms, envelopes, nowMs)
        const whole = { state, steps: steps.sort(byPlace), waiting: waiting.sort(byPlace) }
        expect(foldSeqBySeq(terms, envelopes, nowMs)).toEqual(whole)
      }),
      { numRuns: RUNS },
    )
  })

  test('INV-16 each envelope is a step or waits, exactly once', () => {
    fc.assert(
      fc.property(shuffledScene, ({ terms, shuffled, nowMs }) => {
        const { steps, waiting } = foldStream(terms, shuffled, nowMs)
        const digests = [...steps, ...waiting].map(({ digest }) => digest)
        expect(digests.sort()).toEqual(shuffled.map(({ digest }) => digest).sort())
      }),
      { numRuns: RUNS },
    )
  })

  test('registers never fall, whatever is sent', () => {
    fc.assert(
      fc.property(scene, ({ terms, envelopes }) => {
        const { steps } = foldStream(terms, envelopes, Number.POSITIVE_INFINITY)
        const highest = new Map<string, bigint>()
        for (const { registers } of steps) {
          for (const [period, register] of Object.entries(registers)) {
            expect(register).toBeGreaterThanOrEqual(highest.get(period) ?? 0n)
            highest.set(period, register)
          }
        }
      }),
      { numRuns: RUNS },
    )
  })

  test('what comes when its period is final counts apart, and together with the register it is what it would have been', () => {
    fc.assert(
      fc.property(scene, ({ terms, envelopes }) => {
        const strict = foldStream({ ...terms, lateSeconds: 60 }, envelopes, Infinity).state
        const patient = foldStream({ ...terms, lateSeconds: 1e6 }, envelopes, Infinity).state
        for (let period = 0; period < terms.periods; period += 1) {
          const whole = lateRegisterAt(strict, terms.rule, period)
          expect(whole).toBe(registerAt(patient, period))
          expect(registerAt(strict, period)).toBeLessThanOrEqual(whole)
        }
        expect(strict.excusedMs).toEqual(patient.excusedMs)
      }),
      { numRuns: RUNS },
    )
  })

  test('stepFold in seq order equals the engine where nothing is missing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 20 }), rule, (values, kind) => {
        const terms = termsOf(kind)
        const stream = values.map((value, index) =>
          readings(index + 1, sampled(kind, index, value)),
        )
        const whole = foldStream(terms, stream, 0)
        let state = startFold(terms)
        const codes = stream.map((envelope) => {
          const step = stepFold(terms, state, envelope, { lateForGap: false, skippedGap: false })
          state = step.state
          return step.code
        })
        expect(state).toEqual(whole.state)
        expect(codes).toEqual(whole.steps.map(({ code }) => code))
      }),
    )
  })
})

test('a reading that is refused changes nothing but how far the fold has come', () => {
  const bad = [
    { unit: 'furlong' },
    { value: { kind: 'float', value: 1 } },
    { value: { kind: 'none' } },
    { timeMs: START_MS - MINUTE_MS * 1e6 },
    { timeMs: START_MS + MINUTE_MS * 1e6 },
  ] as const
  const drawn = fc.array(fc.tuple(fc.nat(600), fc.option(fc.constantFrom(...bad))), {
    maxLength: 20,
  })
  fc.assert(
    fc.property(drawn, rule, (list, kind) => {
      const terms = termsOf(kind)
      let state = startFold(terms)
      for (const [index, [value, change]] of list.entries()) {
        const records = sampled(kind, index, value).map((one) => ({ ...one, ...change }))
        const next = readings(index + 1, records)
        const step = stepFold(terms, state, next, { lateForGap: false, skippedGap: false })
        const { nextSeq, head } = step.state
        if (change) expect(['OK', 'GAP']).not.toContain(step.code)
        if (step.code !== 'OK' && step.code !== 'GAP') {
          expect(step.state).toEqual({ ...state, nextSeq, head })
        }
        state = step.state
      }
    }),
    { numRuns: RUNS },
  )
})

const wide = { burst: '1000000000', perHour: '0' }

describe('drawdown', () => {
  const kind = { ...DRAWDOWN, maxRate: wide }
  /** True levels move by refills and withdrawals; the probe shows them with an error of at most half the noise band. */
  const silo = fc.array(
    fc.record({
      move: fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: -300, max: 0 }) },
        { weight: 1, arbitrary: fc.integer({ min: 100, max: 2000 }) },
      ),
      error: fc.integer({ min: -10, max: 10 }),
    }),
    { minLength: 1, maxLength: 50 },
  )
  const play = (steps: { move: number; error: number }[]) => {
    let level = 100_000
    let withdrawn = 0
    let refills = 0
    const shown = steps.map(({ move, error }) => {
      level += move
      withdrawn += Math.max(0, -move)
      refills += Number(move > 0)
      return level + error
    })
    // What is withdrawn before the first reading cannot be seen.
    return { shown, withdrawn: withdrawn - Math.max(0, -(steps[0]?.move ?? 0)), refills }
  }
  const billed = (shown: number[]) =>
    registerAt(
      foldStream(
        termsOf(kind, { periods: 1, periodSeconds: 86_400 }),
        shown.map((value, index) => readings(index + 1, [reading(kind, index, value)])),
        0,
      ).state,
      0,
    )

  test('total billed is within the noise band of the true withdrawal, per filling', () => {
    fc.assert(
      fc.property(silo, (steps) => {
        const { shown, withdrawn, refills } = play(steps)
        const total = Number(billed(shown))
        expect(total).toBeLessThanOrEqual(withdrawn + 20 * (refills + 1))
        // Below: what waits within the band, and a withdrawal that a refill of the same minute hides.
        expect(total).toBeGreaterThanOrEqual(withdrawn - 40 * (refills + 1))
      }),
      { numRuns: RUNS },
    )
  })

  test('refills never bill, however noisy', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ move: fc.nat(500), error: fc.integer({ min: -10, max: 10 }) }), {
          minLength: 1,
          maxLength: 50,
        }),
        (steps) => {
          expect(billed(play(steps).shown)).toBe(0n)
        },
      ),
      { numRuns: RUNS },
    )
  })
})

test('splitting a pack into many envelopes gives the same registers', () => {
  fc.assert(
    fc.property(
      rule,
      fc.array(fc.tuple(fc.nat(600), fc.boolean()), { minLength: 1, maxLength: 40 }),
      (kind, values) => {
        const list = values.map(([value], index) => sampled(kind, index, value))
        const loggedAt = START_MS + 60 * 60_000
        const packs: (typeof list)[number][] = []
        for (const [index, records] of list.entries()) {
          if (packs.length === 0 || values[index]?.[1]) packs.push([])
          packs.at(-1)?.push(...records)
        }
        const whole = foldStream(termsOf(kind), [readings(1, list.flat(), { loggedAt })], loggedAt)
        const split = foldStream(
          termsOf(kind),
          packs.map((pack, index) => readings(index + 1, pack, { loggedAt })),
          loggedAt,
        )
        expect(split.state.periods).toEqual(whole.state.periods)
        expect(split.state.baseline).toEqual(whole.state.baseline)
      },
    ),
    { numRuns: RUNS },
  )
})

test('a state survives JSON, and a foreign one is refused', () => {
  fc.assert(
    fc.property(scene, ({ terms, envelopes }) => {
      const { state } = foldStream(terms, envelopes, Number.POSITIVE_INFINITY)
      expect(foldFromJson(foldToJson(state))).toEqual(state)
    }),
  )
  for (const text of ['', '{}', '{"version":2}', '{"version":1,"nextSeq":"x"}', 'null']) {
    expect(() => foldFromJson(text)).toThrowError(
      expect.objectContaining({ code: 'FOLD_STATE_INVALID' }),
    )
  }
})
