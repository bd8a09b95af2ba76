import {
  agreementId,
  decodeEnvelope,
  encodeTariffData,
  evidenceHead,
  type FoldState,
  foldHead,
  foldStream,
  foldTermsOf,
  type Hex,
  type LoggedEnvelope,
  type MeterRule,
  meterValueDigest,
  type PublicKey,
  parseSignedMeterValue,
  registerAt,
  ruleHash,
  type Terms,
  termsToJson,
  verifyEnvelope,
  verifyTypedDigest,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { Clock } from '../src/clock.ts'
import type { OpenTransport, TransportHandlers } from '../src/transport.ts'

export const ledger = {
  chainId: 31_337,
  registry: `0x${'11'.repeat(20)}` as Hex,
  clearingHouse: `0x${'22'.repeat(20)}` as Hex,
}

export interface Message {
  topic: string
  json: unknown
}

type Logged = LoggedEnvelope & { machineId: bigint; stream: string; kid: Hex }

/**
 * What a machine expects of a node, in memory: it verifies, logs once, answers with receipts, and judges meter values
 * by the fold of the protocol package.
 */
export function tinyNode(options: { key: PublicKey; clock: Clock; mqttId: bigint }) {
  const log: Logged[] = []
  const agreements = new Map<Hex, { terms: Terms; rules: MeterRule[] }>()
  const topic = (name: string) => `liquefy/v1/${options.mqttId}/${name}`
  let frames = 0
  let refuseWith: string | undefined
  let { key } = options
  const cut = new Set<Hex>()

  function acceptEnvelope(bytes: Uint8Array): Message[] {
    frames += 1
    const decoded = decodeEnvelope(bytes)
    if (!decoded.ok) throw new Error(decoded.message)
    const { envelope } = decoded
    if (!verifyEnvelope(envelope, key)) throw new Error('SIGNATURE_INVALID')
    const { digest, machineId, stream, seq, content, iat, kid } = envelope
    if (refuseWith) {
      return [{ topic: topic('refused'), json: { code: refuseWith, message: 'refused', digest } }]
    }
    const same = log.find((one) => one.digest === digest)
    const sameSeq = log.find(
      (one) => one.machineId === machineId && one.stream === stream && one.seq === seq,
    )
    const loggedAt = options.clock.nowMs()
    const code = sameSeq ? 'EQUIVOCATION' : 'OK'
    const one = same ?? { digest, machineId, stream, seq, content, iat, kid, loggedAt, code }
    if (!same) log.push(one)
    return [
      {
        topic: topic('receipt'),
        json: {
          machineId: machineId.toString(),
          stream,
          entries: [
            {
              seq: seq.toString(),
              digest,
              loggedAt: one.loggedAt,
              code: one.code,
              logIndex: log.indexOf(one).toString(),
            },
          ],
        },
      },
    ]
  }

  function fold(
    terms: Terms,
    rules: readonly MeterRule[],
    until: Map<string, bigint>,
  ): FoldState[] {
    return terms.meters.map(({ stream }, index) => {
      const rule = rules[index]
      if (!rule) throw new Error('no rule')
      const covered = log.filter(
        (one) =>
          one.machineId === terms.machineId &&
          one.stream === stream &&
          one.seq <= (until.get(stream) ?? 0n),
      )
      const counting = covered.map((one) =>
        cut.has(one.digest) ? { ...one, code: 'BEYOND_CUT' as const } : one,
      )
      return foldStream(foldTermsOf(terms, index, rule, 1n), counting, Infinity).state
    })
  }

  function acceptMeterValue(json: unknown): Message[] {
    const parsed = parseSignedMeterValue(json)
    if (!parsed.ok) throw new Error(parsed.message)
    const { value } = parsed
    const { period, asOf, registers } = value
    const known = agreements.get(value.agreementId)
    const answer = { agreementId: value.agreementId, period, asOf: Number(asOf) }
    if (!known)
      return [{ topic: topic('meter/answer'), json: { ...answer, code: 'AGREEMENT_UNKNOWN' } }]
    const digest = meterValueDigest({ ...ledger, value })
    if (!verifyTypedDigest(key, digest, value.signature)) {
      throw new Error('METER_SIGNATURE_INVALID')
    }
    const heads = new Map(value.heads.map(({ stream, seq }) => [stream, seq]))
    const states = fold(known.terms, known.rules, heads)
    const own = states.map((state) => registerAt(state, period))
    const head = evidenceHead(states.map((state) => foldHead(state)?.digest ?? ZERO_DIGEST))
    const agrees = own.join() === registers.join() && head === value.evidenceHead
    const verdict = agrees
      ? { code: 'ACCEPTED' }
      : {
          code: 'METER_MISMATCH',
          registers: own.map(String),
          evidenceHead: head,
          heads: [],
          unpriced: [],
          beyondCut: log
            .filter(({ digest }) => cut.has(digest))
            .map(({ stream, seq }) => ({ stream, first: String(seq), last: String(seq) })),
        }
    return [{ topic: topic('meter/answer'), json: { ...answer, ...verdict } }]
  }

  return {
    log,
    frames: () => frames,
    refuseAllWith(code: string | undefined) {
      refuseWith = code
    },
    /** The ledger has another key now, and of what the last one signed only this much of the log counts. */
    rekey(next: PublicKey, cutSize: number) {
      key = next
      for (const { digest } of log.slice(cutSize)) cut.add(digest)
    },
    openAgreement(terms: Terms, rules: MeterRule[]): Message {
      const id = agreementId({ ...ledger, terms })
      agreements.set(id, { terms, rules })
      return {
        topic: topic('agreement'),
        json: { agreementId: id, terms: termsToJson(terms), rules },
      }
    },
    accept(to: string, payload: Uint8Array): Message[] {
      if (to === topic('envelope')) return acceptEnvelope(payload)
      if (to === topic('meter'))
        return acceptMeterValue(JSON.parse(Buffer.from(payload).toString()))
      throw new Error(`TOPIC_FORBIDDEN ${to}`)
    },
  }
}

export type TinyNode = ReturnType<typeof tinyNode>

/** A line to a tiny node that can be cut, and whose answers can be held back, dropped or reordered. */
export function simulatedLine(node: TinyNode) {
  let handlers: TransportHandlers | undefined
  let isUp = false
  let route = (messages: Message[]): Message[] => messages
  const send = ({ topic, json }: Message) =>
    handlers?.onMessage(topic, new TextEncoder().encode(JSON.stringify(json)))
  const open: OpenTransport = (given) => {
    handlers = given
    return {
      publish(topic, payload) {
        if (!isUp) return
        const answers = node.accept(topic, payload)
        queueMicrotask(() => {
          if (isUp) for (const answer of route(answers)) send(answer)
        })
      },
      async close() {
        isUp = false
      },
    }
  }
  return {
    open,
    send,
    up() {
      isUp = true
      handlers?.onOnline()
    },
    down() {
      isUp = false
      handlers?.onOffline('cut')
    },
    /** What becomes of answers on their way. */
    answers(next: (messages: Message[]) => Message[]) {
      route = next
    },
  }
}

export const silo: MeterRule = {
  rule: 'drawdown',
  version: 1,
  unit: 'mm',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 7_000, denominator: 1 },
  maxRate: { burst: '500', perHour: '20000' },
  noiseBand: 3,
  maxSilenceSeconds: 900,
}

export function siloTerms(machineId: bigint, startMs: number, change: Partial<Terms> = {}): Terms {
  return {
    payer: `0x${'aa'.repeat(20)}`,
    payee: `0x${'bb'.repeat(20)}`,
    asset: `0x${'cc'.repeat(20)}`,
    machineId,
    meters: [{ stream: 'level', ruleHash: ruleHash(silo), startHead: ZERO_DIGEST }],
    signerKind: 1,
    signer: `0x${machineId.toString(16).padStart(64, '0')}`,
    tariff: `0x${'dd'.repeat(20)}`,
    tariffData: encodeTariffData({ kind: 'linear', prices: [420n], scale: 3 }),
    limits: [{ burst: 10_000_000n, perHour: 200_000_000n }],
    capMinor: 10n ** 12n,
    start: BigInt(Math.floor(startMs / 1000)),
    periodSeconds: 3_600,
    periods: 24 * 30,
    backfillSeconds: 30 * 86_400,
    lateSeconds: 7 * 86_400,
    gapTimeoutSeconds: 86_400,
    settleSeconds: 86_400,
    shared: false,
    openBy: BigInt(Math.floor(startMs / 1000)) + 86_400n,
    salt: ZERO_DIGEST,
    ...change,
  }
}
