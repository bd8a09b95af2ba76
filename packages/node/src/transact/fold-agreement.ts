import {
  type Advance,
  advance,
  elapsedSeconds,
  type FoldState,
  type FoldStep,
  type FoldTerms,
  foldHead,
  type LoggedEnvelope,
  owedCapped,
  periodEndMs,
  periodOf,
  registerAt,
  SIGNER_KIND,
  startFold,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { Queryable } from '../store/database.ts'
import {
  createFold,
  lockFolds,
  moveFold,
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

/** How much of one stream one transaction takes in at most. */
export interface FoldLimits {
  /** New envelopes that are looked at. */
  envelopes: number
  /** Readings that are decoded; an envelope counts as one more, and a single one may have more. */
  readings: number
}

const LIMITS: FoldLimits = { envelopes: 1_000, readings: 20_000 }

/** What one portion of folding did. */
export interface FoldPortion {
  /** Periods whose registers moved. */
  moved: OwedRow[]
  /** The limit was reached: fold again. */
  more: boolean
  /** When time alone would move a fold past a gap. */
  wakeMs: number | undefined
}

const NOTHING: FoldPortion = { moved: [], more: false, wakeMs: undefined }

/**
 * Advances all folds of an agreement by what was logged since their cursors. Call it in a transaction: state, cursor,
 * registers and the amount owed move together, under a lock on the agreement's folds, so that each envelope counts
 * exactly once (INV-19).
 *
 * @param knownUntilMs every envelope logged until then is visible to this transaction.
 * @param cuts what revocations have cut off, as `cutsText` writes it: folds that took another are begun anew.
 */
export async function foldAgreement(
  db: Queryable,
  agreement: MeteredAgreement,
  knownUntilMs: number,
  nowMs: number,
  { cuts = '', ...limits }: Partial<FoldLimits> & { cuts?: string } = {},
): Promise<FoldPortion> {
  const { terms, problem, open } = agreement
  if (!terms || problem !== undefined || !open) return NOTHING
  if (terms.signerKind === SIGNER_KIND.nobody) return advanceTime(db, agreement, terms, nowMs)
  const folds = await openFolds(db, agreement, terms, cuts)
  if (!folds) return NOTHING
  const foldTerms = foldTermsOfAll(
    terms,
    agreement.rules,
    folds.map(({ startSeq }) => startSeq),
  )
  const moved = new Set<number>()
  const seen = new Set<number>()
  const wakes: number[] = []
  let more = false
  for (const [index, fold] of folds.entries()) {
    const meterTerms = foldTerms[index]
    if (!meterTerms) return NOTHING
    const portion = await foldMeter(db, fold, meterTerms, knownUntilMs, { ...LIMITS, ...limits })
    more ||= portion.more
    if (portion.wakeMs !== undefined) wakes.push(portion.wakeMs)
    for (const step of portion.steps) note(meterTerms, step, moved, seen)
  }
  const rows = [...new Set([...moved, ...seen])].flatMap((period) => {
    const row = owedOf(agreement, terms, folds, foldTerms, period)
    return row ? [row] : []
  })
  for (const row of rows) await saveOwed(db, row, nowMs)
  return {
    moved: rows.filter(({ period }) => moved.has(period)),
    more,
    wakeMs: wakes.length > 0 ? Math.min(...wakes) : undefined,
  }
}

/** The agreement's folds, begun where they had not; undefined while a start head is not logged here. */
async function openFolds(
  db: Queryable,
  { agreementId, machineId, rules }: MeteredAgreement,
  terms: Terms,
  cuts: string,
): Promise<StoredFold[] | undefined> {
  const folds = await lockFolds(db, agreementId)
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
  return lockFolds(db, agreementId)
}

async function foldMeter(
  db: Queryable,
  fold: StoredFold,
  terms: FoldTerms,
  knownUntilMs: number,
  limits: FoldLimits,
): Promise<{ steps: FoldStep[]; more: boolean; wakeMs: number | undefined }> {
  const { backlog } = fold
  // What was read before is folded first, so that no more of it gathers than must.
  const fresh = backlog ? [] : await readFresh(db, fold, limits.envelopes)
  const cutOff = backlog || fresh.length === limits.envelopes
  // A portion that was cut off is complete only as far as it goes, which `advance` sees from its newest envelope.
  const knownMs = cutOff ? 0 : knownUntilMs
  if (staysHeld(fold, fresh, knownMs)) {
    const behind = fresh.filter(({ seq }) => seq < BigInt(fold.state.nextSeq))
    const { steps } = advance(terms, fold.state, behind, 0)
    fold.cursor = fresh.at(-1)?.logIndex ?? fold.cursor
    if (fresh.length > 0) await moveFold(db, fold, steps)
    return { steps, more: cutOff, wakeMs: fold.heldUntilMs }
  }
  const outlines = [...(await readWaiting(db, fold)), ...fresh]
  if (outlines.length === 0 && !backlog) return { steps: [], more: false, wakeMs: undefined }
  fold.cursor = fresh.at(-1)?.logIndex ?? fold.cursor
  const portion = await foldOutlines(db, fold.state, terms, outlines, knownMs, limits.readings)
  fold.state = portion.state
  fold.backlog = portion.backlog
  fold.heldUntilMs = portion.wakeAtMs
  await moveFold(db, fold, portion.steps)
  return { steps: portion.steps, more: cutOff || portion.backlog, wakeMs: portion.wakeAtMs }
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
  state: FoldState,
  terms: FoldTerms,
  outlines: readonly OutlinedEnvelope[],
  knownUntilMs: number,
  maxReadings: number,
): Promise<Advance & { backlog: boolean }> {
  // Which envelopes have their turn depends on times and declarations alone.
  const rehearsal = advance(terms, state, outlines, knownUntilMs)
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
  const contents = await readContents(
    db,
    taken
      .filter(({ code, content }) => code === 'OK' && content.kind === 'readings')
      .map(({ logIndex }) => logIndex),
  )
  const envelopes = outlines.map((outline) => ({
    ...outline,
    content: contents.get(outline.logIndex) ?? outline.content,
  }))
  const result = advance(terms, state, envelopes, knownUntilMs, turns[taken.length]?.seq)
  return { ...result, backlog: taken.length < turns.length }
}

/** Which periods a step moved, and in which its last reading lies. */
function note(terms: FoldTerms, step: FoldStep, moved: Set<number>, seen: Set<number>): void {
  for (const period of Object.keys(step.registers)) moved.add(Number(period))
  const period = step.lastReadingMs === undefined ? undefined : periodOf(terms, step.lastReadingMs)
  if (period !== undefined) seen.add(period)
}

function owedOf(
  { agreementId, tariff }: MeteredAgreement,
  terms: Terms,
  folds: readonly StoredFold[],
  foldTerms: readonly FoldTerms[],
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
  return {
    agreementId,
    period,
    registers,
    asOf,
    owedMinor: owedCapped(tariff, registers, elapsed, terms.capMinor),
    heads: headsOf(folds),
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
