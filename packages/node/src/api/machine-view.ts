import type {
  Deployment,
  EnvelopeSummary,
  Machine,
  MachineSummary,
  StreamCalibration,
  TimelineEntry,
} from '@liquefy/client'
import {
  certificateInForce,
  type Declaration,
  decimalText,
  didEthr,
  formatDecimal,
  machineAccountAddress,
  ppmText,
  type Replacement,
  readCalibrationCertificate,
  type SensorDeclaration,
  type Subject,
  senmlToUcum,
  VERDICTS,
  type VerdictCode,
} from '@liquefy/protocol'
import { listEnvelopes, readStreams, type StreamFigures } from '../store/envelopes.ts'
import { readDeclarations, readUnpriced } from '../store/notable.ts'
import {
  type LedgerChange,
  type MachineOverview,
  readCurrentKey,
  readFoldCodes,
  readLedgerChanges,
  readMachineClosings,
  readMachineOverview,
  readMachineSettlements,
  readMoneyByMachine,
  readNewestState,
} from '../store/overview.ts'
import { readPlaces } from '../store/places.ts'
import { readLastRefusals, readRefusalCounts, readRefusals } from '../store/refusals.ts'
import { readSensorDeclarations } from '../store/sensors.ts'
import type { createStreamFigures, MachineFigures } from '../store/stream-figures.ts'
import type { MeteredAgreement } from '../transact/agreements.ts'
import type { ApiContext } from './context.ts'
import { unknown } from './problem.ts'

/** Of each kind, so that a thousand payments do not hide when it was registered. */
const TIMELINE_ENTRIES = 100
const UNPRICED_SHOWN = 100
/** Where no rule says how long a silence may last. */
const SILENT_AFTER_MS = 15 * 60_000

type StreamFiguresReader = ReturnType<typeof createStreamFigures>
type FiguresByMachine = ReadonlyMap<bigint, Readonly<MachineFigures>>

/** All machines, by id; what they settled since a time (ms) stands beside all that they settled. */
export async function machineList(
  context: ApiContext,
  readFigures: StreamFiguresReader,
  sinceMs: number,
): Promise<MachineSummary[]> {
  const db = context.database.pool
  const [machines, figures] = await Promise.all([readMachineOverview(db), readFigures()])
  return summariesOf(context, machines, figures, { sinceMs })
}

async function summariesOf(
  context: ApiContext,
  machines: readonly MachineOverview[],
  figures: FiguresByMachine,
  { sinceMs, machineId: only }: { sinceMs: number; machineId?: bigint },
): Promise<MachineSummary[]> {
  const db = context.database.pool
  const [refusals, lastRefusals, money, places] = await Promise.all([
    readRefusalCounts(db, only),
    readLastRefusals(db, only),
    readMoneyByMachine(db, sinceMs, only),
    readPlaces(db, only),
  ])
  const metered = Map.groupBy(context.agreements.all(), ({ machineId }) => machineId)
  const refused = new Map<bigint, number>()
  for (const { machineId, code, count } of refusals) {
    if (code !== 'DUPLICATE') refused.set(machineId, (refused.get(machineId) ?? 0) + Number(count))
  }
  return machines.map(({ machineId, name, owner, state, controller }) => {
    const agreements = metered.get(machineId) ?? []
    const figure = figures.get(machineId)
    const earned = money.get(machineId)
    return {
      machineId: String(machineId),
      name: name ?? String(machineId),
      owner,
      state,
      controller: controller === 0n ? null : String(controller),
      lastReadingMs: figure?.lastMs ?? null,
      mainStream: agreements[0]?.terms?.meters[0]?.stream ?? figure?.streams[0] ?? null,
      mainRule: agreements[0]?.rules[0]?.rule ?? null,
      envelopes: figure?.envelopes ?? 0,
      refused: refused.get(machineId) ?? 0,
      owedMinor: String(earned?.owedMinor ?? 0n),
      settledMinor: String(earned?.settledMinor ?? 0n),
      settledSinceMinor: String(earned?.settledSinceMinor ?? 0n),
      lastRefusalMs: lastRefusals.get(machineId) ?? null,
      silentAfterMs: silentAfterMs(agreements),
      place: places.get(machineId) ?? null,
    }
  })
}

/** The longest silence that the rules of its agreements let pass, the strictest of them. */
function silentAfterMs(agreements: readonly MeteredAgreement[]): number {
  const limits = agreements
    .flatMap(({ rules }) => rules)
    .flatMap((rule) => (rule && 'maxSilenceSeconds' in rule ? rule.maxSilenceSeconds * 1_000 : []))
  return limits.length === 0 ? SILENT_AFTER_MS : Math.min(...limits)
}

/** @throws ProblemError 404 `MACHINE_UNKNOWN`. */
export async function knownMachine(
  { database }: ApiContext,
  machineId: bigint,
): Promise<MachineOverview> {
  const [machine] = await readMachineOverview(database.pool, machineId)
  if (!machine) throw unknown('MACHINE_UNKNOWN', `Machine ${machineId}`)
  return machine
}

/** One machine. @throws ProblemError 404 `MACHINE_UNKNOWN`. */
export async function machineView(
  context: ApiContext,
  machineId: bigint,
  sinceMs: number,
): Promise<Machine> {
  const db = context.database.pool
  const [machines, key, streams, sensors, newest, credential] = await Promise.all([
    readMachineOverview(db, machineId),
    readCurrentKey(db, machineId),
    readStreams(db, machineId),
    readSensorDeclarations(db, machineId),
    readNewestState(db, machineId),
    context.credentials.of(machineId),
  ])
  const nowMs = context.clock.nowMs()
  const [summary] = await summariesOf(context, machines, figuresOf(machineId, streams), {
    sinceMs,
    machineId,
  })
  if (!summary) throw unknown('MACHINE_UNKNOWN', `Machine ${machineId}`)
  return {
    ...summary,
    ...identityOf(context, machineId),
    key,
    streams: streams.map(({ firstIndex: _, ...stream }) => ({
      ...stream,
      lastSeq: String(stream.lastSeq),
      ucum: stream.unit === null ? null : (senmlToUcum(stream.unit) ?? null),
      metered: context.agreements.metering(machineId, stream.stream).length > 0,
      calibration: calibrationOf(
        { machineId, stream: stream.stream },
        sensors.get(stream.stream) ?? [],
        nowMs,
      ),
    })),
    agreements: context.agreements
      .all()
      .filter((one) => one.machineId === machineId)
      .map(({ agreementId }) => agreementId),
    suspension:
      newest?.what === 'suspended'
        ? { atMs: newest.atMs, by: newest.owner, reason: newest.reason }
        : null,
    credential,
  }
}

function calibrationOf(
  subject: Subject,
  declared: readonly SensorDeclaration[],
  nowMs: number,
): StreamCalibration | null {
  const inForce = certificateInForce(subject, declared, nowMs)
  if (!inForce) return null
  const { certificate, untilMs } = inForce
  return {
    digest: certificate.digest,
    calibrationLaboratory: certificate.calibrationLaboratory,
    laboratory: certificate.laboratory,
    unit: certificate.unit,
    validFromMs: certificate.validFromMs,
    validUntilMs: untilMs,
    expandedUncertaintyPpm: certificate.expandedUncertaintyPpm,
    uniqueIdentifier: certificate.uniqueIdentifier,
    item: certificate.item,
    documentDigest: certificate.documentDigest ?? null,
  }
}

/** Account and DID of a machine: they follow from its id. Null where the ledger has no accounts. */
export function identityOf(
  { deployment }: ApiContext,
  machineId: bigint,
): Pick<Machine, 'account' | 'did'> {
  const { chainId, registry, accounts } = deployment
  if (!accounts) return { account: null, did: null }
  const implementation = accounts.machineAccount
  const account = machineAccountAddress({ chainId, registry, implementation, machineId })
  return { account, did: didEthr({ chainId, account }) }
}

/** One machine's streams as `createStreamFigures` reads those of all. */
function figuresOf(machineId: bigint, streams: readonly StreamFigures[]): FiguresByMachine {
  if (streams.length === 0) return new Map()
  const figures = {
    streams: streams
      .toSorted((a, b) => (a.firstIndex < b.firstIndex ? -1 : 1))
      .map(({ stream }) => stream),
    envelopes: streams.reduce((sum, { envelopes }) => sum + envelopes, 0),
    lastMs: Math.max(...streams.map(({ lastMs }) => lastMs)),
  }
  return new Map([[machineId, figures]])
}

/** A machine's envelopes, newest first, each with the code that decides whether it is priced. */
export async function envelopeList(
  context: ApiContext,
  query: { machineId: bigint; stream?: string; limit: number; beforeIndex?: bigint },
): Promise<EnvelopeSummary[]> {
  const db = context.database.pool
  const rows = await listEnvelopes(db, query)
  const codes = await readFoldCodes(
    db,
    rows.map(({ digest }) => digest),
  )
  return rows.map((row) => summaryOf(row, codes.get(row.digest)))
}

/** A machine's readings that nobody pays, newest first, each with the code that says why. */
export async function unpricedList(
  context: ApiContext,
  machineId: bigint,
): Promise<EnvelopeSummary[]> {
  const rows = await readUnpriced(context.database.pool, machineId, UNPRICED_SHOWN)
  return rows.map((row) => summaryOf(row, undefined))
}

/** An envelope as lists show it. */
export function summaryOf(
  row: Awaited<ReturnType<typeof listEnvelopes>>[number],
  foldCode: string | undefined,
): EnvelopeSummary {
  return {
    logIndex: String(row.logIndex),
    digest: row.digest,
    stream: row.stream,
    seq: String(row.seq),
    loggedAtMs: row.loggedAt,
    firstMs: row.firstMs,
    lastMs: row.lastMs,
    readings: row.readings,
    code: row.code === 'OK' ? (foldCode ?? row.code) : row.code,
  }
}

/** What happened to a machine, newest first. @throws ProblemError 404 `MACHINE_UNKNOWN`. */
export async function timelineView(
  context: ApiContext,
  machineId: bigint,
): Promise<TimelineEntry[]> {
  const db = context.database.pool
  const machine = await knownMachine(context, machineId)
  const [changes, refusals, unpriced, declarations, settlements, closings] = await Promise.all([
    readLedgerChanges(db, machineId, TIMELINE_ENTRIES),
    readRefusals(db, machineId, TIMELINE_ENTRIES),
    readUnpriced(db, machineId, TIMELINE_ENTRIES),
    readDeclarations(db, machineId, TIMELINE_ENTRIES),
    readMachineSettlements(db, machineId, TIMELINE_ENTRIES),
    readMachineClosings(db, machineId, TIMELINE_ENTRIES),
  ])
  const { asset } = context.deployment
  const entries: TimelineEntry[] = [
    ...changes.map((change) => changeEntry(change, context.deployment.people)),
    ...context.agreements
      .all()
      .filter((one) => one.machineId === machineId)
      .map(({ openedMs, agreementId, txHash }) => ({
        atMs: openedMs,
        kind: 'agreement' as const,
        code: 'opened',
        words: 'An agreement was opened.',
        agreementId,
        txHash,
      })),
    ...refusals.map(({ atMs, code, message }) => ({
      atMs,
      kind: 'refused' as const,
      code,
      words: `Refused: ${wordsOf(code, message)}`,
    })),
    ...unpriced.map(({ stream, seq, loggedAt, code }) => ({
      atMs: loggedAt,
      kind: 'unpriced' as const,
      code,
      words: `Not priced, ${stream} number ${seq}: ${wordsOf(code, code)}`,
    })),
    ...declarations.map(({ stream, seq, atMs, declaration }) => ({
      atMs,
      kind: 'declaration' as const,
      code: declaration?.kind ?? 'declaration',
      words: declaration
        ? declarationWords(stream, declaration)
        : `Declared something of ${stream}, number ${seq}; its words are not here any more.`,
    })),
    ...closings.map((closing) => ({
      ...closing,
      kind: 'agreement' as const,
      code: 'closed',
      words: 'An agreement was closed.',
    })),
    ...settlements.map(({ agreementId, atMs, paidMinor, txHash }) => ({
      atMs,
      kind: 'settled' as const,
      code: 'settled',
      words: `Paid ${formatDecimal(paidMinor, asset.decimals, { grouping: true })} ${asset.symbol}.`,
      agreementId,
      txHash,
    })),
    // Last of what happened in the same block.
    {
      atMs: machine.registeredMs,
      kind: 'registered',
      code: 'registered',
      words: 'Registered on the ledger.',
    },
  ]
  return entries.sort((a, b) => b.atMs - a.atMs)
}

function declarationWords(stream: string, declaration: Declaration): string {
  switch (declaration.kind) {
    case 'gap':
      return `Declared a gap of ${durationWords(declaration)} in ${stream}: ${declaration.reason}.`
    case 'replacement':
      return `Declared that the sensor of ${stream} was replaced${handoverWords(declaration)}: ${declaration.reason}.`
    case 'excuse':
      return `Asked to excuse ${durationWords(declaration)} of ${stream}: ${declaration.reason}.`
    case 'calibration':
      return calibrationWords(stream, declaration.certificate)
    case 'clock':
      return clockWords(stream, declaration)
  }
}

function clockWords(
  stream: string,
  { source, offsetMs, reason }: Extract<Declaration, { kind: 'clock' }>,
): string {
  const side = offsetMs < 0 ? 'behind' : 'ahead of'
  const offset = lengthWords(Math.abs(offsetMs))
  return `Said of the clock of ${stream}, then ${offset} ${side} the time of readings, which is now that of the ${source} clock: ${reason}.`
}

function handoverWords({ oldPart, newPart, handover }: Replacement): string {
  const parts = [oldPart && ` from ${oldPart}`, newPart && ` to ${newPart}`].filter(Boolean)
  const readings = handover
    ? ` at ${decimalText(handover.last)}, which is ${decimalText(handover.first)} on the new one`
    : ''
  return parts.join('') + readings
}

function calibrationWords(stream: string, bytes: Uint8Array): string {
  const read = readCalibrationCertificate(bytes)
  if (!read.ok) return `Declared a calibration of ${stream} that is none: ${read.message}.`
  const { calibrationLaboratory, uniqueIdentifier, expandedUncertaintyPpm } = read.certificate
  return `Declared that ${stream} was calibrated by ${calibrationLaboratory} within ${ppmText(expandedUncertaintyPpm)}, certificate ${uniqueIdentifier}.`
}

function durationWords({ fromMs, toMs }: { fromMs: number; toMs: number }): string {
  return lengthWords(toMs - fromMs)
}

function lengthWords(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

function changeEntry(
  { kind, atMs, what, owner, reason }: LedgerChange,
  people: Deployment['people'],
): TimelineEntry {
  const nameOf = (account: string) =>
    people.find(({ address }) => address.toLowerCase() === account.toLowerCase())?.name ?? account
  const words = {
    state: reason === null ? `Now ${what}.` : `Now ${what}, by ${nameOf(owner)}: ${reason}`,
    key: what === 'KEY_REVOKED' ? 'Its key was revoked.' : 'A key was set.',
    owner: `Owned by ${nameOf(what)}.`,
  }
  return { atMs, kind, code: kind === 'owner' ? 'owner' : what, words: words[kind] }
}

function wordsOf(code: string, otherwise: string): string {
  return Object.hasOwn(VERDICTS, code) ? VERDICTS[code as VerdictCode].words : otherwise
}
