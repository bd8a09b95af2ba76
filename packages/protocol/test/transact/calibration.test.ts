import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  advance,
  amountBand,
  type CalibrationStatement,
  encodeCalibrationCertificate,
  explainRule,
  type FoldStep,
  type FoldTerms,
  foldFromJson,
  foldStream,
  foldToJson,
  keyId,
  type LoggedEnvelope,
  type MeterRule,
  parseRule,
  privateKeyFromBytes,
  registerAt,
  registerBand,
  ruleHash,
  startFold,
} from '../../src/index.ts'
import {
  BREACH,
  COUNT,
  COUNTER,
  DISTANCE,
  DRAWDOWN,
  declaration,
  INTEGRAL,
  MINUTE_MS,
  reading,
  readings,
  START_MS,
  termsOf,
} from './fixtures.ts'

const RUNS = process.env.LIQUEFY_NIGHTLY ? 20_000 : 300

const LAB = privateKeyFromBytes('P-256', new Uint8Array(32).fill(3))
const OTHER_LAB = privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(5))
const STRANGER = privateKeyFromBytes('P-256', new Uint8Array(32).fill(9))
const CALIBRATION = {
  laboratories: [keyId(LAB.publicKey), keyId(OTHER_LAB.publicKey)],
  maxUncertaintyPpm: 5_000,
}
const METER = { ...COUNTER, calibration: CALIBRATION }
const TERMS = termsOf(METER, { periodSeconds: 86_400, periods: 2 })

const at = (minutes: number) => START_MS + minutes * MINUTE_MS

function statement(changes: Partial<CalibrationStatement> = {}): CalibrationStatement {
  return {
    calibrationLaboratory: 'Weights and Measures, Basel',
    machineId: 7n,
    stream: 'level',
    iat: START_MS / 1000,
    unit: 'g',
    validFromMs: at(0),
    validUntilMs: at(60),
    expandedUncertaintyPpm: 4_000,
    uniqueIdentifier: 'WM-2026-0001',
    item: 'SN-1',
    ...changes,
  }
}

const certified = (
  seq: number,
  changes: Partial<CalibrationStatement> = {},
  key = LAB,
  logged: Partial<LoggedEnvelope> = {},
) =>
  declaration(
    seq,
    { kind: 'calibration', certificate: encodeCalibrationCertificate(key, statement(changes)) },
    logged,
  )
const shown = (seq: number, minutes: number, value: number, rule: MeterRule = METER) =>
  readings(seq, [reading(rule, minutes, value)], { loggedAt: at(Math.max(minutes, seq)) })
const replaced = (seq: number, minutes: number, newPart?: string) =>
  declaration(seq, {
    kind: 'replacement',
    atMs: at(minutes),
    reason: 'test',
    ...(newPart !== undefined && { newPart }),
  })

function folded(envelopes: LoggedEnvelope[], terms: FoldTerms = TERMS) {
  const { state, steps } = foldStream(terms, envelopes, Number.POSITIVE_INFINITY)
  return { state, codes: steps.map(({ code }) => code), register: registerAt(state, 0) }
}

describe('a meter that must be calibrated', () => {
  test('counts under a certificate, and says so of nothing else', () => {
    const { codes, register } = folded([certified(1), shown(2, 2, 100), shown(3, 3, 130)])
    expect(codes).toEqual(['OK', 'OK', 'OK'])
    expect(register).toBe(30n)
  })

  test('counts nothing without one', () => {
    const { codes, register } = folded([shown(1, 1, 100), shown(2, 2, 130)])
    expect(codes).toEqual(['UNCALIBRATED', 'UNCALIBRATED'])
    expect(register).toBe(0n)
  })

  test('bills again under a new certificate, without what flowed in between', () => {
    const { codes, register } = folded([
      certified(1),
      shown(2, 2, 100),
      shown(3, 59, 130),
      shown(4, 60, 500),
      shown(5, 90, 900),
      certified(6, { validFromMs: at(91), validUntilMs: at(300) }, LAB, { loggedAt: at(90) }),
      shown(7, 95, 1_000),
      shown(8, 96, 1_001),
    ])
    expect(codes).toEqual(['OK', 'OK', 'OK', 'UNCALIBRATED', 'UNCALIBRATED', 'OK', 'OK', 'OK'])
    expect(register).toBe(30n + 1n)
  })

  test('bills nothing across an hour that no certificate covers, though both readings lie within one', () => {
    const { codes, register } = folded([
      certified(1),
      certified(2, { validFromMs: at(61), validUntilMs: at(300) }),
      shown(3, 59, 100),
      shown(4, 61, 200),
      shown(5, 62, 210),
    ])
    expect(codes).toEqual(['OK', 'OK', 'OK', 'OK', 'OK'])
    expect(register).toBe(10n)
  })

  test('goes on where one certificate takes over from another, without a moment between', () => {
    const next = { validFromMs: at(60), validUntilMs: at(300) }
    const { register } = folded([
      certified(1),
      certified(2, next, OTHER_LAB),
      shown(3, 59, 100),
      shown(4, 61, 200),
    ])
    expect(register).toBe(100n)
  })

  test('ends with the last millisecond before validUntil and begins with validFrom', () => {
    const readingAt = (seq: number, timeMs: number, value: number) =>
      readings(seq, [reading(METER, 0, value, { timeMs })], { loggedAt: at(200) })
    const { codes } = folded([
      certified(1, { validFromMs: at(10), validUntilMs: at(20) }),
      readingAt(2, at(10) - 1, 1),
      readingAt(3, at(10), 2),
      readingAt(4, at(20) - 1, 3),
      readingAt(5, at(20), 4),
    ])
    expect(codes).toEqual(['OK', 'UNCALIBRATED', 'OK', 'OK', 'UNCALIBRATED'])
  })

  test('leaves out of a drawdown, an integral and a count what was not calibrated', () => {
    const story = (rule: MeterRule, values: number[]) => {
      const unit = rule.rule === 'distance' ? 'deg' : { mm: 'mm', W: 'W', count: '1' }[rule.unit]
      return folded(
        [
          certified(1, { unit: unit ?? '?', validUntilMs: at(4) }),
          ...values.slice(0, 4).map((value, index) => shown(index + 2, index + 2, value, rule)),
          certified(6, {
            unit: unit ?? '?',
            validFromMs: at(6),
            validUntilMs: at(60),
            uniqueIdentifier: '2',
          }),
          ...values.slice(4).map((value, index) => shown(index + 7, index + 6, value, rule)),
        ],
        { ...TERMS, rule },
      )
    }
    const drawdown = story(
      { ...DRAWDOWN, calibration: CALIBRATION },
      [900, 800, 700, 600, 500, 400],
    )
    expect(drawdown.register).toBe(100n + 100n)
    const integral = story({ ...INTEGRAL, calibration: CALIBRATION }, [60, 60, 60, 60, 60, 60])
    expect(integral.register).toBe(2n)
    const count = story({ ...COUNT, calibration: CALIBRATION }, [1, 1, 1, 1, 1, 1])
    expect(count.register).toBe(4n)
  })

  test('an allowance for readings is not refilled by one that does not count', () => {
    const rule = {
      ...COUNT,
      maxRate: { burst: '2', perHour: '0' },
      calibration: CALIBRATION,
    }
    const unit = { unit: '1' }
    const { codes } = folded(
      [
        certified(1, { ...unit, validUntilMs: at(4) }),
        shown(2, 2, 1, rule),
        shown(3, 3, 1, rule),
        shown(4, 5, 1, rule),
        certified(5, { ...unit, validFromMs: at(6), uniqueIdentifier: '2' }),
        shown(6, 7, 1, rule),
      ],
      { ...TERMS, rule },
    )
    expect(codes).toEqual(['OK', 'OK', 'OK', 'UNCALIBRATED', 'OK', 'IMPLAUSIBLE'])
  })

  test('a period whose time passed uncalibrated costs nothing, whatever comes late', () => {
    const terms = { ...TERMS, periodSeconds: 3_600, lateSeconds: 60 }
    const late = { loggedAt: at(180) }
    const { codes, state } = folded(
      [
        certified(1, { validUntilMs: at(20) }),
        readings(2, [reading(METER, 5, 100)], late),
        readings(3, [reading(METER, 10, 110)], late),
        readings(4, [reading(METER, 25, 900)], late),
        readings(5, [reading(METER, 100, 950)], late),
      ],
      terms,
    )
    expect(codes).toEqual([
      'OK',
      'LATE_FOR_PERIOD',
      'LATE_FOR_PERIOD',
      'UNCALIBRATED',
      'UNCALIBRATED',
    ])
    expect(state.late).toEqual({ 0: '10' })
    expect(registerAt(state, 0)).toBe(0n)
  })
})

describe('what is no calibration changes nothing', () => {
  const story = (...first: LoggedEnvelope[]) =>
    folded([...first, shown(8, 8, 100), shown(9, 9, 150)])
  const unbilled = (said: string, one: LoggedEnvelope) => {
    const { codes, register } = story(one)
    expect(codes).toEqual([said, 'UNCALIBRATED', 'UNCALIBRATED'])
    expect(register).toBe(0n)
  }

  test('one of another stream', () => {
    unbilled('CERTIFICATE_INVALID', certified(7, { stream: 'other' }))
  })
  test('one of another machine', () => {
    unbilled('CERTIFICATE_INVALID', certified(7, { machineId: 8n }))
  })
  test('one by another laboratory, however true', () => {
    unbilled('CERTIFICATE_NOT_AGREED', certified(7, {}, STRANGER))
  })
  test('one that is too uncertain by one part in a million', () => {
    unbilled('CERTIFICATE_NOT_AGREED', certified(7, { expandedUncertaintyPpm: 5_001 }))
  })
  test('one in another unit', () => {
    unbilled('UNIT_MISMATCH', certified(7, { unit: 'kg' }))
  })
  test('one that has expired', () => {
    unbilled('OK', certified(7, { validFromMs: at(-60), validUntilMs: at(8) }))
  })
  test('one that is not in force yet', () => {
    unbilled('OK', certified(7, { validFromMs: at(10), validUntilMs: at(60) }))
  })
  test('one that was not admitted', () => {
    unbilled('CHAIN_BROKEN', certified(7, {}, LAB, { code: 'CHAIN_BROKEN' }))
  })
  test('one that a revoked key of the machine has declared', () => {
    unbilled('BEYOND_CUT', certified(7, {}, LAB, { code: 'BEYOND_CUT' }))
  })
  test('one of which a byte was changed, wherever', () => {
    const bytes = encodeCalibrationCertificate(LAB, statement())
    for (let place = 0; place < bytes.length; place += 1) {
      const forged = Uint8Array.from(bytes)
      forged[place] = (forged[place] ?? 0) ^ 1
      const { codes, register } = story(
        declaration(7, { kind: 'calibration', certificate: forged }),
      )
      expect(codes[0]).toBe('CERTIFICATE_INVALID')
      expect(register).toBe(0n)
    }
  })

  test('a certificate declared later does not reach back to readings before it', () => {
    const { codes, register } = folded([
      shown(1, 1, 100),
      shown(2, 2, 200),
      certified(3, { validFromMs: at(-600) }),
      shown(4, 4, 300),
      shown(5, 5, 310),
    ])
    expect(codes).toEqual(['UNCALIBRATED', 'UNCALIBRATED', 'OK', 'OK', 'OK'])
    expect(register).toBe(10n)
  })

  test('one that came too late for its gap', () => {
    const { codes } = folded([
      { ...certified(1), loggedAt: at(100) },
      shown(2, 2, 100),
      shown(3, 3, 150),
    ])
    expect(codes).toEqual(['LATE_FOR_GAP', 'UNCALIBRATED', 'UNCALIBRATED'])
  })

  test('more than a fold keeps', () => {
    const many = Array.from({ length: 64 }, (_, index) =>
      certified(index + 1, { validFromMs: at(1_000), validUntilMs: at(2_000 + index) }),
    )
    const { state, codes } = folded([...many, certified(65), shown(66, 66, 100)], {
      ...TERMS,
      gapTimeoutSeconds: 0,
    })
    expect(state.calibrations).toHaveLength(64)
    expect(codes.at(-1)).toBe('UNCALIBRATED')
  })

  test('to a rule that asks for none, a certificate is nothing at all', () => {
    const terms = { ...TERMS, rule: COUNTER }
    const stream = [shown(2, 2, 100, COUNTER), shown(3, 3, 150, COUNTER)]
    const forged = declaration(1, { kind: 'calibration', certificate: Uint8Array.of(1, 2) })
    const { state, codes } = folded([forged, ...stream], terms)
    expect(codes).toEqual(['OK', 'OK', 'OK'])
    expect(state).not.toHaveProperty('calibrations')
    expect(registerAt(state, 0)).toBe(50n)
  })
})

describe('a replaced sensor', () => {
  const valid = { validUntilMs: at(600) }

  test('takes its certificate with it', () => {
    const { codes, register } = folded([
      certified(1, valid),
      shown(2, 2, 100),
      shown(3, 3, 150),
      replaced(4, 4),
      shown(5, 5, 7),
      shown(6, 6, 9),
    ])
    expect(codes.slice(4)).toEqual(['UNCALIBRATED', 'UNCALIBRATED'])
    expect(register).toBe(50n)
  })

  test('the old certificate does not come back by being declared again', () => {
    const { codes } = folded([
      certified(1, valid),
      shown(2, 2, 100),
      replaced(3, 4),
      certified(4, valid),
      shown(5, 5, 7),
    ])
    expect(codes.slice(3)).toEqual(['OK', 'UNCALIBRATED'])
  })

  test('the new one’s certificate counts from behind the replacement on', () => {
    const { codes, register } = folded([
      certified(1, valid),
      shown(2, 2, 100),
      replaced(3, 4),
      certified(4, { ...valid, item: 'SN-2' }),
      shown(5, 5, 7),
      shown(6, 6, 9),
    ])
    expect(codes.slice(3)).toEqual(['OK', 'OK', 'OK'])
    expect(register).toBe(2n)
  })

  test('a replacement that lies ahead leaves the old sensor its certificate until then', () => {
    const { codes, register } = folded([
      certified(1, valid),
      replaced(2, 10),
      certified(3, { ...valid, item: 'SN-2' }),
      shown(4, 4, 100),
      shown(5, 9, 130),
      shown(6, 11, 5),
      shown(7, 12, 6),
    ])
    expect(codes).toEqual(['OK', 'OK', 'OK', 'OK', 'OK', 'OK', 'OK'])
    expect(register).toBe(30n + 1n)
  })

  test('a certificate that names the new part goes on, one that names another ends', () => {
    const stream = (newPart: string) => [
      certified(1, valid),
      shown(2, 2, 100),
      replaced(3, 4, newPart),
      shown(4, 5, 7),
    ]
    expect(folded(stream('SN-1')).codes.at(-1)).toBe('OK')
    expect(folded(stream('SN-2')).codes.at(-1)).toBe('UNCALIBRATED')
  })

  test('the certificate of a named part waits until that part is there, and returns with it', () => {
    const { codes } = folded([
      replaced(1, 1, 'SN-1'),
      certified(2, valid),
      certified(3, { ...valid, item: 'SN-2' }),
      shown(4, 4, 100),
      replaced(5, 5, 'SN-2'),
      shown(6, 6, 3),
      replaced(7, 7, 'SN-3'),
      shown(8, 8, 4),
      replaced(9, 9, 'SN-1'),
      shown(10, 10, 5),
    ])
    expect([codes[3], codes[5], codes[7], codes[9]]).toEqual(['OK', 'OK', 'UNCALIBRATED', 'OK'])
  })

  test('two replacements that lie ahead, there and back', () => {
    const { codes } = folded([
      certified(1, valid),
      shown(2, 2, 100),
      replaced(3, 10, 'SN-2'),
      replaced(4, 20, 'SN-1'),
      shown(5, 9, 101),
      shown(6, 15, 102),
      shown(7, 25, 103),
    ])
    expect(codes.slice(4)).toEqual(['OK', 'UNCALIBRATED', 'OK'])
  })
})

describe('the band of a register', () => {
  test('is the uncertainty of each part when it was read, floored below and rounded up above', () => {
    const { state } = folded([
      certified(1, { expandedUncertaintyPpm: 1_000, validUntilMs: at(10) }),
      certified(2, {
        expandedUncertaintyPpm: 4_000,
        validFromMs: at(10),
        validUntilMs: at(60),
      }),
      shown(3, 3, 0),
      shown(4, 9, 1_001),
      shown(5, 11, 2_001),
    ])
    // 1,001 at 0.1 % and 1,000 at 0.4 %: 2,001 less and more 1.001 + 4.
    expect(registerBand(state, METER, 0)).toEqual({
      lower: 1_995n,
      upper: 2_007n,
      uncertaintyPpm: 2_500,
    })
  })

  test('of several certificates in force, the one declared last', () => {
    const { state } = folded([
      certified(1, { expandedUncertaintyPpm: 1_000 }),
      certified(2, { expandedUncertaintyPpm: 3_000 }),
      shown(3, 3, 0),
      shown(4, 4, 1_000),
    ])
    expect(registerBand(state, METER, 0)).toMatchObject({ uncertaintyPpm: 3_000 })
  })

  test('holds the register, whatever was measured', () => {
    const part = fc.record({ value: fc.nat(10_000), ppm: fc.nat(5_000) })
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        (parts, numerator, denominator) => {
          const rule = { ...METER, factor: { numerator, denominator } }
          let total = 0
          const envelopes = parts.flatMap(({ value, ppm }, index) => {
            total += value
            return [
              certified(2 * index + 1, { expandedUncertaintyPpm: ppm }),
              readings(2 * index + 2, [reading(rule, index, total)]),
            ]
          })
          const { state } = folded(envelopes, { ...TERMS, rule })
          const { lower, upper } = registerBand(state, rule, 0)
          const register = registerAt(state, 0)
          expect(lower).toBeLessThanOrEqual(register)
          expect(upper).toBeGreaterThanOrEqual(register)
        },
      ),
      { numRuns: RUNS },
    )
  })

  test('of what is no measure in proportion there is none', () => {
    for (const rule of [{ ...COUNT, calibration: CALIBRATION }, COUNTER]) {
      expect(registerBand(startFold(TERMS), rule, 0).uncertaintyPpm).toBeUndefined()
    }
  })

  test('of an amount: what both ends cost, and what is owed where the upper one costs more than a contract can pay', () => {
    const bands = [
      { lower: 90n, upper: 110n, uncertaintyPpm: 100_000 },
      { lower: 5n, upper: 5n, uncertaintyPpm: undefined },
    ]
    const price = ([one = 0n, other = 0n]: readonly bigint[]) => one * 2n + other
    expect(amountBand(bands, 205n, price)).toEqual({
      lowerMinor: 185n,
      upperMinor: 225n,
      uncertaintyPpm: 100_000,
    })
    const failing = (registers: readonly bigint[]) =>
      registers[0] === 110n ? 0n : price(registers)
    expect(amountBand(bands, 205n, failing)?.upperMinor).toBe(205n)
    expect(amountBand(bands.slice(1), 5n, price)).toBeUndefined()
  })
})

describe('a rule with a calibration', () => {
  test('is read, hashed and explained with it', () => {
    const parsed = parseRule(JSON.parse(JSON.stringify(METER)))
    expect(parsed).toEqual({ ok: true, rule: METER })
    expect(ruleHash(METER)).not.toBe(ruleHash(COUNTER))
    expect(explainRule(METER)).toMatch(
      new RegExp(`calibrated by ${CALIBRATION.laboratories.join(' or ')}, within 0\\.5 %\\.$`),
    )
  })

  test.each([
    ['no laboratory', { ...CALIBRATION, laboratories: [] }],
    [
      'a laboratory twice',
      { ...CALIBRATION, laboratories: [CALIBRATION.laboratories[0], CALIBRATION.laboratories[0]] },
    ],
    ['no key id', { ...CALIBRATION, laboratories: ['0x12'] }],
    [
      'too many',
      {
        ...CALIBRATION,
        laboratories: Array.from(
          { length: 17 },
          (_, index) => `0x${String(index).padStart(64, '0')}`,
        ),
      },
    ],
    ['more than all', { ...CALIBRATION, maxUncertaintyPpm: 1_000_001 }],
    ['a stranger', { ...CALIBRATION, extra: 1 }],
    ['nothing', null],
  ])('is refused with %s', (_, calibration) => {
    expect(parseRule({ ...COUNTER, calibration }).ok).toBe(false)
  })

  test('is not for positions', () => {
    expect(parseRule({ ...DISTANCE, calibration: CALIBRATION })).toMatchObject({ ok: false })
    expect(parseRule({ ...BREACH, calibration: CALIBRATION }).ok).toBe(true)
  })
})

/** Calibrated and not, replaced and not, in a stream with gaps. */
const scene = fc
  .array(
    fc.record({
      seq: fc.integer({ min: 1, max: 16 }),
      what: fc.oneof(
        { weight: 5, arbitrary: fc.nat(200).map((value) => ({ kind: 'reading' as const, value })) },
        {
          weight: 3,
          arbitrary: fc.record({
            kind: fc.constant('certificate' as const),
            from: fc.nat(16),
            length: fc.integer({ min: 1, max: 16 }),
            ppm: fc.constantFrom(0, 1_000, 5_000, 5_001),
            lab: fc.constantFrom(LAB, OTHER_LAB, STRANGER),
            item: fc.constantFrom('SN-1', 'SN-2'),
          }),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            kind: fc.constant('replacement' as const),
            at: fc.nat(18),
            newPart: fc.constantFrom('SN-1', 'SN-2', undefined),
          }),
        },
      ),
      slot: fc.nat(20),
    }),
    { maxLength: 20 },
  )
  .map((drawn) => {
    const seen = new Set<number>()
    return drawn
      .toSorted((a, b) => a.slot - b.slot)
      .flatMap(({ seq, what, slot }): LoggedEnvelope[] => {
        if (seen.has(seq)) return []
        seen.add(seq)
        const logged = { loggedAt: at(slot) }
        if (what.kind === 'reading') {
          return [readings(seq, [reading(METER, seq, what.value)], logged)]
        }
        if (what.kind === 'replacement') {
          return [{ ...replaced(seq, what.at, what.newPart), ...logged }]
        }
        const validity = {
          validFromMs: at(what.from),
          validUntilMs: at(what.from + what.length),
          expandedUncertaintyPpm: what.ppm,
          item: what.item,
        }
        return [certified(seq, validity, what.lab, logged)]
      })
  })

const rules = fc.constantFrom<MeterRule>(
  METER,
  { ...DRAWDOWN, unit: 'g', noiseBand: 5, maxSilenceSeconds: 300, calibration: CALIBRATION },
  { ...INTEGRAL, unit: 'g', calibration: CALIBRATION },
  { ...BREACH, unit: 'g', threshold: '50', calibration: CALIBRATION },
  { ...COUNT, unit: 'g', calibration: CALIBRATION },
)

describe('the order of arrival does not matter', () => {
  const drawn = scene.chain((envelopes) =>
    fc.record({
      rule: rules,
      envelopes: fc.constant(envelopes),
      shuffled: fc.shuffledSubarray(envelopes, {
        minLength: envelopes.length,
        maxLength: envelopes.length,
      }),
    }),
  )
  const termsFor = (rule: MeterRule) =>
    termsOf(rule, { gapTimeoutSeconds: 120, periodSeconds: 600, lateSeconds: 120 })

  test('at once, or in portions with the state written down and read in between', () => {
    fc.assert(
      fc.property(drawn, ({ rule, envelopes, shuffled }) => {
        const terms = termsFor(rule)
        const whole = foldStream(terms, envelopes, Number.POSITIVE_INFINITY)
        expect(foldStream(terms, shuffled, Number.POSITIVE_INFINITY)).toEqual(whole)
        let state = startFold(terms)
        let waiting: LoggedEnvelope[] = []
        const steps: FoldStep[] = []
        for (const portion of [...envelopes.map((one) => [one]), []]) {
          const nowMs = portion[0] ? 0 : Number.POSITIVE_INFINITY
          const next = advance(
            terms,
            foldFromJson(foldToJson(state)),
            [...waiting, ...portion],
            nowMs,
          )
          state = next.state
          waiting = next.waiting
          steps.push(...next.steps)
        }
        expect(state).toEqual(whole.state)
        expect(steps.toSorted((a, b) => Number(a.seq - b.seq))).toEqual(whole.steps)
      }),
      { numRuns: RUNS },
    )
  })

  test('a calibration only ever takes away: no register is above that of the same rule without it', () => {
    const rising = fc.constantFrom<MeterRule>(METER, {
      ...COUNT,
      unit: 'g',
      calibration: CALIBRATION,
    })
    fc.assert(
      fc.property(scene, rising, (envelopes, rule) => {
        // A meter that never falls, so that a refused reading does not hide what another billed.
        let total = 0
        const rise = envelopes
          .toSorted((a, b) => Number(a.seq - b.seq))
          .map((one) => {
            if (one.content.kind !== 'readings') return one
            total += 10
            return {
              ...one,
              content: {
                kind: 'readings' as const,
                readings: [reading(rule, Number(one.seq), total)],
              },
            }
          })
        const { calibration: _, ...free } = rule
        const calibrated = foldStream(termsFor(rule), rise, Number.POSITIVE_INFINITY).state
        const uncalibrated = foldStream(termsFor(free), rise, Number.POSITIVE_INFINITY).state
        for (let period = 0; period < 3; period += 1) {
          expect(registerAt(calibrated, period)).toBeLessThanOrEqual(
            registerAt(uncalibrated, period),
          )
        }
      }),
      { numRuns: RUNS },
    )
  })
})

test('a fold of before goes on', () => {
  const { calibration: _, ...free } = METER
  const terms = { ...TERMS, rule: free }
  const before = foldToJson(foldStream(terms, [shown(1, 1, 5, free)], 0).state)
  expect(before).not.toMatch(/calibrations|uncertainty|"part"/)
  const after = advance(terms, foldFromJson(before), [shown(2, 2, 9, free)], 0)
  expect(registerAt(after.state, 0)).toBe(4n)
})
