import type { NodeEvent } from '@liquefy/client'

/** What happens inside the node, told to whoever listens (the event stream of the API, tests). */
export interface NodeEvents {
  emit(event: NodeEvent): void
  /** Adds a listener; the answer removes it. */
  on(listener: (event: NodeEvent) => void): () => void
}

/**
 * Creates the node's event bus. Delivery is synchronous, in order of registration; a listener that throws is reported
 * to `onListenerError` and harms no other.
 */
export function createEvents(onListenerError: (error: unknown) => void): NodeEvents {
  const listeners = new Set<(event: NodeEvent) => void>()
  return {
    emit(event) {
      for (const listener of listeners) {
        try {
          listener(event)
        } catch (error) {
          onListenerError(error)
        }
      }
    },
    on(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
  }
}
