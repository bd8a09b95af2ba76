import type { Inbox } from './inbox.ts'

/**
 * Keeps what was read from sockets before they stopped until the inbox has room: one piece of a socket's bytes holds many frames, and
 * many sockets go on reading at once when there is room again. Machines enter by turns, one frame each, and each in the order in which
 * its frames came: who sends much waits for himself, and what a machine left behind that went away holds nobody up.
 */
export interface Gate {
  /** Resolves with what `enter` says; undefined if the sender went away while it waited, which has then not been taken. */
  pass<T>(machineId: bigint, enter: () => Promise<T>, isGone: () => boolean): Promise<T | undefined>
}

const gates = new WeakMap<object, Gate>()

/** The gate before an inbox: the same one for every transport, so that none of them takes all the room. */
export function gateOf(inbox: Pick<Inbox, 'whenRoom'>): Gate {
  const known = gates.get(inbox)
  if (known !== undefined) return known
  const gate = openGate(inbox)
  gates.set(inbox, gate)
  return gate
}

function openGate(inbox: Pick<Inbox, 'whenRoom'>): Gate {
  /** The next machine in turn comes first. */
  const lines = new Map<bigint, (() => void)[]>()
  let isPumping = false

  async function pump(): Promise<void> {
    isPumping = true
    // Whose turn it was goes to the back, where the iterator comes to it again.
    for (const [machineId, line] of lines) {
      // Entering takes room at once, so that the next one in turn sees what is left.
      for (let room = inbox.whenRoom(); room !== undefined; room = inbox.whenRoom()) await room
      lines.delete(machineId)
      const enterNext = line.shift()
      if (line.length > 0) lines.set(machineId, line)
      enterNext?.()
    }
    isPumping = false
  }

  function wait(machineId: bigint, enter: () => void): void {
    const line = lines.get(machineId)
    if (line === undefined) lines.set(machineId, [enter])
    else line.push(enter)
    if (!isPumping) void pump()
  }

  return {
    pass(machineId, enter, isGone) {
      if (lines.size === 0 && inbox.whenRoom() === undefined) return enter()
      return new Promise((resolve, reject) => {
        wait(machineId, () => {
          if (isGone()) resolve(undefined)
          else enter().then(resolve, reject)
        })
      })
    },
  }
}
