import type { Inbox } from './inbox.ts'

/**
 * Keeps what was read from sockets before they stopped, in the order in which it came, until the inbox has room: one piece of a
 * socket's bytes holds many frames, and many sockets go on reading at once when there is room again.
 */
export interface Gate {
  /** Resolves with what `enter` says; undefined if the sender went away while it waited, which has then not been taken. */
  pass<T>(enter: () => Promise<T>, isGone: () => boolean): Promise<T | undefined>
}

/** Opens a gate before an inbox. */
export function openGate(inbox: Pick<Inbox, 'whenRoom'>): Gate {
  let waiting: (() => void)[] = []
  let isPumping = false

  async function pump(): Promise<void> {
    isPumping = true
    while (waiting.length > 0) {
      await inbox.whenRoom()
      // Entering takes room at once, so that the next one in line sees what is left.
      let next = 0
      while (next < waiting.length && inbox.whenRoom() === undefined) {
        waiting[next]?.()
        next += 1
      }
      waiting = waiting.slice(next)
    }
    isPumping = false
  }

  return {
    pass(enter, isGone) {
      if (waiting.length === 0 && inbox.whenRoom() === undefined) return enter()
      return new Promise((resolve, reject) => {
        waiting.push(() => {
          if (isGone()) resolve(undefined)
          else enter().then(resolve, reject)
        })
        if (!isPumping) void pump()
      })
    },
  }
}
