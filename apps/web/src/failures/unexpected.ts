import { useSyncExternalStore } from 'react'

/** An error that nobody caught. */
export interface Unexpected {
  error: unknown
  atMs: number
}

let newest: Unexpected | undefined
const listeners = new Set<() => void>()

/** A browser's remark on layout, which harms nothing. */
const HARMLESS = /^ResizeObserver loop/

const tell = (unexpected: Unexpected | undefined) => {
  newest = unexpected
  for (const listener of listeners) listener()
}

/** Takes down what happens outside React, where no boundary catches it. */
export const watchUnexpected = (): void => {
  window.addEventListener('error', ({ error, message }) => {
    if (!HARMLESS.test(message)) tell({ error: error ?? message, atMs: Date.now() })
  })
  window.addEventListener('unhandledrejection', ({ reason }) =>
    tell({ error: reason, atMs: Date.now() }),
  )
}

export const forgetUnexpected = (): void => tell(undefined)

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

/** The newest one that the reader has not put away. */
export const useUnexpected = () => useSyncExternalStore(subscribe, () => newest)
