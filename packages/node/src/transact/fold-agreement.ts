import type { Hex } from '@liquefy/client'
import {
  type Advance,
  advance,
  amountBand,
  elapsedSeconds,
  type FoldStep,
  type FoldTerms,
  foldHead,
  type LoggedEnvelope,
  owedCapped,
  periodEndMs,
  periodOf,
  registerAt,
  registerBand,
  SIGNER_KIND,
  startFold,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { Queryable } from '../store/database.ts'
import {
  createFold,
  type FoldMove,
  lockFolds,
  moveFolds,
  type OutlinedEnvelope,
  type OwedRow,
  readContents,
  readFresh,
  readWaiting,
  resetFolds,
  type StoredFold,
  saveOwed,
  seqOfDigest,
} from '../store/metering.ts'
import { foldTermsOfAll, type MeteredAgreement } from './agreements.ts'
import { advanceTime } from './time-owed.ts'

/** How much one transaction takes in at most. Its meters share it: each may have its part, and at least one envelope. */
export interface FoldLimits {
  /** New envelopes that are looked at. */
  envelopes: number
  /** Readings that are decoded; an envelope counts as one more, and a single one may have more. */
  readings: number
}

const LIMITS: FoldLimits = { envelopes: 1_000, readings: 20_000 }

/** An agreement that is to be folded. */
export interface FoldOrder {
  agreement: MeteredAgreement
  /** What revocations have cut off, as `cutsText` writes it: folds that took another are begun anew. */
  cuts: string
}

/** What one portion of folding did. */
export interface FoldPortion {
  /** Periods whose registers moved. */
  moved: OwedRow[]
  /** The limit was reached: fold again. */
  more: boolean
  /** When time alone would move a fold past a gap. */
  wakeMs: number | undefined
}

/** An agreement whose folds are locked. */
interface OpenAgreement {
  agreement: MeteredAgreement
  terms: Terms
  folds: StoredFold[]
  foldTerms: FoldTerms[]
}

/** One fold of it. */
interface Meter {
  fold: StoredFold
  terms: FoldTerms
}

interface MeterPortion {
  steps: readonly FoldStep[]
  more: boolean
  wakeMs: number | undefined
}

const NOTHING: FoldPortion = { moved: [], more: false, wakeMs: undefined }

/**
 * Advances all folds of some agreements by what was logged since their cursors, with as many queries for many as for one. Call it in a
 * transaction: state, cursor, registers and the amounts owed move together, under a lock on the agreements' folds, so that
 * each envelope counts exactly once (INV-19).
 *
 * @param knownUntilMs every envelope logged until then is visible to this transaction.
 * @returns what was done, by agreement.
 */
export async function foldAgreements(
  db: Queryable,
  orders: readonly FoldOrder[],
  knownUntilMs: number,
  nowMs: number,
  limits: FoldLimits = LIMITS,
): Promise<Map<Hex, FoldPortion>> {
  const portions = new Map<Hex, FoldPortion>()
  const metered: (FoldOrder & { terms: Terms })[] = []
  for (const order of orders) {
    const { agreementId, terms, problem, open } = order.agreement
    portions.set(agreementId, NOTHING)
    if (!terms || problem !== undefined || !open) continue
    if (terms.signerKind !== SIGNER_KIND.nobody) metered.push({ ...order, terms })
    else portions.set(agreementId, await advanceTime(db, order.agreement, terms, nowMs))
  }
  const opened = await openAll(db, metered)
  const meters = opened.flatMap(({ folds, foldTerms }) => metersOf(folds, foldTerms))
  const done = await foldMeters(db, meters, knownUntilMs, share(limits, meters.length))
  for (const one of opened) portions.set(one.agreement.agreementId, portionOf(one, done))
  const rows = opened.flatMap((one) => owedRows(one, done))
  await saveOwed(
    db,
    rows.map(({ row }) => row),
    nowMs,
  )
  for (const { row, hasMoved } of rows) {
    if (hasMoved) portions.get(row.agreementId)?.moved.push(row)
  }
  return portions
}

function share({ envelopes, readings }: FoldLimits, meters: number): FoldLimits {
  const part = Math.max(1, meters)
  return { envelopes: Math.ceil(envelopes / part), readings: Math.ceil(readings / part) }
}

function metersOf(folds: readonly StoredFold[], foldTerms: readonly FoldTerms[]): Meter[] {
  return folds.flatMap((fold, index) => {
    const terms = foldTerms[index]
    return terms ? [{ fold, terms }] : []
  })
}

function portionOf(
  { folds }: OpenAgreement,
  done: ReadonlyMap<StoredFold, MeterPortion>,
): FoldPortion {
  const portions = folds.flatMap((fold) => done.get(fold) ?? [])
  const wakes = portions.flatMap(({ wakeMs }) => wakeMs ?? [])
  return {
    moved: [],
    more: portions.some(({ more }) => more),
    wakeMs: wakes.length > 0 ? Math.min(...wakes) : undefined,
  }
}

/** The amounts owed for the periods that the folds moved, or in which they have seen a reading. */
function owedRows(
  one: OpenAgreement,
  done: ReadonlyMap<StoredFold, MeterPortion>,
): { row: OwedRow; hasMoved: boolean }[] {
  const moved = new Set<number>()
  const seen = new Set<number>()
  for (const { fold, terms } of metersOf(one.folds, one.foldTerms)) {
    for (const step of done.get(fold)?.steps ?? []) note(terms, step, moved, seen)
  }
  return [...new Set([...moved, ...seen])].flatMap((period) => {
    const row = owedOf(one, period)
    return row ? [{ row, hasMoved: moved.has(period) }] : []
  })
}

/** Locks the folds of agreements. Left out are those of which a start head is not logged here. */
async function openAll(
  db: Queryable,
  orders: readonly (FoldOrder & { terms: Terms })[],
): Promise<OpenAgreement[]> {
  if (orders.length === 0) return []
  const locked = await lockFolds(
    db,
    orders.map(({ agreement }) => agreement.agreementId),
  )
  const opened: OpenAgreement[] = []
  for (const { agreement, terms, cuts } of orders) {
    const stored = locked.get(agreement.agreementId) ?? []
    const folds = await openFolds(db, agreement, terms, cuts, stored)
    if (!folds) continue
    const startSeqs = folds.map(({ startSeq }) => startSeq)
    const foldTerms = foldTermsOfAll(terms, agreement.rules, startSeqs)
    opened.push({ agreement, terms, folds, foldTerms })
  }
  return opened
}

/** The agreement's folds, begun where they had not; undefined while a start head is not logged here. */
async function openFolds(
  db: Queryable,
  { agreementId, machineId, rules }: MeteredAgreement,
  terms: Terms,
  cuts: string,
  folds: StoredFold[],
): Promise<StoredFold[] | undefined> {
  const isCurrent = folds.every((fold) => fold.cuts === cuts)
  if (isCurrent && folds.length === terms.meters.length) return folds
  if (!isCurrent) await resetFolds(db, agreementId)
  const startSeqs: bigint[] = []
  for (const { stream, startHead } of terms.meters) {
    const seq = startHead === ZERO_DIGEST ? 0n : await seqOfDigest(db, machineId, stream, startHead)
    if (seq === undefined) return undefined
    startSeqs.push(seq + 1n)
  }
  const foldTerms = foldTermsOfAll(terms, rules, startSeqs)
  for (const [meter, meterTerms] of foldTerms.entries()) {
    await createFold(db, {
      agreementId,
      meter,
      machineId,
      stream: meterTerms.stream,
      startSeq: meterTerms.startSeq,
      cursor: -1n,
      state: startFold(meterTerms),
      cuts,
    })
  }
  return (await lockFolds(db, [agreementId])).get(agreementId)
}

/** A fold that goes on, with what was logged behind its cursor. */
interface Going extends Meter {
  fresh: OutlinedEnvelope[]
  /** Its portion was cut off: it is complete only as far as it goes. */
  cutOff: boolean
  knownMs: number
}

async function foldMeters(
  db: Queryable,
  meters: readonly Meter[],
  knownUntilMs: number,
  limits: FoldLimits,
): Promise<Map<StoredFold, MeterPortion>> {
  const done = new Map<StoredFold, MeterPortion>()
  const moves: FoldMove[] = []
  const going: Going[] = []
  // What was read before is folded first, so that no more of it gathers than must.
  const reading = meters.filter(({ fold }) => !fold.backlog).map(({ fold }) => fold)
  const freshOf = await readFresh(db, reading, limits.envelopes)
  for (const { fold, terms } of meters) {
    const fresh = freshOf.get(fold) ?? []
    const cutOff = fold.backlog || fresh.length === limits.envelopes
    // A portion that was cut off is complete only as far as it goes, which `advance` sees from its newest envelope.
    const knownMs = cutOff ? 0 : knownUntilMs
    if (!staysHeld(fold, fresh, knownMs)) {
      going.push({ fold, terms, fresh, cutOff, knownMs })
      continue
    }
    const behind = fresh.filter(({ seq }) => seq < BigInt(fold.state.nextSeq))
    const { steps } = advance(terms, fold.state, behind, 0)
    fold.cursor = fresh.at(-1)?.logIndex ?? fold.cursor
    if (fresh.length > 0) moves.push({ fold, steps })
    done.set(fold, { steps, more: cutOff, wakeMs: fold.heldUntilMs })
  }
  for (const [{ fold, cutOff }, portion] of await foldOutlines(db, going, limits.readings)) {
    fold.state = portion.state
    fold.backlog = portion.backlog
    fold.heldUntilMs = portion.wakeAtMs
    const { steps, backlog, wakeAtMs } = portion
    moves.push({ fold, steps })
    done.set(fold, { steps, more: cutOff || backlog, wakeMs: wakeAtMs })
  }
  await moveFolds(db, moves)
  return done
}

/** Whether a fold that waits for a missing `seq` goes on waiting: then nothing of what waits behind it need be read. */
function staysHeld(
  { heldUntilMs, state }: StoredFold,
  fresh: readonly OutlinedEnvelope[],
  knownUntilMs: number,
): boolean {
  const newestMs = fresh.at(-1)?.loggedAt ?? 0
  if (heldUntilMs === undefined || Math.max(knownUntilMs, newestMs - 1) >= heldUntilMs) return false
  const missing = BigInt(state.nextSeq)
  return !fresh.some(({ seq, content }) => seq === missing || declaresMissing(content, missing))
}

function declaresMissing(content: LoggedEnvelope['content'], seq: bigint): boolean {
  if (content.kind !== 'declaration' || content.declaration.kind !== 'gap') return false
  const { missing } = content.declaration
  return missing !== undefined && missing[0] <= seq && seq <= missing[1]
}

/** Finds out from the outlines what can be folded, and decodes only so much of it as one portion may have. */
async function foldOutlines(
  db: Queryable,
  going: readonly Going[],
  maxReadings: number,
): Promise<Map<Going, Advance & { backlog: boolean }>> {
  // Only behind a gap, or behind a portion that was cut off, does anything wait.
  const holding = going.filter(({ fold }) => fold.heldUntilMs !== undefined || fold.backlog)
  const waitingOf = await readWaiting(
    db,
    holding.map(({ fold }) => fold),
  )
  const rehearsed = going.flatMap((one) => {
    const { fold, fresh } = one
    const outlines = [...(waitingOf.get(fold) ?? []), ...fresh]
    fold.cursor = fresh.at(-1)?.logIndex ?? fold.cursor
    const isIdle = outlines.length === 0 && !fold.backlog
    return isIdle ? [] : [{ one, outlines, ...rehearse(one, outlines, maxReadings) }]
  })
  const contents = await readContents(
    db,
    rehearsed.flatMap(({ taken }) =>
      taken
        .filter(({ code, content }) => code === 'OK' && content.kind === 'readings')
        .map(({ logIndex }) => logIndex),
    ),
  )
  return new Map(
    rehearsed.map(({ one, outlines, endSeq }) => {
      const envelopes = outlines.map((outline) => ({
        ...outline,
        content: contents.get(outline.logIndex) ?? outline.content,
      }))
      const result = advance(one.terms, one.fold.state, envelopes, one.knownMs, endSeq)
      return [one, { ...result, backlog: endSeq !== undefined }]
    }),
  )
}

/** Which envelopes have their turn, which depends on times and declarations alone, and where a portion ends that holds not all of them. */
function rehearse(
  { fold, terms, knownMs }: Going,
  outlines: readonly OutlinedEnvelope[],
  maxReadings: number,
): { taken: OutlinedEnvelope[]; endSeq: bigint | undefined } {
  const rehearsal = advance(terms, fold.state, outlines, knownMs)
  const byDigest = new Map(outlines.map((outline) => [outline.digest, outline]))
  const turns = rehearsal.steps.flatMap(({ covered, digest }) => {
    const outline = covered ? byDigest.get(digest) : undefined
    return outline ? [outline] : []
  })
  let readings = 0
  const count = turns.findIndex((turn, index) => {
    readings += turn.readings + 1
    return index > 0 && readings > maxReadings
  })
  const taken = count < 0 ? turns : turns.slice(0, count)
  return { taken, endSeq: turns[taken.length]?.seq }
}

/** Which periods a step moved, and in which its last reading lies. */
function note(terms: FoldTerms, step: FoldStep, moved: Set<number>, seen: Set<number>): void {
  for (const period of Object.keys(step.registers)) moved.add(Number(period))
  const period = step.lastReadingMs === undefined ? undefined : periodOf(terms, step.lastReadingMs)
  if (period !== undefined) seen.add(period)
}

function owedOf(
  { agreement: { agreementId, tariff }, terms, folds, foldTerms }: OpenAgreement,
  period: number,
): OwedRow | undefined {
  const [grid] = foldTerms
  if (!grid || !tariff) return undefined
  const registers = folds.map(({ state }) => registerAt(state, period))
  const asOf = asOfSeconds(
    grid,
    period,
    folds.map(({ state }) => state.lastReadingMs),
  )
  const elapsed = elapsedSeconds(terms, { period, asOf })
  const price = (counted: readonly bigint[]) => owedCapped(tariff, counted, elapsed, terms.capMinor)
  const owedMinor = price(registers)
  const bands = folds.flatMap(({ state }, meter) => {
    const rule = foldTerms[meter]?.rule
    return rule ? [registerBand(state, rule, period)] : []
  })
  return {
    agreementId,
    period,
    registers,
    asOf,
    owedMinor,
    heads: headsOf(folds),
    band: amountBand(bands, owedMinor, price),
  }
}

/** Second of the last reading covered in a period, within it (its end included). */
export function asOfSeconds(
  grid: FoldTerms,
  period: number,
  lastReadingsMs: readonly (number | null | undefined)[],
): bigint {
  const endMs = periodEndMs(grid, period)
  const startMs = endMs - grid.periodSeconds * 1000
  const last = Math.max(startMs, ...lastReadingsMs.map((timeMs) => timeMs ?? startMs))
  return BigInt(Math.floor(Math.min(last, endMs) / 1000))
}

/** How far the streams were folded; a stream that has not begun is left out. */
export function headsOf(
  folds: readonly Pick<StoredFold, 'stream' | 'state'>[],
): { stream: string; seq: string }[] {
  const heads = new Map<string, string>()
  for (const { stream, state } of folds) {
    const head = foldHead(state)
    if (head) heads.set(stream, head.seq.toString())
  }
  return Array.from(heads, ([stream, seq]) => ({ stream, seq }))
}
