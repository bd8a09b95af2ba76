import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Hex,
  keyId,
  type MeterValue,
  meterValueDigest,
  parseTerms,
  periodEndMs,
  type SignedAdjustmentJson,
  type SignedMeterValueJson,
  type SigningKey,
  signedMeterValueToJson,
  signTypedDigest,
  type TariffContracts,
} from '@liquefy/protocol'
import { type AdjustmentEvent, createAdjusting } from './adjusting.ts'
import type { Clock } from './clock.ts'
import { writeDurably } from './durable-file.ts'
import {
  beginFold,
  firstSeq,
  foldBaseToJson,
  foldReceipted,
  type KnownAgreement,
  type MeterFold,
  mayBeSettled,
  meteredPeriods,
  meterValueOf,
  readAgreement,
  takeCuts,
} from './metered-agreement.ts'
import { readCutSpans } from './node-message.ts'
import type { Spool, SpoolEntry } from './spool.ts'

/** What became of agreements and meter values. */
export type MeterEvent =
  | { kind: 'agreement'; agreementId: Hex }
  /** An agreement that this machine does not meter, and why. */
  | { kind: 'ignored'; code: string; message: string; agreementId?: Hex }
  | { kind: 'signed'; agreementId: Hex; period: number; value: SignedMeterValueJson }
  | { kind: 'accepted'; agreementId: Hex; period: number; registers: readonly bigint[] }
  /** The node computed otherwise; folding again gave other registers, which were signed instead. */
  | { kind: 'refolded'; agreementId: Hex; period: number }
  /** The node computed otherwise, and this machine stands by its own registers. Nothing else is signed. */
  | { kind: 'mismatch'; agreementId: Hex; period: number; own: readonly bigint[]; answer: unknown }
  | { kind: 'refused'; agreementId: Hex; period: number; code: string }
  /** The key is in a token that does not sign at present: it is tried again. */
  | { kind: 'unsigned'; code: string; message: string }
  | AdjustmentEvent

export interface Metering {
  /** An agreement as the node sends it. */
  onAgreement(json: unknown): void
  /** It measures one more machine: agreements of that one that came before are taken up. */
  onMeasuring(): void
  /** The node's answer to a meter value. */
  onAnswer(json: unknown): void
  /** Folds what is about to be deleted into the stored base. */
  beforeDrop(entries: readonly SpoolEntry[]): void
  /** Signs what has changed and is due; with `force`, due or not. Says how many it signed. */
  sign(force?: boolean): number
  /** Signs what late evidence adds to final periods, whether or not more may come. Says how many. */
  adjust(): number
  /** Meter values and adjustments that the node has not answered yet. */
  unanswered(): number
  agreements(): { agreementId: Hex; registers: Record<number, bigint[]> }[]
}

interface Metered extends KnownAgreement {
  folds: MeterFold[]
  /** By period: what the node accepted last, as `billKey` says it. */
  accepted: Map<number, string>
  /** By period: what was sent and is not answered yet. */
  asked: Map<number, { value: MeterValue; sentMs: number }>
  signedMs: number
  /** After an answer that no refold changed: silence until then. */
  heldUntilMs: number
  failures: number
}

interface StoredMetering {
  agreements: { json: unknown; bases: { startSeq: string; base: string }[] }[]
}

const ANSWER_MS = 10_000
const MOST_HELD_MS = 3_600_000
const MOST_AGREEMENTS = 256

export function openMetering(options: {
  folder: string
  key: SigningKey
  chainId: number
  clearingHouse: Hex | undefined
  tariffs: TariffContracts | undefined
  signerId: bigint
  /** The machine itself and those it signs for. */
  measured: ReadonlySet<bigint>
  spool: Spool
  clock: Clock
  signEveryMs: number
  publish: (value: SignedMeterValueJson | SignedAdjustmentJson) => void
  emit: (event: MeterEvent) => void
}): Metering {
  const { folder, spool, clock, emit, chainId } = options
  const path = join(folder, 'metering.json')
  const metered = new Map<Hex, Metered>()
  /** Came before it was said that this edge measures their machine. */
  const early = new Map<Hex, unknown>()
  const read = (entry: SpoolEntry) => spool.read(entry)
  const ownKeyId = keyId(options.key.publicKey)
  const adjusting = createAdjusting({ ...options, nowMs: () => clock.nowMs() })
  restore()

  function restore(): void {
    if (!options.clearingHouse || !existsSync(path)) return
    const stored = JSON.parse(readFileSync(path, 'utf8')) as StoredMetering
    for (const { json, bases } of stored.agreements) {
      // What was metered before the restart is metered on, before a program says again whom it measures.
      const parsed = readAgreement(json, {
        ...options,
        clearingHouse: options.clearingHouse,
        measured: new Set([...options.measured, ...machineOf(json)]),
      })
      if (parsed.ok) {
        const folds = bases.map(({ startSeq, base }, index) =>
          beginFold(parsed.agreement, index, { startSeq: BigInt(startSeq), base }),
        )
        add(parsed.agreement, folds)
      }
    }
  }

  function store(): void {
    const stored: StoredMetering = {
      agreements: [...metered.values()].map(({ json, folds }) => ({
        json,
        bases: folds.map((fold) => ({
          startSeq: fold.terms.startSeq.toString(),
          base: foldBaseToJson(fold),
        })),
      })),
    }
    writeDurably(path, `${JSON.stringify(stored)}\n`)
  }

  function add(agreement: KnownAgreement, folds: MeterFold[]): void {
    metered.set(agreement.agreementId, {
      ...agreement,
      folds,
      accepted: new Map(),
      asked: new Map(),
      signedMs: 0,
      heldUntilMs: 0,
      failures: 0,
    })
  }

  function begin(agreement: KnownAgreement): void {
    const folds: MeterFold[] = []
    for (const [index, { stream, startHead }] of agreement.terms.meters.entries()) {
      const chain = `${agreement.terms.machineId}/${stream}`
      const startSeq = firstSeq(startHead, spool.kept(chain), spool.head(chain), read)
      if (startSeq === undefined) {
        const message = `The envelope behind which agreement ${agreement.agreementId} begins is no longer kept. Raise spool.historyBytes.`
        emit({
          kind: 'ignored',
          code: 'HISTORY_MISSING',
          message,
          agreementId: agreement.agreementId,
        })
        return
      }
      folds.push(beginFold(agreement, index, { startSeq }))
    }
    add(agreement, folds)
    store()
    emit({ kind: 'agreement', agreementId: agreement.agreementId })
  }

  function forgetEnded(nowMs: number): void {
    for (const { agreementId, terms, folds } of metered.values()) {
      const grid = folds[0]?.terms
      if (!grid) continue
      const endMs = periodEndMs(grid, terms.periods - 1)
      if (nowMs > endMs + (terms.lateSeconds + terms.settleSeconds) * 1000) {
        metered.delete(agreementId)
      }
    }
  }

  function foldOn({ folds }: Metered): void {
    for (const fold of folds) {
      fold.state = foldReceipted(fold.terms, fold.state, spool.kept(fold.chain), read)
    }
  }

  function refold({ folds }: Metered): void {
    for (const fold of folds) {
      fold.state = foldReceipted(fold.terms, fold.base, spool.kept(fold.chain), read)
    }
  }

  /** A period whose end was passed is signed at once, so that it can be settled. */
  function isDue(agreement: Metered, period: number, nowMs: number): boolean {
    if (nowMs < agreement.heldUntilMs) return false
    const asked = agreement.asked.get(period)
    if (asked && nowMs < asked.sentMs + ANSWER_MS) return false
    const grid = agreement.folds[0]?.terms
    const hasEnded = grid !== undefined && nowMs >= periodEndMs(grid, period)
    return hasEnded || nowMs >= agreement.signedMs + options.signEveryMs
  }

  function signValue(agreement: Metered, period: number, nowMs: number): boolean {
    const { value, heads } = meterValueOf(agreement, agreement.folds, period)
    if (agreement.accepted.get(period) === billKey(agreement, value)) return false
    if (!mayBeSettled(agreement, value) || !options.clearingHouse) return false
    const digest = meterValueDigest({ chainId, clearingHouse: options.clearingHouse, value })
    const signature = signTypedDigest(options.key, digest)
    const json = signedMeterValueToJson({ ...value, heads, signature })
    agreement.asked.set(period, { value, sentMs: nowMs })
    options.publish(json)
    emit({ kind: 'signed', agreementId: agreement.agreementId, period, value: json })
    return true
  }

  function signAgreement(agreement: Metered, force: boolean): number {
    const nowMs = clock.nowMs()
    foldOn(agreement)
    const due = meteredPeriods(agreement.folds).filter(
      (period) => force || isDue(agreement, period, nowMs),
    )
    const signed = due.filter((period) => signValue(agreement, period, nowMs)).length
    if (signed > 0) agreement.signedMs = nowMs
    return signed + adjusting.sign(agreement, agreement.folds, false)
  }

  function hold(agreement: Metered): void {
    const waitMs = Math.min(options.signEveryMs * 2 ** agreement.failures, MOST_HELD_MS)
    agreement.failures += 1
    agreement.heldUntilMs = clock.nowMs() + waitMs
  }

  function onMismatch(
    agreement: Metered,
    period: number,
    value: MeterValue,
    answer: unknown,
  ): void {
    const { agreementId } = agreement
    const cuts = readCutSpans(answer)
    for (const fold of agreement.folds) {
      takeCuts(fold, cuts, spool.kept(fold.chain), ownKeyId, read)
    }
    refold(agreement)
    const again = meterValueOf(agreement, agreement.folds, period).value
    // Receipts that came in since may have changed the fold: that is worth one more value, signed by what it says now.
    const moved =
      again.evidenceHead !== value.evidenceHead ||
      registersKey(again.registers) !== registersKey(value.registers)
    if (moved && agreement.failures === 0) {
      agreement.failures += 1
      emit({ kind: 'refolded', agreementId, period })
      signValue(agreement, period, clock.nowMs())
      return
    }
    hold(agreement)
    emit({ kind: 'mismatch', agreementId, period, own: value.registers, answer })
  }

  function onAgreement(json: unknown): void {
    const id = (json as { agreementId?: Hex } | null)?.agreementId
    if (id && metered.has(id)) return
    const named = id ? { agreementId: id } : {}
    if (!options.clearingHouse) {
      const message = 'Say which clearing house its agreements are on (clearingHouse).'
      emit({ kind: 'ignored', code: 'CLEARING_HOUSE_UNKNOWN', message, ...named })
      return
    }
    forgetEnded(clock.nowMs())
    const parsed = readAgreement(json, { ...options, clearingHouse: options.clearingHouse })
    if (!parsed.ok) {
      const mayCome = parsed.code === 'NOT_MEASURED' && id && early.size < MOST_AGREEMENTS
      if (mayCome) early.set(id, json)
      emit({ kind: 'ignored', code: parsed.code, message: parsed.message, ...named })
    } else if (metered.size >= MOST_AGREEMENTS) {
      const message = `This machine meters ${MOST_AGREEMENTS} agreements already.`
      emit({ kind: 'ignored', code: 'AGREEMENTS_FULL', message, ...named })
    } else begin(parsed.agreement)
  }

  return {
    onAgreement,
    onMeasuring() {
      const waiting = [...early.values()]
      early.clear()
      for (const json of waiting) onAgreement(json)
    },
    adjust() {
      let signed = 0
      for (const agreement of metered.values()) {
        foldOn(agreement)
        signed += adjusting.sign(agreement, agreement.folds, true)
      }
      return signed
    },
    onAnswer(json) {
      if (adjusting.onAnswer(json)) return
      const answer = (json ?? {}) as {
        agreementId?: Hex
        period?: number
        asOf?: number | string
        code?: string
      }
      const agreement = answer.agreementId ? metered.get(answer.agreementId) : undefined
      const asked = agreement?.asked.get(Number(answer.period))
      if (!agreement || !asked || String(answer.asOf) !== asked.value.asOf.toString()) return
      const { agreementId } = agreement
      const { period, registers } = asked.value
      agreement.asked.delete(period)
      if (answer.code === 'ACCEPTED') {
        agreement.failures = 0
        agreement.accepted.set(period, billKey(agreement, asked.value))
        emit({ kind: 'accepted', agreementId, period, registers })
      } else if (answer.code === 'METER_MISMATCH') {
        onMismatch(agreement, period, asked.value, json)
      } else {
        hold(agreement)
        emit({ kind: 'refused', agreementId, period, code: String(answer.code) })
      }
    },
    beforeDrop(entries) {
      const chains = new Set(entries.map(({ chain }) => chain))
      const moving = [...metered.values()].flatMap(({ folds }) =>
        folds.filter(({ chain }) => chains.has(chain)),
      )
      if (moving.length === 0) return
      for (const fold of moving) {
        const dropped = entries.filter(({ chain }) => chain === fold.chain)
        fold.base = foldReceipted(fold.terms, fold.base, dropped, read)
        if (BigInt(fold.state.nextSeq) < BigInt(fold.base.nextSeq)) fold.state = fold.base
      }
      store()
    },
    sign(force = false) {
      let signed = 0
      for (const agreement of metered.values()) signed += signAgreement(agreement, force)
      return signed
    },
    unanswered: () =>
      [...metered.values()].reduce((sum, { asked }) => sum + asked.size, adjusting.unanswered()),
    agreements: () =>
      [...metered.values()].map((agreement) => {
        foldOn(agreement)
        const { agreementId, folds } = agreement
        const registers = Object.fromEntries(
          meteredPeriods(folds).map((period) => [
            period,
            [...meterValueOf(agreement, folds, period).value.registers],
          ]),
        )
        return { agreementId, registers }
      }),
  }
}

/** The machine that stored terms measure. */
function machineOf(json: unknown): bigint[] {
  const parsed = parseTerms((json as { terms?: unknown }).terms)
  return parsed.ok ? [parsed.terms.machineId] : []
}

/** What makes another value of a period worth signing: other registers, and once that the period is whole, since fees run with time. */
function billKey({ folds }: Metered, { period, registers, asOf }: MeterValue): string {
  const grid = folds[0]?.terms
  const isWhole = grid !== undefined && Number(asOf) * 1000 >= periodEndMs(grid, period)
  return `${registersKey(registers)}${isWhole ? ' whole' : ''}`
}

const registersKey = (registers: readonly bigint[]) => registers.join(',')
