import { EventEmitter } from 'node:events'
import {
  type Declaration,
  encodeEnvelope,
  type Hex,
  LiquefyError,
  type ReadingInput,
  type Replacement,
  type SigningKey,
} from '@liquefy/protocol'
import { requireCertificate } from './certificate.ts'
import { type Clock, systemClock, waitingClock } from './clock.ts'
import { createClockRecord } from './clock-record.ts'
import { createDelivery, type DeliveryLimits } from './delivery.ts'
import { lockFolder } from './folder-lock.ts'
import { httpTransport } from './http-transport.ts'
import { type Identity, passwordToken, resolveIdentity } from './identity.ts'
import { loadKey } from './key.ts'
import { openMachineClock } from './machine-clock.ts'
import { type MeterEvent, type Metering, openMetering } from './metering.ts'
import { mqttTransport } from './mqtt-transport.ts'
import { parseJson, readReceipts, readRefusal } from './node-message.ts'
import { createPacks, type PackEvery } from './pack.ts'
import { openSpool, type Spool, type SpoolLimits } from './spool.ts'
import type { ClockChange } from './steady-clock.ts'
import type { OpenTransport } from './transport.ts'

/** A reading as a program gives it; `timeMs` is now if left out. Billed values are bigint or decimal fractions. */
export type Sample = Omit<ReadingInput, 'timeMs'> & { timeMs?: number }

/** An envelope that is on disk. */
export interface Published {
  machineId: bigint
  stream: string
  seq: bigint
  digest: Hex
}

/** An envelope that the node has logged. `code` is the admission code. */
export interface Receipt extends Published {
  loggedAt: number
  code: string
  /** Of `MACHINE_SUSPENDED`: why, in the words of its owner, if he said it. */
  reason?: string
}

/** A frame that the node did not log. Its envelope stays on disk and is tried again, rarely. */
export interface Refusal {
  code: string
  message: string
  digest?: Hex
}

export interface MachineEvents {
  receipt: [Receipt]
  refused: [Refusal]
  meter: [MeterEvent]
  /** The wall clock jumped, or is followed again (docs/protocol/clock-and-parts.md). */
  clock: [ClockChange]
  online: []
  offline: [reason: string]
}

export interface MachineOptions extends Partial<Identity> {
  /** Where key, identity and spool live. One folder is one signing machine. */
  folder: string
  /** Of its key, if that is encrypted. */
  passphrase?: string
  /** Of the token that its key is in, if it is. */
  pin?: string
  /** Default: one envelope a sample. */
  packEvery?: PackEvery
  /** A meter value is signed this often while registers change, and at a period's end. Default 10 s. */
  signEveryMs?: number
  spool?: Partial<SpoolLimits>
  delivery?: Partial<DeliveryLimits>
  /**
   * Origin of the node's API: envelopes go there by HTTP, many a request, and no broker is needed. For devices that cannot hold a
   * connection or come back after days. Such a machine only measures: it hears of no agreements and signs no meter values.
   */
  httpUrl?: string
  /**
   * Sends all that the spool keeps once more, whatever had a receipt: after the node was restored from a backup, which may be older than some
   * receipts. What it has is answered as before. For one start only: it costs the history's worth of traffic.
   */
  resend?: boolean
  /** PEM of the authority behind the certificate of broker or API. */
  ca?: string
  /** Time of a simulation; `tick` is then called by whoever moves it. */
  clock?: Clock
  transport?: OpenTransport
}

/** Streams of one measured machine. */
export interface Measured {
  readonly machineId: bigint
  /**
   * Adds a reading: one record, or those of one moment that belong together and share an envelope, as a position's `lat` and `lon`.
   * Resolves when its envelope is on disk, which with `packEvery` may be a while: no need to wait.
   */
  sample(stream: string, sample: Sample | readonly Sample[]): Promise<void>
  /** Signs an envelope of these readings at once; resolves when it is on disk. */
  publish(stream: string, readings: readonly Sample[]): Promise<Published>
  /** Says that the stream was off from a to b, and why. */
  declareGap(
    stream: string,
    gap: Omit<Extract<Declaration, { kind: 'gap' }>, 'kind'>,
  ): Promise<Published>
  /**
   * Says that a sensor gave way to another, now unless `atMs` says when: which ones, and what both showed. Without the readings of both, the next
   * reading is a new baseline, and what was measured since the last one is not billed.
   */
  declareReplacement(
    stream: string,
    replacement: Omit<Replacement, 'kind' | 'atMs'> & { atMs?: number },
  ): Promise<Published>
  /** Says that what is measured from a to b from here on is not to be held against anybody: a defrost, say. */
  declareExcuse(
    stream: string,
    excuse: Omit<Extract<Declaration, { kind: 'excuse' }>, 'kind'>,
  ): Promise<Published>
  /**
   * Says that the sensor was calibrated: `certificate` as the laboratory issued it. It counts for what is read from here on. An agreement that asks for
   * one begins behind what the stream had declared before: declare it again when such an agreement was opened.
   *
   * @throws LiquefyError `CERTIFICATE_INVALID` if it is none of this stream: nothing is declared that changes nothing.
   */
  declareCalibration(stream: string, certificate: Uint8Array): Promise<Published>
  /** The same for one stream. */
  stream(stream: string): {
    sample(sample: Sample | readonly Sample[]): Promise<void>
    publish(readings: readonly Sample[]): Promise<Published>
  }
}

export interface Machine extends Measured {
  /** A machine that cannot sign and has this one as its controller. */
  for(machineId: bigint): Measured
  on<Name extends keyof MachineEvents>(
    name: Name,
    listener: (...event: MachineEvents[Name]) => void,
  ): () => void
  isOnline(): boolean
  /** Time as readings have it, ms since 1970: it does not follow a wall clock that jumps. */
  nowMs(): number
  /** An operator says that the wall clock is right, whatever it did: readings follow it from now on, also back. */
  followWallClock(reason: string): void
  /** Envelopes on disk that no receipt has named. */
  pendingCount(): number
  head(stream: string): { seq: bigint; digest: Hex }
  /** Agreements that it meters, with registers by period. */
  agreements: Metering['agreements']
  /** Closes open packs and resolves once every envelope has its receipt. @throws LiquefyError `TIMEOUT`. */
  flushed(timeoutMs?: number): Promise<void>
  /** Signs meter values of all that has changed, due or not, and resolves with the node's answers. @throws `TIMEOUT`. */
  meterNow(timeoutMs?: number): Promise<MeterEvent[]>
  /**
   * Signs what late evidence adds to final periods and waits for the node's answers. Without it the machine does so when half of the
   * agreement's time for settling has passed. A period has one adjustment: what comes after it is not paid.
   */
  adjustNow(timeoutMs?: number): Promise<MeterEvent[]>
  /** What the timer does: packs, resends, meter values. Only those who bring their own clock need to call it. */
  tick(): void
  /** Envelopes of open packs are written first. What has no receipt is sent when the folder is opened again. */
  close(): Promise<void>
}

const TICK_MS = 200
const MEBIBYTE = 1024 * 1024
const SPOOL_LIMITS: SpoolLimits = {
  maxBytes: 256 * MEBIBYTE,
  segmentBytes: MEBIBYTE,
  historyBytes: 16 * MEBIBYTE,
}
const DELIVERY_LIMITS: DeliveryLimits = { window: 128, resendMs: 10_000 }
/** A window is a body; an answer may take a minute. */
/** So long a key that failed to sign meter values is left in peace. */
const KEY_REST_MS = 10_000
const HTTP_LIMITS: DeliveryLimits = { window: 1_000, resendMs: 90_000 }

/**
 * Puts a machine on the wire. Folder must hold a key (`createKey`) and, unless passed here, the identity (`saveIdentity`).
 *
 * @throws LiquefyError `KEY_MISSING`, `IDENTITY_MISSING`, `BROKER_MISSING`, `FOLDER_LOCKED`, `SPOOL_CORRUPT`, `TRANSPORT_PLAIN`.
 */
export async function openMachine(options: MachineOptions): Promise<Machine> {
  const { folder } = options
  const key = loadKey(folder, options.passphrase, options.pin)
  const identity = resolveIdentity(folder, givenIdentity(options))
  const wall = options.clock ?? systemClock
  // Known once the spool is open.
  const time: MachineTime = { wall, steady: wall }
  const openTransport = options.transport ?? wireOf(options, identity, key, tokenTime(time))
  const unlock = lockFolder(folder)
  try {
    return startMachine({ options, key, identity, time, openTransport, unlock })
  } catch (error) {
    unlock()
    throw error
  }
}

function startMachine(input: {
  options: MachineOptions
  key: SigningKey
  identity: Identity
  time: MachineTime
  openTransport: OpenTransport
  unlock: () => void
}): Machine {
  const { options, key, identity, time } = input
  const { machineId, chainId, registry } = identity
  const topic = (name: string) => `liquefy/v1/${machineId}/${name}`
  const events = new EventEmitter<MachineEvents>()
  const measured = new Set([machineId])
  const spool: Spool = openSpool(
    options.folder,
    { ...SPOOL_LIMITS, ...options.spool },
    (entries) => metering.beforeDrop(entries),
    options.resend,
  )
  let online = false
  let closed = false
  const clockRecord = createClockRecord()
  const clock = openMachineClock({
    folder: options.folder,
    wall: time.wall,
    spool,
    onChange(change) {
      clockRecord.add(change)
      events.emit('clock', change)
    },
  })
  time.steady = clock
  let keyRestsUntilMs = 0

  const delivery = createDelivery({
    spool,
    // A real wire loses and delays in real time, whatever the time of the readings.
    clock: options.transport ? clock : waitingClock,
    limits: { ...(options.httpUrl ? HTTP_LIMITS : DELIVERY_LIMITS), ...options.delivery },
    send: (bytes) => transport.publish(topic('envelope'), bytes),
  })
  const metering = openMetering({
    folder: options.folder,
    key,
    chainId,
    clearingHouse: identity.clearingHouse,
    tariffs: identity.tariffs,
    signerId: machineId,
    measured,
    spool,
    clock,
    signEveryMs: options.signEveryMs ?? 10_000,
    publish: (value) =>
      transport.publish(topic('meter'), new TextEncoder().encode(JSON.stringify(value))),
    emit: (event) => events.emit('meter', event),
  })
  const packs = createPacks((chain, samples) => {
    const { machineId, stream } = parseChain(chain)
    publishReadings(
      machineId,
      stream,
      samples.flatMap(({ records }) => records),
    ).then(
      () => {
        for (const { resolve } of samples) resolve()
      },
      (error: unknown) => {
        for (const { reject } of samples) reject(error)
      },
    )
  })
  const transport = input.openTransport({
    subscriptions: ['receipt', 'refused', 'agreement', 'meter/answer'].map(topic),
    onOnline() {
      online = true
      delivery.online()
      events.emit('online')
    },
    onOffline(reason) {
      online = false
      delivery.offline()
      events.emit('offline', reason)
    },
    onMessage,
  })
  const timer = setInterval(onTimer, TICK_MS)
  timer.unref()

  function onMessage(from: string, payload: Uint8Array): void {
    const json = parseJson(payload)
    if (from === topic('receipt')) onReceipt(json)
    else if (from === topic('refused')) onRefused(json)
    else if (from === topic('agreement')) metering.onAgreement(json)
    else if (from === topic('meter/answer')) signing(() => metering.onAnswer(json))
  }

  /** A key in a token may fail while the machine runs, and come back: what is unsigned then is signed later. */
  function signing(work: () => void): void {
    try {
      work()
    } catch (error) {
      if ('d' in key || !(error instanceof LiquefyError)) throw error
      keyRestsUntilMs = performance.now() + KEY_REST_MS
      events.emit('meter', { kind: 'unsigned', code: error.code, message: error.message })
    }
  }

  function onReceipt(json: unknown): void {
    for (const { digest, receipt, reason } of readReceipts(json)) {
      const entry = spool.receipt(digest, receipt)
      if (!entry) continue
      delivery.settled(digest)
      clock.receipted(digest, receipt)
      events.emit('receipt', {
        ...parseChain(entry.chain),
        seq: entry.seq,
        digest,
        ...receipt,
        ...(reason === undefined ? {} : { reason }),
      })
    }
    delivery.pump()
  }

  function onRefused(json: unknown): void {
    const refusal = readRefusal(json)
    // Who is asked to come again keeps his place in the window: the resend timer does that, more slowly each time.
    const isLater = refusal.code === 'OVERLOADED' || refusal.code === 'QUOTA_EXCEEDED'
    if (refusal.digest && !isLater) delivery.refused(refusal.digest)
    events.emit('refused', refusal)
  }

  /** Whoever brings a clock, or a wire of his own, decides when time passes there. */
  function onTimer(): void {
    if (!options.clock) tick()
    else if (!options.transport) delivery.pump()
  }

  function tick(): void {
    if (closed) return
    packs.flush(clock.nowMs())
    delivery.pump()
    if (online && performance.now() >= keyRestsUntilMs) signing(() => metering.sign())
  }

  async function append(
    machineId: bigint,
    stream: string,
    content: Parameters<typeof encodeEnvelope>[0]['content'],
  ): Promise<Published> {
    const entry = await spool.append(`${machineId}/${stream}`, (head) =>
      encodeEnvelope({
        signer: key,
        iss: { chainId, registry, machineId: identity.machineId },
        machineId,
        stream,
        iat: Math.floor(clock.nowMs() / 1000),
        seq: head.seq + 1n,
        prev: head.digest,
        content,
      }),
    )
    if (online) clock.sent(entry.digest)
    delivery.pump()
    return { machineId, stream, seq: entry.seq, digest: entry.digest }
  }

  /** Before a reading its stream is told what the clock did, so that whoever reads the one finds the other. */
  function tellClock(machineId: bigint, stream: string): void {
    const chain = `${machineId}/${stream}`
    const change = clockRecord.untold(chain, clock.nowMs())
    if (!change) return
    const declaration = { kind: 'clock', ...change } as const
    append(machineId, stream, { kind: 'declaration', declaration }).catch(() =>
      clockRecord.failed(chain, change),
    )
  }

  /** One look at the clock, so that records that belong together have one time. */
  function withTime(samples: readonly Sample[]): ReadingInput[] {
    const nowMs = clock.nowMs()
    return samples.map((sample) => ({ ...sample, timeMs: sample.timeMs ?? nowMs }))
  }

  function publishReadings(
    machineId: bigint,
    stream: string,
    readings: readonly ReadingInput[],
  ): Promise<Published> {
    tellClock(machineId, stream)
    const inOrder = readings.toSorted((a, b) => a.timeMs - b.timeMs)
    return append(machineId, stream, { kind: 'readings', readings: inOrder })
  }

  function declare(
    machineId: bigint,
    stream: string,
    declaration: Declaration,
  ): Promise<Published> {
    packs.flushChain(`${machineId}/${stream}`)
    return append(machineId, stream, { kind: 'declaration', declaration })
  }

  function measure(machineId: bigint): Measured {
    const measuredMachine: Measured = {
      machineId,
      sample(stream, sample) {
        if (closed) return Promise.reject(closedError())
        const records = withTime('value' in sample ? [sample] : sample)
        const every = options.packEvery ?? { records: 1 }
        return new Promise((resolve, reject) =>
          packs.add(`${machineId}/${stream}`, { records, resolve, reject }, every, clock.nowMs()),
        )
      },
      publish(stream, readings) {
        packs.flushChain(`${machineId}/${stream}`)
        return publishReadings(machineId, stream, withTime(readings))
      },
      declareGap: (stream, gap) => declare(machineId, stream, { kind: 'gap', ...gap }),
      declareReplacement: (stream, replacement) =>
        declare(machineId, stream, {
          kind: 'replacement',
          atMs: clock.nowMs(),
          ...replacement,
        }),
      declareExcuse: (stream, excuse) => declare(machineId, stream, { kind: 'excuse', ...excuse }),
      async declareCalibration(stream, certificate) {
        requireCertificate(certificate, { machineId, stream })
        return declare(machineId, stream, { kind: 'calibration', certificate })
      },
      stream: (stream) => ({
        sample: (sample) => measuredMachine.sample(stream, sample),
        publish: (readings) => measuredMachine.publish(stream, readings),
      }),
    }
    return measuredMachine
  }

  /** Waits for a condition that events of the machine bring about. */
  function until(isMet: () => boolean, what: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => finish(new LiquefyError('TIMEOUT', what)), timeoutMs)
      const poll = setInterval(() => isMet() && finish(), 5)
      function finish(error?: LiquefyError): void {
        clearTimeout(deadline)
        clearInterval(poll)
        if (error) reject(error)
        else resolve()
      }
      if (isMet()) finish()
    })
  }

  async function flushed(timeoutMs = 60_000): Promise<void> {
    packs.flush()
    await spool.written()
    const what = `${spool.pendingCount()} envelopes have no receipt after ${timeoutMs} ms. Is the node reachable?`
    await until(() => spool.pendingCount() === 0, what, timeoutMs)
  }

  const meterNow = (timeoutMs?: number) => askNow(() => metering.sign(true), timeoutMs)
  const adjustNow = (timeoutMs?: number) => askNow(() => metering.adjust(), timeoutMs)

  async function askNow(ask: () => number, timeoutMs = 60_000): Promise<MeterEvent[]> {
    const answers: MeterEvent[] = []
    const forget = on('meter', (event) => answers.push(event))
    const forgetOnline = on('online', ask)
    try {
      ask()
      const what = `The node did not answer a meter value within ${timeoutMs} ms. Is it reachable?`
      await until(() => metering.unanswered() === 0, what, timeoutMs)
      return answers
    } finally {
      forget()
      forgetOnline()
    }
  }

  function on<Name extends keyof MachineEvents>(
    name: Name,
    listener: (...event: MachineEvents[Name]) => void,
  ): () => void {
    const known = listener as never
    events.on(name, known)
    return () => events.off(name, known)
  }

  return {
    ...measure(machineId),
    for(id) {
      measured.add(id)
      metering.onMeasuring()
      return measure(id)
    },
    on,
    isOnline: () => online,
    nowMs: () => clock.nowMs(),
    followWallClock: (reason) => clock.follow(reason),
    pendingCount: () => spool.pendingCount(),
    head: (stream) => spool.head(`${machineId}/${stream}`),
    agreements: () => metering.agreements(),
    flushed,
    meterNow,
    adjustNow,
    tick,
    async close() {
      if (closed) return
      packs.flush()
      closed = true
      clearInterval(timer)
      await spool.written()
      await transport.close()
      await spool.close()
      input.unlock()
    },
  }
}

function givenIdentity(options: MachineOptions): Partial<Identity> {
  const { machineId, chainId, registry, clearingHouse, mqttUrl } = options
  const given = Object.entries({ machineId, chainId, registry, clearingHouse, mqttUrl })
  return Object.fromEntries(given.filter(([, value]) => value !== undefined))
}

function wireOf(
  options: MachineOptions,
  identity: Identity,
  key: SigningKey,
  tokenNowMs: () => number,
): OpenTransport {
  const logIn = {
    machineId: identity.machineId,
    password: () => passwordToken(key, identity, tokenNowMs()),
    ...(options.ca ? { ca: options.ca } : {}),
  }
  if (options.httpUrl) return httpTransport({ url: options.httpUrl, ...logIn })
  if (!identity.mqttUrl) {
    throw new LiquefyError('BROKER_MISSING', 'Pass mqttUrl, or keep it with saveIdentity.')
  }
  return mqttTransport({ url: identity.mqttUrl, ...logIn })
}

/** The machine's two times. */
interface MachineTime {
  wall: Clock
  steady: Clock
}

/**
 * Time for passwords: while the two disagree, one and the other in turn. One of them is what the node takes for now, and without the node neither is
 * ever confirmed.
 */
function tokenTime(time: MachineTime): () => number {
  let turn = 0
  return () => {
    turn += 1
    return (turn % 2 === 1 ? time.steady : time.wall).nowMs()
  }
}

function parseChain(chain: string): { machineId: bigint; stream: string } {
  const at = chain.indexOf('/')
  return { machineId: BigInt(chain.slice(0, at)), stream: chain.slice(at + 1) }
}

const closedError = () => new LiquefyError('MACHINE_CLOSED', 'Open the machine again.')
