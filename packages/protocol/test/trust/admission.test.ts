import type { Hex } from 'viem'
import { describe, expect, it } from 'vitest'
import {
  type AdmissionContext,
  admit,
  type EnvelopeContent,
  latestReadingMs,
  type Reading,
  ZERO_DIGEST,
} from '../../src/index.ts'

type Given = Omit<AdmissionContext, 'envelope' | 'latestMs'> & {
  envelope: AdmissionContext['envelope'] & { content: EnvelopeContent }
}

const LOGGED_AT = 1_760_000_000_000
const digestOf = (digit: string): Hex => `0x${digit.repeat(64)}`
const reading = (timeMs: number): Reading => ({
  name: 'level',
  unit: 'g',
  timeMs,
  value: { kind: 'decimal', mantissa: 1n, exponent: 0 },
})
const at = (...times: number[]): Given['envelope'] => ({
  digest: digestOf('b'),
  prev: digestOf('a'),
  content: { kind: 'readings', readings: times.map(reading) },
})
const usual: Given = {
  envelope: at(LOGGED_AT),
  loggedAt: LOGGED_AT,
  active: true,
  sameSeqDigest: undefined,
  previousDigest: digestOf('a'),
  nextPrev: undefined,
}
const gapTomorrow: Given['envelope'] = {
  digest: digestOf('b'),
  prev: digestOf('a'),
  content: {
    kind: 'declaration',
    declaration: { kind: 'gap', fromMs: LOGGED_AT, toMs: LOGGED_AT + 1e8, reason: 'off' },
  },
}

describe('admit', () => {
  const table: [string, Partial<Given>, ReturnType<typeof admit>][] = [
    ['chains to what was logged before', {}, 'OK'],
    [
      'the first of a stream',
      { envelope: { ...at(0), prev: ZERO_DIGEST }, previousDigest: undefined },
      'OK',
    ],
    ['arrives before its predecessor', { previousDigest: undefined }, 'OK'],
    ['its successor names it', { nextPrev: digestOf('b') }, 'OK'],
    ['same digest at its seq', { sameSeqDigest: digestOf('b') }, 'OK'],
    ['INV-14 another digest at its seq', { sameSeqDigest: digestOf('c') }, 'EQUIVOCATION'],
    ['prev is another digest', { previousDigest: digestOf('c') }, 'CHAIN_BROKEN'],
    ['its successor names another', { nextPrev: digestOf('c') }, 'CHAIN_BROKEN'],
    ['120 s ahead', { envelope: at(LOGGED_AT + 120_000) }, 'OK'],
    ['120.001 s ahead', { envelope: at(LOGGED_AT + 120_001) }, 'CLOCK_SKEW'],
    ['one reading of many ahead', { envelope: at(0, LOGGED_AT + 120_001, 0) }, 'CLOCK_SKEW'],
    ['a declared gap may end later', { envelope: gapTomorrow }, 'OK'],
    ['not active', { active: false }, 'MACHINE_SUSPENDED'],
    [
      'equivocation comes first',
      { sameSeqDigest: digestOf('c'), previousDigest: digestOf('c'), active: false },
      'EQUIVOCATION',
    ],
    [
      'then the chain',
      { nextPrev: digestOf('c'), envelope: at(LOGGED_AT + 1e6), active: false },
      'CHAIN_BROKEN',
    ],
    ['then the clock', { envelope: at(LOGGED_AT + 1e6), active: false }, 'CLOCK_SKEW'],
  ]
  it.each(table)('%s', (_name, change, code) => {
    const given = { ...usual, ...change }
    const latestMs = latestReadingMs(given.envelope.content)
    expect(admit({ ...given, latestMs })).toBe(code)
  })
})
