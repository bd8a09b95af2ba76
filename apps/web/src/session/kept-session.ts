import { ApiError, type Session } from '@liquefy/client'

/** Who is signed in on this page, by which wallet. It opens what only he may read; money moves by the wallet alone. */
export interface SignedIn extends Session {
  /** One of the embedded chain's people, or the id of a wallet in this browser. */
  wallet: { kind: 'person' } | { kind: 'browser'; id: string }
}

const place = 'liquefy.session'

const isSignedIn = (value: unknown): value is SignedIn =>
  typeof value === 'object' && value !== null && 'token' in value && 'address' in value

/** What was kept by an earlier visit and has not ended. A browser that keeps nothing forgets at the next load. */
const keptBefore = (): SignedIn | undefined => {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? 'null')
    return isSignedIn(kept) && kept.expiresMs > Date.now() ? kept : undefined
  } catch {
    return undefined
  }
}

let current = keptBefore()
let ending: ReturnType<typeof setTimeout> | undefined
const listeners = new Set<() => void>()

export const currentSession = (): SignedIn | undefined => current

export const keepSession = (session: SignedIn | undefined): void => {
  current = session
  endInTime()
  try {
    if (session) localStorage.setItem(place, JSON.stringify(session))
    else localStorage.removeItem(place)
  } catch {
    // It is kept until the page is left.
  }
  for (const listener of listeners) listener()
}

/** The node knows it no longer then, and tells nobody. */
const endInTime = (): void => {
  clearTimeout(ending)
  if (current) ending = setTimeout(() => keepSession(undefined), current.expiresMs - Date.now())
}
endInTime()

/** Drops the session if the node refused something because it has ended, so that the page shows what is true. */
export const dropIfEnded = (error: unknown): void => {
  if (error instanceof ApiError && error.code === 'SESSION_INVALID') keepSession(undefined)
}

export const onSession = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
