import type { OpenTransport } from '@liquefy/machine'
import {
  type AdmissionCode,
  admit,
  advance,
  agreementId,
  decodeEnvelope,
  evidenceHead,
  type FoldState,
  foldFromJson,
  foldHead,
  foldStream,
  foldTermsOf,
  foldToJson,
  type Hex,
  type LoggedEnvelope,
  latestReadingMs,
  type MeterRule,
  meterValueDigest,
  type PublicKey,
  parseSignedMeterValue,
  registerAt,
  startFold,
  type Terms,
  termsToJson,
  verifyEnvelope,
  verifyTypedDigest,
  ZERO_DIGEST,
} from '@liquefy/protocol'

export const ledger = {
  chainId: 31_337,
  registry: `0x${'11'.repeat(20)}` as Hex,
  clearingHouse: `0x${'22'.repeat(20)}` as Hex,
}

export interface Message {
  topic: string
  payload: Uint8Array
}

type Logged = LoggedEnvelope & { code: AdmissionCode; stream: string; prev: Hex }

/** One meter's fold, as a node stores it between portions. */
interface Meter {
  stream: string
  json: string
  waiting: LoggedEnvelope[]
  fresh: LoggedEnvelope[]
}

/**
 * A node in memory for one machine and one agreement, of the code by which a node decides: signatures, admission, and a fold in portions whose state
 * goes through JSON. It lacks what moves no money: database, Merkle tree, ledger.
 */
export function evidenceNode(options: {
  key: PublicKey
  machineId: bigint
  terms: Terms
  rules: readonly MeterRule[]
  nowMs: () => number
}) {
  const { key, terms, rules } = options
  const topic = (name: string) => `liquefy/v1/${options.machineId}/${name}`
  const byDigest = new Map<Hex, Logged>()
  /** The first logged of each place. */
  const byPlace = new Map<string, Logged>()
  const accepted = new Map<number, readonly bigint[]>()
  const counts = { duplicates: 0, outOfOrder: 0, mismatches: 0 }
  let lastLoggedAt = 0
  const id = agreementId({ ...ledger, terms })
  const foldTerms = rules.map((rule, index) => foldTermsOf(terms, index, rule, 1n))
  const meters = terms.meters.map(({ stream }, index): Meter => {
    const [first] = foldTerms.slice(index)
    if (!first) throw new Error('no rule')
    return { stream, json: foldToJson(startFold(first)), waiting: [], fresh: [] }
  })

  function acceptEnvelope(bytes: Uint8Array): Message[] {
    const decoded = decodeEnvelope(bytes)
    if (!decoded.ok) throw new Error(decoded.message)
    const { envelope } = decoded
    const known = byDigest.get(envelope.digest)
    // The line repeats whole frames, whose signature was verified the first time.
    if (!known && !verifyEnvelope(envelope, key)) throw new Error('SIGNATURE_INVALID')
    if (known) counts.duplicates += 1
    const { seq, digest, loggedAt, code } = known ?? log(envelope)
    const { stream } = envelope
    const entry = { seq: String(seq), digest, loggedAt, code, logIndex: '0' }
    return [message('receipt', { machineId: String(options.machineId), stream, entries: [entry] })]
  }

  function log(envelope: Extract<ReturnType<typeof decodeEnvelope>, { ok: true }>['envelope']) {
    const { digest, prev, stream, seq, content, iat } = envelope
    const at = (place: bigint) => byPlace.get(`${stream}/${place}`)
    const loggedAt = Math.max(options.nowMs(), lastLoggedAt)
    lastLoggedAt = loggedAt
    const code = admit({
      envelope,
      latestMs: latestReadingMs(content),
      loggedAt,
      active: true,
      sameSeqDigest: at(seq)?.digest,
      previousDigest: at(seq - 1n)?.digest,
      nextPrev: at(seq + 1n)?.prev,
    })
    const logged: Logged = { seq, digest, prev, loggedAt, code, content, iat, stream }
    if (seq > 1n && !at(seq - 1n)) counts.outOfOrder += 1
    byDigest.set(digest, logged)
    if (!at(seq)) byPlace.set(`${stream}/${seq}`, logged)
    for (const meter of meters) if (meter.stream === stream) meter.fresh.push(logged)
    return logged
  }

  /** Folds what was logged before this millisecond, as a node does that may still log in it. */
  function foldOn(): FoldState[] {
    const beforeMs = options.nowMs() - 1
    return meters.map((meter, index) => {
      const [own] = foldTerms.slice(index)
      if (!own) throw new Error('no rule')
      const ready = meter.fresh.filter(({ loggedAt }) => loggedAt <= beforeMs)
      meter.fresh = meter.fresh.filter(({ loggedAt }) => loggedAt > beforeMs)
      const { state, waiting } = advance(
        own,
        foldFromJson(meter.json),
        [...meter.waiting, ...ready],
        beforeMs,
      )
      meter.json = foldToJson(state)
      meter.waiting = waiting
      return state
    })
  }

  function acceptMeterValue(payload: Uint8Array): Message[] {
    const parsed = parseSignedMeterValue(JSON.parse(new TextDecoder().decode(payload)))
    if (!parsed.ok) throw new Error(parsed.message)
    const { value } = parsed
    const { period, asOf, registers } = value
    if (!verifyTypedDigest(key, meterValueDigest({ ...ledger, value }), value.signature)) {
      throw new Error('METER_SIGNATURE_INVALID')
    }
    const until = new Map(value.heads.map(({ stream, seq }) => [stream, seq]))
    const states = foldTerms.map((own) => {
      const covered = [...byDigest.values()].filter(
        ({ stream, seq }) => stream === own.stream && seq <= (until.get(stream) ?? 0n),
      )
      return foldStream(own, covered, Number.POSITIVE_INFINITY).state
    })
    const head = evidenceHead(states.map((state) => foldHead(state)?.digest ?? ZERO_DIGEST))
    const agrees =
      head === value.evidenceHead &&
      states.every((state, index) => registerAt(state, period) === registers[index])
    if (agrees) accepted.set(period, registers)
    else counts.mismatches += 1
    const answer = { agreementId: id, period, asOf: Number(asOf) }
    const code = agrees ? 'ACCEPTED' : 'METER_MISMATCH'
    return [message('meter/answer', { ...answer, code })]
  }

  function message(name: string, json: unknown): Message {
    return { topic: topic(name), payload: new TextEncoder().encode(JSON.stringify(json)) }
  }

  return {
    counts,
    accepted,
    foldOn,
    log: () => [...byDigest.values()],
    agreement: () => message('agreement', { agreementId: id, terms: termsToJson(terms), rules }),
    accept(to: string, payload: Uint8Array): Message[] {
      if (to === topic('envelope')) return acceptEnvelope(payload)
      if (to === topic('meter')) return acceptMeterValue(payload)
      throw new Error(`TOPIC_FORBIDDEN ${to}`)
    },
  }
}

/** A line that is up or down. What is on its way waits in it, both ways, until somebody says what becomes of it. */
export function heldLine() {
  let handlers: Parameters<OpenTransport>[0] | undefined
  let isUp = false
  const sent: Message[] = []
  const open: OpenTransport = (given) => {
    handlers = given
    if (isUp) queueMicrotask(() => given.onOnline())
    return {
      publish: (topic, payload) => {
        if (isUp) sent.push({ topic, payload })
      },
      close: async () => {
        sent.splice(0)
      },
    }
  }
  const line = {
    open,
    sent,
    /** What the machine is told as soon as it is online. */
    first: undefined as Message | undefined,
    tell: ({ topic, payload }: Message) => handlers?.onMessage(topic, payload),
    up() {
      isUp = true
      if (line.first) line.tell(line.first)
      handlers?.onOnline()
    },
    down() {
      isUp = false
      sent.splice(0)
      handlers?.onOffline('cut')
    },
  }
  return line
}
