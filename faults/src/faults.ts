import { setTimeout as sleep } from 'node:timers/promises'
import { mangledMqtt } from './mangled-mqtt.ts'
import type { Random } from './random.ts'
import type { RpcFault } from './rpc-proxy.ts'
import type { World } from './world.ts'

/** Something that goes wrong. */
export interface Fault {
  name: string
  /** Faults that strike the same part do not strike it at one time. */
  part: 'node' | 'database' | 'broker' | 'rpc' | 'chain' | 'clock' | 'devices'
  /** Brings it about. The answer ends it. */
  strike(world: World, random: Random): Promise<() => Promise<void>>
}

/** A node that is behind by more says so of every reading; the audit allows a clock that is ahead by no more than this. */
const MOST_AHEAD_SECONDS = 100
const MOST_BEHIND_SECONDS = 600
const MOST_REORGANISED = 5

const nothing = async () => undefined

const rpcFault = (name: string, fault: RpcFault): Fault => ({
  name,
  part: 'rpc',
  async strike({ rpc }) {
    rpc.fault = fault
    return async () => {
      rpc.fault = 'none'
    }
  },
})

/** Every fault that the harness knows. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'node killed',
    part: 'node',
    async strike({ node }) {
      node.signal('SIGKILL')
      return nothing
    },
  },
  {
    name: 'node stopped and continued',
    part: 'node',
    async strike({ node }) {
      node.signal('SIGSTOP')
      return async () => node.signal('SIGCONT')
    },
  },
  {
    name: 'node restarted',
    part: 'node',
    async strike({ node }) {
      node.signal('SIGTERM')
      return nothing
    },
  },
  {
    name: 'node killed twice, the second time while it starts',
    part: 'node',
    async strike({ node }, random) {
      node.signal('SIGKILL')
      await sleep(random.between(400, 2_000))
      node.signal('SIGKILL')
      return nothing
    },
  },
  {
    name: 'database killed',
    part: 'database',
    async strike({ database }) {
      database.kill()
      return nothing
    },
  },
  {
    name: 'database away',
    part: 'database',
    async strike({ database }) {
      await database.stop()
      return () => database.start()
    },
  },
  {
    name: 'database stopped and continued',
    part: 'database',
    async strike({ database }) {
      await database.freeze(true)
      return () => database.freeze(false)
    },
  },
  {
    name: 'connections to the database cut',
    part: 'database',
    async strike({ database }) {
      database.line.cut()
      return nothing
    },
  },
  {
    name: 'line to the database silent',
    part: 'database',
    async strike({ database }) {
      database.line.silence(true)
      return async () => database.line.silence(false)
    },
  },
  {
    name: 'disk of the database full',
    part: 'database',
    async strike({ database }) {
      await database.fill(true)
      return () => database.fill(false)
    },
  },
  {
    name: 'broker unreachable',
    part: 'broker',
    async strike({ broker }) {
      const { target } = broker
      broker.target = undefined
      broker.cut()
      return async () => {
        // A node that was started meanwhile has told where it is.
        broker.target ??= target
      }
    },
  },
  {
    name: 'connections to the broker cut',
    part: 'broker',
    async strike({ broker }) {
      broker.cut()
      return nothing
    },
  },
  {
    name: 'line to the broker silent',
    part: 'broker',
    async strike({ broker }) {
      broker.silence(true)
      return async () => broker.silence(false)
    },
  },
  {
    name: 'messages delivered twice and out of order',
    part: 'broker',
    async strike({ broker }, random) {
      broker.mangler = mangledMqtt(random.branch())
      broker.cut()
      return async () => {
        broker.mangler = undefined
        broker.cut()
      }
    },
  },
  rpcFault('RPC endpoint unreachable', 'down'),
  rpcFault('RPC endpoint silent after broadcast', 'silent-after-broadcast'),
  rpcFault('RPC endpoint with a replica that is behind', 'lagging'),
  rpcFault('RPC endpoint that repeats logs', 'logs-twice'),
  rpcFault('RPC endpoint that drops logs', 'logs-dropped'),
  {
    name: 'chain reorganised',
    part: 'chain',
    async strike({ chain }, random) {
      await chain.reorganise(random.between(1, MOST_REORGANISED))
      return nothing
    },
  },
  {
    name: 'chain without new blocks',
    part: 'chain',
    async strike({ chain }) {
      chain.isHalted = true
      return async () => {
        chain.isHalted = false
      }
    },
  },
  {
    name: "node's clock ahead",
    part: 'clock',
    async strike({ node }, random) {
      node.tell({ clockMs: random.between(10, MOST_AHEAD_SECONDS) * 1_000 })
      return async () => node.tell({ clockMs: 0 })
    },
  },
  {
    name: "node's clock behind",
    part: 'clock',
    async strike({ node }, random) {
      node.tell({ clockMs: -random.between(10, MOST_BEHIND_SECONDS) * 1_000 })
      return async () => node.tell({ clockMs: 0 })
    },
  },
  {
    name: "devices' clocks wrong",
    part: 'devices',
    async strike({ fleet }, random) {
      fleet.setClock(random.between(-4_000, 4_000))
      return async () => fleet.setClock(0)
    },
  },
  {
    name: 'devices killed',
    part: 'devices',
    async strike({ fleet }) {
      fleet.signal('SIGKILL')
      return nothing
    },
  },
]
