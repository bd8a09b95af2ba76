import type {
  Deployment,
  EnvelopeSummary,
  Machine,
  MachineSummary,
  TimelineEntry,
} from '@liquefy/client'
import { formatDecimal, VERDICTS, type VerdictCode } from '@liquefy/protocol'
import { listEnvelopes, readStreams, type StreamFigures } from '../store/envelopes.ts'
import {
  type LedgerChange,
  type MachineOverview,
  readCurrentKey,
  readFoldCodes,
  readLedgerChanges,
  readMachineOverview,
  readMachineSettlements,
  readMoneyByMachine,
  readNotableEnvelopes,
  readStreamFigures,
} from '../store/overview.ts'
import { readRefusalCounts, readRefusals } from '../store/refusals.ts'
import type { ApiContext } from './context.ts'
import { unknown } from './problem.ts'

const TIMELINE_ENTRIES = 200

type FiguresByMachine = Awaited<ReturnType<typeof readStreamFigures>>

/** All machines, by id. */
export async function machineList(context: ApiContext): Promise<MachineSummary[]> {
  const db = context.database.pool
  return summariesOf(context, await readMachineOverview(db), await readStreamFigures(db))
}

async function summariesOf(
  context: ApiContext,
  machines: readonly MachineOverview[],
  figures: FiguresByMachine,
): Promise<MachineSummary[]> {
  const db = context.database.pool
  const [refusals, money] = await Promise.all([readRefusalCounts(db), readMoneyByMachine(db)])
  const refused = new Map<bigint, number>()
  for (const { machineId, code, count } of refusals) {
    if (code !== 'DUPLICATE') refused.set(machineId, (refused.get(machineId) ?? 0) + Number(count))
  }
  return machines.map(({ machineId, name, owner, state, controller }) => {
    const metered = context.agreements.all().find((one) => one.machineId === machineId)
    const figure = figures.get(machineId)
    return {
      machineId: String(machineId),
      name: name ?? String(machineId),
      owner,
      state,
      controller: controller === 0n ? null : String(controller),
      lastReadingMs: figure?.lastMs ?? null,
      mainStream: metered?.terms?.meters[0]?.stream ?? figure?.streams[0] ?? null,
      envelopes: figure?.envelopes ?? 0,
      refused: refused.get(machineId) ?? 0,
      owedMinor: String(money.get(machineId)?.owedMinor ?? 0n),
      settledMinor: String(money.get(machineId)?.settledMinor ?? 0n),
    }
  })
}

/** One machine. @throws ProblemError 404 `MACHINE_UNKNOWN`. */
export async function machineView(context: ApiContext, machineId: bigint): Promise<Machine> {
  const db = context.database.pool
  const [machines, key, streams] = await Promise.all([
    readMachineOverview(db, machineId),
    readCurrentKey(db, machineId),
    readStreams(db, machineId),
  ])
  const [summary] = await summariesOf(context, machines, figuresOf(machineId, streams))
  if (!summary) throw unknown('MACHINE_UNKNOWN', `Machine ${machineId}`)
  return {
    ...summary,
    key,
    streams: streams.map(({ firstIndex: _, ...stream }) => ({
      ...stream,
      lastSeq: String(stream.lastSeq),
    })),
    agreements: context.agreements
      .all()
      .filter((one) => one.machineId === machineId)
      .map(({ agreementId }) => agreementId),
  }
}

/** One machine's streams as `readStreamFigures` has those of all. */
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
  const [machine] = await readMachineOverview(db, machineId)
  if (!machine) throw unknown('MACHINE_UNKNOWN', `Machine ${machineId}`)
  const [changes, refusals, envelopes, settlements] = await Promise.all([
    readLedgerChanges(db, machineId, TIMELINE_ENTRIES),
    readRefusals(db, machineId, TIMELINE_ENTRIES),
    readNotableEnvelopes(db, machineId, TIMELINE_ENTRIES),
    readMachineSettlements(db, machineId, TIMELINE_ENTRIES),
  ])
  const { asset } = context.deployment
  const entries: TimelineEntry[] = [
    {
      atMs: machine.registeredMs,
      kind: 'registered',
      code: 'registered',
      words: 'Registered on the ledger.',
    },
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
    ...envelopes.map(({ stream, seq, atMs, code, declaration }) => ({
      atMs,
      kind: declaration ? ('declaration' as const) : ('unpriced' as const),
      code,
      words: declaration
        ? `Declared in ${stream}, number ${seq}.`
        : `Not priced, ${stream} number ${seq}: ${wordsOf(code, code)}`,
    })),
    ...settlements.map(({ agreementId, atMs, paidMinor, txHash }) => ({
      atMs,
      kind: 'settled' as const,
      code: 'settled',
      words: `Paid ${formatDecimal(paidMinor, asset.decimals, { grouping: true })} ${asset.symbol}.`,
      agreementId,
      txHash,
    })),
  ]
  return entries.sort((a, b) => b.atMs - a.atMs).slice(0, TIMELINE_ENTRIES)
}

function changeEntry(
  { kind, atMs, what }: LedgerChange,
  people: Deployment['people'],
): TimelineEntry {
  const person = people.find(({ address }) => address.toLowerCase() === what.toLowerCase())
  const words = {
    state: `Now ${what}.`,
    key: what === 'KEY_REVOKED' ? 'Its key was revoked.' : 'A key was set.',
    owner: `Owned by ${person?.name ?? what}.`,
  }
  return { atMs, kind, code: kind === 'owner' ? 'owner' : what, words: words[kind] }
}

function wordsOf(code: string, otherwise: string): string {
  return Object.hasOwn(VERDICTS, code) ? VERDICTS[code as VerdictCode].words : otherwise
}
