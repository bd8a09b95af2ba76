import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hex } from '@liquefy/client'
import type { DeviceNews, DeviceOrder, DevicePlan } from './device-plan.ts'
import { type Supervised, supervise } from './supervised.ts'

/** What a device was told of one envelope. */
interface HeardReceipt {
  digest: Hex
  loggedAt: number
  code: string
}

/** What is known of one device from itself alone: the model that everything else is held against. */
interface Counted {
  /** What its counter showed first and last, of readings that are on its disk. */
  first: bigint
  last: bigint
  lastSeq: bigint
  /** Digest of each envelope that was on its disk, by sequence number. */
  published: Map<bigint, Hex>
  receipts: Map<bigint, HeardReceipt>
}

/** Devices that count, in a process of their own, which is started again when it ends. */
export interface Fleet extends Pick<Supervised, 'signal' | 'ready' | 'stop'> {
  /** By how much their clocks are wrong from now on. */
  setClock(clockMs: number): void
  /** Resolves when each has published its last reading. */
  finish(): Promise<void>
  counted(machineId: bigint): Counted
  /** What cannot be, found on the way: two receipts of one envelope that differ, two contents with one number. */
  readonly contradictions: string[]
}

/** Starts the devices of these plans, and starts them again from what their counters show. */
export function startFleet(plans: readonly Omit<DevicePlan, 'shown'>[], logFile: string): Fleet {
  const counted = new Map<string, Counted>()
  const finished = new Set<string>()
  const contradictions: string[] = []
  let isFinishing = false
  const of = (machineId: string): Counted => {
    const known = counted.get(machineId) ?? {
      first: -1n,
      last: -1n,
      lastSeq: 0n,
      published: new Map(),
      receipts: new Map(),
    }
    counted.set(machineId, known)
    return known
  }

  function onNews(news: DeviceNews): void {
    if (news.kind === 'published') onPublished(news)
    else if (news.kind === 'receipt') onReceipt(news)
    else if (news.kind === 'meter') appendFileSync(logFile, `${news.machineId} ${news.said}\n`)
  }

  function onPublished(news: Extract<DeviceNews, { kind: 'published' }>): void {
    const one = of(news.machineId)
    const seq = BigInt(news.seq)
    const before = one.published.get(seq)
    if (before && before !== news.digest) {
      contradictions.push(`machine ${news.machineId} signed two contents with number ${seq}`)
    }
    one.published.set(seq, news.digest)
    one.last = BigInt(news.value)
    if (one.first < 0n) one.first = one.last
    one.lastSeq = seq
    if (news.isLast) finished.add(news.machineId)
  }

  function onReceipt({
    machineId,
    seq,
    digest,
    loggedAt,
    code,
  }: Extract<DeviceNews, { kind: 'receipt' }>) {
    const { receipts } = of(machineId)
    const before = receipts.get(BigInt(seq))
    const isSame =
      !before || (before.digest === digest && before.loggedAt === loggedAt && before.code === code)
    if (!isSame) {
      const told = JSON.stringify([before, { digest, loggedAt, code }])
      contradictions.push(`machine ${machineId} heard two receipts for number ${seq}: ${told}`)
    }
    receipts.set(BigInt(seq), { digest, loggedAt, code })
  }

  const order = (what: DeviceOrder) => process_.tell(what)
  const process_ = supervise({
    program: join(import.meta.dirname, 'device-process.ts'),
    args: [],
    logFile,
    onStart(tell) {
      const devices = plans.map((plan) => {
        const { last } = of(plan.machineId)
        return { ...plan, shown: last < 0n ? undefined : String(last) }
      })
      finished.clear()
      tell({ devices })
      if (isFinishing) tell({ finish: true })
    },
    onMessage: (message) => onNews(message as DeviceNews),
  })

  return {
    signal: process_.signal,
    ready: process_.ready,
    stop: process_.stop,
    setClock: (clockMs) => order({ clockMs }),
    async finish() {
      isFinishing = true
      order({ finish: true })
      while (finished.size < plans.length) await new Promise((resolve) => setTimeout(resolve, 50))
    },
    counted: (machineId) => of(String(machineId)),
    contradictions,
  }
}
