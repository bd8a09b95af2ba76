import { setTimeout as sleep } from 'node:timers/promises'
import { FAULTS, type Fault } from './faults.ts'
import { type Judgement, judge } from './judge.ts'
import { startWorld, type World } from './world.ts'

const MOST_AT_ONCE = 3
const RECOVERY_MS = 90_000

/**
 * Runs `cycles` cycles: in each, up to three faults strike at their own moments, each for up to some seconds; then the devices must be heard
 * again. Every fault has its turn before one comes again. In the end all is judged.
 *
 * @throws Error if the devices are not heard again within 90 s, and the reason of `signal`
 */
export async function runCampaign(options: {
  cycles: number
  seed: number
  /** Ends it between two cycles, and leaves nothing behind. */
  signal: AbortSignal
  say: (line: string) => void
}): Promise<Judgement & { folder: string | undefined }> {
  const { cycles, seed, signal, say } = options
  const world = await startWorld({ seed })
  let isRight = false
  try {
    const draw = deckOf(world)
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      const faults = draw()
      const begunMs = performance.now()
      await Promise.all(faults.map((fault) => suffer(world, fault)))
      const struckMs = performance.now()
      await heardAgain(world)
      const names = faults.map(({ name }) => name).join(' + ')
      const took = ((struckMs - begunMs) / 1_000).toFixed(1)
      const until = ((performance.now() - struckMs) / 1_000).toFixed(1)
      say(`${cycle}/${cycles} ${names}: ${took} s, heard again after ${until} s`)
      signal.throwIfAborted()
    }
    say('judging')
    const judgement = await judge(world)
    isRight = judgement.wrong.length === 0
    return { ...judgement, folder: isRight ? undefined : world.folder }
  } finally {
    await world.stop({ keep: !isRight && !signal.aborted })
  }
}

/** Deals some faults at a time, of different parts, from a deck that is shuffled anew when it is used up. */
function deckOf({ random, database }: World): () => Fault[] {
  const possible = FAULTS.filter(({ name }) => database.hasOwnDisk || !name.startsWith('disk'))
  let deck: Fault[] = []
  return () => {
    const hand: Fault[] = []
    const count = random.between(1, MOST_AT_ONCE)
    while (hand.length < count) {
      if (deck.length === 0) deck = random.shuffled(possible)
      const next = deck.findIndex(({ part }) => hand.every((one) => one.part !== part))
      const [fault] = deck.splice(next, 1)
      if (next < 0 || !fault) break
      hand.push(fault)
    }
    return hand
  }
}

async function suffer(world: World, fault: Fault): Promise<void> {
  const random = world.random.branch()
  await sleep(random.between(0, 1_500))
  const heal = await fault.strike(world, random)
  await sleep(random.between(200, 5_000))
  await heal()
}

/**
 * Waits until each device has a receipt for something that it published after the call.
 *
 * @throws Error if that takes more than 90 s
 */
export async function heardAgain({ fleet, sites }: World): Promise<void> {
  await fleet.ready()
  const from = sites.map(({ machineId }) => fleet.counted(machineId).lastSeq)
  const end = Date.now() + RECOVERY_MS
  const isHeard = ({ machineId }: (typeof sites)[number], index: number) => {
    const { lastSeq, receipts } = fleet.counted(machineId)
    return lastSeq > (from[index] ?? 0n) && receipts.has((from[index] ?? 0n) + 1n)
  }
  while (!sites.every(isHeard)) {
    if (Date.now() > end)
      throw new Error(`Not all devices are heard again after ${RECOVERY_MS} ms.`)
    await sleep(50)
  }
}
