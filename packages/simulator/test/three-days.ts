import { type Clock, type Machine, type MachineOptions, openMachine } from '@liquefy/machine'
import {
  type DecimalFraction,
  encodeTariffData,
  type FoldState,
  foldStream,
  foldTermsOf,
  type Hex,
  type LoggedEnvelope,
  type MeterRule,
  machineSigner,
  owed,
  type PrivateKey,
  registerAt,
  ruleHash,
  type Tariff,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { createRandom, type Random } from '../src/index.ts'
import { evidenceNode, heldLine, type Message } from './evidence-node.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
export const START_MS = Date.UTC(2026, 0, 5)
const OFFLINE_FROM_MS = START_MS + 4 * HOUR_MS
export const OFFLINE_TO_MS = OFFLINE_FROM_MS + 3 * DAY_MS
const END_MS = OFFLINE_TO_MS + 8 * HOUR_MS
/** Signing meter values takes longer than all the rest, and what a machine signs is what it folds: one seed in ten does. */
const METERING_EVERY = 10
/** The machine has caught up by then. */
const CATCH_UP_MS = 2 * HOUR_MS
const PERIODS = 14
export const MACHINE_ID = 7n

/** A heat meter, in tenths of a litre. */
const METER: MeterRule = {
  rule: 'counter',
  version: 1,
  unit: 'l',
  scale: 1,
  registerUnit: 'l',
  factor: { numerator: 1, denominator: 10 },
  maxRate: { burst: '4000', perHour: '4000' },
}

/** A silo's level, in millimetres. */
const LEVEL: MeterRule = {
  rule: 'drawdown',
  version: 1,
  unit: 'mm',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 4_550, denominator: 1 },
  maxRate: { burst: '300', perHour: '300' },
  noiseBand: 5,
  maxSilenceSeconds: 2 * 3_600,
}

export const RULES = [METER, LEVEL]
const TARIFF: Tariff = { kind: 'linear', prices: [1_250n, 420n], scale: 3 }

/** What both probes see at a moment: tenths of a litre since the beginning, millimetres. */
interface Moment {
  atMs: number
  litres10: bigint
  levelMm: bigint
}

/** What happens to a machine: what it reads, and what befalls it. */
export interface Story {
  moments: Moment[]
  /** At which moment which probes are replaced, and what the new ones show. */
  swap: { at: number; meter: bigint | undefined; level: bigint | undefined }
  jump: { fromMs: number; toMs: number; offsetMs: number }
  restartsMs: number[]
  packRecords: number
  /** The machine folds too, and signs meter values. */
  isMetering: boolean
}

/** A story of a seed. The two-hour jump, the swap and the restarts lie in the three days offline. */
export function storyOf(seed: number): Story {
  const random = createRandom(seed)
  const moments = momentsOf(random)
  const offline = moments.flatMap(({ atMs }, index) =>
    atMs > OFFLINE_FROM_MS && atMs < OFFLINE_TO_MS ? [index] : [],
  )
  const kind = random.next()
  const within = () => random.between(OFFLINE_FROM_MS + HOUR_MS, OFFLINE_TO_MS - HOUR_MS)
  const [fromMs = 0, toMs = 0] = [within(), within()].sort((a, b) => a - b).map(Math.floor)
  return {
    moments,
    swap: {
      at: offline[Math.floor(random.next() * offline.length)] ?? 0,
      meter: kind < 0.7 ? BigInt(Math.floor(random.next() * 9_000)) : undefined,
      level: kind > 0.4 ? BigInt(Math.floor(random.between(-900, 900))) : undefined,
    },
    jump: { fromMs, toMs, offsetMs: 2 * HOUR_MS },
    restartsMs: Array.from({ length: Math.floor(random.next() * 3) }, () => Math.floor(within())),
    packRecords: 2 + Math.floor(random.next() * 9),
    isMetering: seed % METERING_EVERY === 0,
  }
}

function momentsOf(random: Random): Moment[] {
  const moments: Moment[] = []
  let [litres10, levelMm] = [random.between(0, 5_000), 7_000]
  let atMs = START_MS + 5 * MINUTE_MS
  while (atMs < END_MS) {
    const noiseMm = random.between(-3, 3)
    moments.push({
      atMs: Math.floor(atMs),
      litres10: BigInt(Math.floor(litres10)),
      levelMm: BigInt(Math.round(levelMm + noiseMm)),
    })
    atMs += random.between(45 * MINUTE_MS, 110 * MINUTE_MS)
    litres10 += random.next() < 0.2 ? 0 : random.between(0, 3_000)
    levelMm -= random.next() < 0.3 ? 0 : random.between(0, 200)
    if (levelMm < 1_500) levelMm += 5_500
  }
  // Between the return and the catching up nothing is read.
  return moments.filter((one) => one.atMs < OFFLINE_TO_MS || one.atMs > OFFLINE_TO_MS + CATCH_UP_MS)
}

export function termsOf(change: Partial<Terms> = {}): Terms {
  const stream = (name: string, rule: MeterRule) => ({
    stream: name,
    ruleHash: ruleHash(rule),
    startHead: ZERO_DIGEST,
  })
  return {
    payer: `0x${'aa'.repeat(20)}`,
    payee: `0x${'bb'.repeat(20)}`,
    asset: `0x${'cc'.repeat(20)}`,
    machineId: MACHINE_ID,
    meters: [stream('meter', METER), stream('level', LEVEL)],
    signerKind: 1,
    signer: machineSigner(MACHINE_ID),
    tariff: `0x${'dd'.repeat(20)}`,
    tariffData: encodeTariffData(TARIFF),
    limits: [
      { burst: 10n ** 9n, perHour: 10n ** 9n },
      { burst: 10n ** 12n, perHour: 10n ** 12n },
    ],
    capMinor: 10n ** 15n,
    start: BigInt(START_MS / 1000),
    periodSeconds: (6 * HOUR_MS) / 1000,
    periods: PERIODS,
    // Three days offline, and some time to come back.
    backfillSeconds: (5 * DAY_MS) / 1000,
    lateSeconds: (5 * DAY_MS) / 1000,
    gapTimeoutSeconds: (5 * DAY_MS) / 1000,
    settleSeconds: (5 * DAY_MS) / 1000,
    shared: false,
    openBy: BigInt(START_MS / 1000) + 86_400n,
    salt: ZERO_DIGEST as Hex,
    ...change,
  }
}

/** What a run came to, by period. */
export interface Result {
  registers: bigint[][]
  minor: bigint[]
}

/** What is done to the machine beside what the story says; for tests of the test. */
export interface Handicap {
  /** Its wall clock is all the time it has. */
  wallClockOnly?: boolean
  /** A replacement is declared without readings. */
  noHandover?: boolean
}

/** Real time, which nobody in the story knows for certain. */
export interface World {
  nowMs: number
}

/** What a machine is connected to. */
export interface Wire {
  line: ReturnType<typeof heldLine>
  /** Brings frames to the node, and what it answers back. */
  deliver(frames: Message[]): Message[] | Promise<Message[]>
}

/** The same moments with no machine in between: readings of probes that stay, each logged when it was read. */
export function undisturbed({ moments }: Story): Result {
  const readings = { meter: { unit: 'l', exponent: -1 }, level: { unit: 'mm', exponent: 0 } }
  const states = Object.entries(readings).map(([name, { unit, exponent }], index) => {
    const envelopes = moments.map(({ atMs, litres10, levelMm }, place): LoggedEnvelope => {
      const mantissa = name === 'meter' ? litres10 : levelMm
      const value = { kind: 'decimal', mantissa, exponent } as const
      return {
        seq: BigInt(place + 1),
        digest: ZERO_DIGEST,
        loggedAt: atMs,
        code: 'OK',
        iat: Math.floor(atMs / 1000),
        content: { kind: 'readings', readings: [{ name, unit, timeMs: atMs, value }] },
      }
    })
    const rule = RULES[index]
    if (!rule) throw new RangeError(`no rule for ${name}`)
    return foldStream(foldTermsOf(termsOf(), index, rule, 1n), envelopes, END_MS).state
  })
  return resultOf(states)
}

/** The story as it was, before a node in memory. The folder holds key and identity. */
export async function runDisturbed(
  story: Story,
  { key, folder, seed }: { key: PrivateKey; folder: string; seed: number },
  handicap: Handicap = {},
) {
  const world = { nowMs: START_MS }
  const { node, wire } = inMemory(key, world)
  if (story.isMetering) wire.line.first = node.agreement()
  const machine = await play(story, { folder, seed, world, wire, handicap })
  const own = machine.agreements()[0]?.registers ?? {}
  await machine.close()
  return { ...resultOf(node.foldOn()), own, counts: node.counts, log: node.log() }
}

/** Lets a machine live through the story, on a wire that loses, repeats and mixes up what it carries. It is left open. */
export async function play(
  story: Story,
  options: { folder: string; seed: number; world: World; wire: Wire; handicap?: Handicap },
): Promise<Machine> {
  const { world, wire, handicap = {} } = options
  const clock = disturbedClock(story, world, handicap)
  const open = () => openMachine(optionsOf(story, { ...options, clock }))
  const faults = createRandom(options.seed + 1_000_000)
  const restarts = [...story.restartsMs].sort((a, b) => a - b)
  const shown: Shown = {}
  let machine = await open()
  let isOffline = false
  let writes: Promise<unknown>[] = []
  wire.line.up()
  for (const [index, moment] of story.moments.entries()) {
    if (!isOffline && moment.atMs > OFFLINE_FROM_MS && moment.atMs < OFFLINE_TO_MS) {
      isOffline = true
      wire.line.down()
    }
    while ((restarts[0] ?? Number.POSITIVE_INFINITY) <= moment.atMs) {
      world.nowMs = restarts.shift() ?? 0
      await machine.close()
      machine = await open()
    }
    if (isOffline && moment.atMs > OFFLINE_TO_MS) {
      isOffline = false
      world.nowMs = OFFLINE_TO_MS
      wire.line.up()
      await exchange({ machine, wire, world, faults, writes })
    }
    world.nowMs = moment.atMs
    writes.push(
      ...(index === story.swap.at
        ? swap(machine, moment, { story, shown, handicap })
        : read(machine, moment, shown)),
    )
    if (isOffline) continue
    await exchange({ machine, wire, world, faults, writes })
    writes = []
  }
  await exchange({ machine, wire, world, faults, writes })
  return machine
}

function disturbedClock({ jump }: Story, world: World, { wallClockOnly }: Handicap): Clock {
  const hasJumped = () => world.nowMs >= jump.fromMs && world.nowMs < jump.toMs
  const nowMs = () => world.nowMs + (hasJumped() ? jump.offsetMs : 0)
  if (wallClockOnly) return { nowMs }
  return { nowMs, monotonic: { elapsedMs: () => world.nowMs - START_MS, bootId: 'one' } }
}

function inMemory(key: PrivateKey, world: World) {
  const node = evidenceNode({
    key: key.publicKey,
    machineId: MACHINE_ID,
    terms: termsOf(),
    rules: RULES,
    nowMs: () => world.nowMs,
  })
  const wire: Wire = {
    line: heldLine(),
    deliver(frames) {
      const answers = frames.flatMap(({ topic, payload }) => {
        world.nowMs += 3
        return node.accept(topic, payload)
      })
      world.nowMs += 1
      node.foldOn()
      return answers
    },
  }
  return { node, wire }
}

function optionsOf(
  { packRecords }: Pick<Story, 'packRecords'>,
  { folder, clock, wire }: { folder: string; clock: Clock; wire: Wire },
): MachineOptions {
  return {
    folder,
    clock,
    transport: wire.line.open,
    packEvery: { records: packRecords, ageMs: 1 },
    signEveryMs: 12 * HOUR_MS,
  }
}

/** What the probes show beside what there is: a new one counts from elsewhere. */
type Shown = { meter?: bigint; level?: bigint }

const tenths = (mantissa: bigint): DecimalFraction => ({ mantissa, exponent: -1 })
const whole = (mantissa: bigint): DecimalFraction => ({ mantissa, exponent: 0 })

function read(
  machine: Machine,
  { litres10, levelMm }: Moment,
  shown: Shown,
  streams: readonly string[] = ['meter', 'level'],
): Promise<unknown>[] {
  const samples = {
    meter: { unit: 'l', value: tenths(litres10 + (shown.meter ?? 0n)) },
    level: { unit: 'mm', value: levelMm + (shown.level ?? 0n) },
  }
  return Object.entries(samples)
    .filter(([stream]) => streams.includes(stream))
    .map(([stream, sample]) => machine.sample(stream, sample))
}

/** At the moment of the swap both probes of a stream are read; a probe that stays is read as ever. */
function swap(
  machine: Machine,
  { atMs, litres10, levelMm }: Moment,
  { story, shown, handicap }: { story: Story; shown: Shown; handicap: Handicap },
): Promise<unknown>[] {
  const { meter, level } = story.swap
  const reason = 'the probe was replaced'
  const parts = { reason, oldPart: 'did:key:zOld', newPart: 'serial 0815' }
  const declare = (stream: string, last: DecimalFraction, first: DecimalFraction) =>
    machine.declareReplacement(
      stream,
      handicap.noHandover ? parts : { ...parts, handover: { last, first } },
    )
  const done = read(machine, { atMs, litres10, levelMm }, shown, [
    ...(meter === undefined ? ['meter'] : []),
    ...(level === undefined ? ['level'] : []),
  ])
  if (meter !== undefined) {
    done.push(declare('meter', tenths(litres10), tenths(meter)))
    shown.meter = meter - litres10
  }
  if (level !== undefined) {
    done.push(declare('level', whole(levelMm), whole(levelMm + level)))
    shown.level = level
  }
  return done
}

const RESEND_MS = 11_000
const MOST_ROUNDS = 60
const BAD_ROUNDS = 12

/** Lets line and node work until every envelope has its receipt. `faults`: what is on its way is lost, repeated and mixed up. */
async function exchange(options: {
  machine: Machine
  wire: Wire
  world: World
  writes: readonly Promise<unknown>[]
  faults?: Random
}): Promise<void> {
  const { machine, wire, world, faults } = options
  world.nowMs += 1
  machine.tick()
  await Promise.all(options.writes)
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    // A machine waits longer and longer: some time the line gets better.
    const disturb = (messages: Message[]) =>
      faults && round < BAD_ROUNDS ? disturbed(messages, faults) : messages
    const answers = await wire.deliver(disturb(wire.line.sent.splice(0)))
    for (const answer of disturb(answers)) wire.line.tell(answer)
    if (machine.pendingCount() === 0 && wire.line.sent.length === 0) return
    world.nowMs += RESEND_MS
    machine.tick()
  }
  throw new Error(`${machine.pendingCount()} envelopes have no receipt`)
}

function disturbed(messages: Message[], faults: Random): Message[] {
  const kept = messages.flatMap((message) => {
    const fate = faults.next()
    // Told once a connection: whoever loses it meters nothing until the next one.
    if (fate < 0.15) return message.topic.endsWith('/agreement') ? [message] : []
    return fate < 0.3 ? [message, message] : [message]
  })
  return kept
    .map((message) => ({ message, place: faults.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ message }) => message)
}

function resultOf(states: readonly FoldState[]): Result {
  const registers = Array.from({ length: PERIODS }, (_, period) =>
    states.map((state) => registerAt(state, period)),
  )
  return { registers, minor: registers.map((both) => owed(TARIFF, both, 0n)) }
}
