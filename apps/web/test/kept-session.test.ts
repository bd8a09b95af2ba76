import { ApiError, type Hex } from '@liquefy/client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  currentSession,
  dropIfEnded,
  keepSession,
  onSession,
  type SignedIn,
} from '../src/session/kept-session.ts'

const HOUR_MS = 3_600_000
const sessionFor = (ms: number): SignedIn => ({
  token: 'secret',
  address: `0x${'11'.repeat(20)}` as Hex,
  expiresMs: Date.now() + ms,
  wallet: { kind: 'person' },
})

const refusal = (status: number, code: string) => new ApiError(status, { code, message: code })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  keepSession(undefined)
  vi.useRealTimers()
})

test('a session is dropped when it ends, and whoever shows it is told', () => {
  const told = vi.fn()
  const stop = onSession(told)
  keepSession(sessionFor(HOUR_MS))
  vi.advanceTimersByTime(HOUR_MS - 1)
  expect(currentSession()).toMatchObject({ token: 'secret' })
  told.mockClear()
  vi.advanceTimersByTime(1)
  expect(currentSession()).toBeUndefined()
  expect(told).toHaveBeenCalledOnce()
  stop()
})

test('a session that follows another lasts until its own end', () => {
  keepSession(sessionFor(HOUR_MS))
  keepSession(sessionFor(2 * HOUR_MS))
  vi.advanceTimersByTime(HOUR_MS)
  expect(currentSession()).toBeDefined()
})

test('a session is dropped when the node says that it has ended, and by no other refusal', () => {
  keepSession(sessionFor(HOUR_MS))
  dropIfEnded(refusal(404, 'PROPOSAL_UNKNOWN'))
  dropIfEnded(new TypeError('Failed to fetch'))
  expect(currentSession()).toBeDefined()
  dropIfEnded(refusal(401, 'SESSION_INVALID'))
  expect(currentSession()).toBeUndefined()
})
