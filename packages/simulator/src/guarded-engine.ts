import {
  type Identity,
  type Machine,
  nodeRights,
  openMachine,
  openUsageGuard,
  type StartAnswer,
  type StartRequest,
} from '@liquefy/machine'
import type { Hex } from '@liquefy/protocol'

/** An engine that only who holds the hour can start. */
export interface GuardedEngine {
  machine: Machine
  /** Ready to be started: has it ever heard of its rights? */
  hear(): Promise<boolean>
  /** What a start is to be signed for. */
  challenge(): Hex
  /** Turns the key. */
  start(request: StartRequest): StartAnswer
  running(): boolean
  /** Its program stops it, once it idles. */
  stop(): Promise<void>
  close(): Promise<void>
}

const TICK_MS = 500

/**
 * Opens an engine that is registered: what the identity in `folder` says, with the guard of its hours.
 *
 * @throws LiquefyError what `openMachine` throws.
 */
export async function openGuardedEngine(options: {
  folder: string
  identity: Identity
  usageRights: Hex
  nodeUrl: string
  onProblem(error: unknown): void
}): Promise<GuardedEngine> {
  const { folder, identity, usageRights, nodeUrl, onProblem } = options
  const { machineId, chainId } = identity
  const machine = await openMachine({ folder, ...identity })
  const guard = openUsageGuard({
    folder,
    machineId,
    chainId,
    usageRights,
    streams: machine,
    nowMs: () => machine.nowMs(),
    askNode: nodeRights({ url: nodeUrl, machineId }),
    onUnheard: onProblem,
  })
  const timer = setInterval(() => void guard.tick().catch(onProblem), TICK_MS)
  timer.unref()
  return {
    machine,
    hear: () => guard.refresh(),
    challenge: () => guard.challenge(),
    start: (request) => guard.start(request),
    running: () => guard.running() !== undefined,
    stop: () => guard.stop(),
    async close() {
      clearInterval(timer)
      await guard.close()
      await machine.close()
    },
  }
}
