/** One request may arrive twice: from the terminal to the whole group, and handed on by npm or a launcher. */
const SAME_REQUEST_MS = 1_000

/** Resolves with the first signal that asks to stop. A later second one ends the process at once: whoever sends it is in a hurry. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let askedMs: number | undefined
    const onSignal = (signal: NodeJS.Signals) => {
      if (askedMs !== undefined && Date.now() - askedMs > SAME_REQUEST_MS) process.exit(130)
      askedMs ??= Date.now()
      resolve(signal)
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  })
}
