import {
  append,
  type ErasedStream,
  type Erasure,
  emptyFrontier,
  frontierRoot,
  type Hex,
  LiquefyError,
  leafData,
  leafHash,
} from '@liquefy/protocol'
import type { Clock } from '../clock.ts'
import { holdArchivingHere } from '../store/archives.ts'
import type { Database, Queryable } from '../store/database.ts'
import {
  eraseBeside,
  eraseMeasured,
  isDecommissioned,
  nextErasureId,
  readErasable,
  readErasures,
  readFilesInTheWay,
  readOpenMetering,
  type StoredErasure,
  saveErasure,
} from '../store/erasures.ts'
import type { Evidence } from './evidence.ts'

type ErasureRefusal =
  | 'AGREEMENTS_OPEN'
  | 'ARCHIVE_RUNNING'
  | 'EVIDENCE_ARCHIVED'
  | 'MACHINE_NOT_DECOMMISSIONED'

/** Nothing was erased; the message says why, and what to do. */
export class ErasureError extends LiquefyError {
  declare readonly code: ErasureRefusal

  constructor(code: ErasureRefusal, message: string) {
    super(code, message)
  }
}

const PORTION = 10_000

/**
 * Erases what people measured with a machine that is decommissioned, and keeps what proves what was paid (docs/protocol/life.md). One transaction: all of it
 * is gone with the statement that says so, or nothing is. Asked again, it erases what was logged since; if that is nothing, the answer is the newest statement.
 *
 * @param of.owner who asks: the caller has checked that the machine is his.
 * @throws ErasureError; LiquefyError `KEY_MISSING` in a process that cannot sign for the log.
 */
export async function eraseMachine(
  node: {
    database: Database
    evidence: Pick<Evidence, 'head' | 'signErasure'>
    clock: Clock
    chainId: number
    evidenceAnchor: Hex
    log: Hex
  },
  of: { machineId: bigint; owner: Hex; finalBlock: number },
): Promise<StoredErasure> {
  const { machineId, owner } = of
  // Before the transaction: all that is erased stands under it, and whatever is logged meanwhile stays.
  const head = await node.evidence.head()
  return node.database.transaction(async (db) => {
    if (!(await holdArchivingHere(db))) {
      throw new ErasureError(
        'ARCHIVE_RUNNING',
        'An archive is being written, or another machine erased, which may take up what is to go: try again when it has ended.',
      )
    }
    await requireOver(db, of)
    const { streams, kept } = await readKept(db, machineId, BigInt(head.size))
    const before = await readErasures(db, machineId)
    const newest = before.at(-1)
    if (streams.length === 0 && newest) {
      await eraseBeside(db, machineId)
      return newest
    }
    const erasure: Omit<Erasure, 'chainId' | 'anchor'> = {
      machineId,
      owner,
      erasedAt: node.clock.nowMs(),
      streams,
      keptRoot: kept,
      logSize: BigInt(head.size),
      logRoot: head.root,
    }
    const signature = await node.evidence.signErasure(erasure)
    const erasureId = await nextErasureId(db)
    const erased = await eraseMeasured(db, { machineId, size: erasure.logSize, erasureId })
    if (BigInt(erased) !== streams.reduce((sum, { envelopes }) => sum + envelopes, 0n)) {
      throw new RangeError(`Machine ${machineId} has other envelopes than a moment ago.`)
    }
    const { chainId, evidenceAnchor, log } = node
    const statement = statementOf(erasure, { chainId, evidenceAnchor, log })
    await saveErasure(db, { erasureId, machineId }, { statement, signature })
    return { statement, signature }
  })
}

async function requireOver(
  db: Queryable,
  of: { machineId: bigint; finalBlock: number },
): Promise<void> {
  const { machineId } = of
  if (!(await isDecommissioned(db, of))) {
    throw new ErasureError(
      'MACHINE_NOT_DECOMMISSIONED',
      `Machine ${machineId} is not decommissioned for good: only then nothing that it measured is needed any more. First: liquefy machine decommission ${machineId}`,
    )
  }
  const [open, ...others] = await readOpenMetering(db, of)
  if (open) {
    const more = others.length === 0 ? '' : ` and ${others.length} more`
    throw new ErasureError(
      'AGREEMENTS_OPEN',
      `What agreement ${open}${more} owes rests on these readings: close it first (liquefy agreement close ${open}), and wait until that is final.`,
    )
  }
  const files = await readFilesInTheWay(db, machineId)
  if (files.length > 0) {
    throw new ErasureError(
      'EVIDENCE_ARCHIVED',
      `Bytes of this machine are in ${files.slice(0, 5).join(', ')}${files.length > 5 ? ` and ${files.length - 5} more files` : ''}, which no node can erase. The operator puts them back (liquefy archive restore), deletes the files, and archives the rest again afterwards.`,
    )
  }
}

/** What is to be erased, by stream, and the root of the leaves that stay of it. */
async function readKept(
  db: Queryable,
  machineId: bigint,
  size: bigint,
): Promise<{ streams: ErasedStream[]; kept: Hex }> {
  const streams = new Map<string, ErasedStream>()
  let kept = emptyFrontier
  let afterIndex = -1n
  for (;;) {
    const portion = await readErasable(db, { machineId, afterIndex, size, limit: PORTION })
    for (const { stream, seq, digest, loggedAt, code, bytes, logIndex } of portion) {
      kept = append(kept, leafHash(leafData(digest, loggedAt, code))).frontier
      const before = streams.get(stream)
      streams.set(stream, {
        stream,
        firstSeq: before && before.firstSeq < seq ? before.firstSeq : seq,
        lastSeq: before && before.lastSeq > seq ? before.lastSeq : seq,
        envelopes: (before?.envelopes ?? 0n) + 1n,
        bytes: (before?.bytes ?? 0n) + BigInt(bytes),
      })
      afterIndex = logIndex
    }
    if (portion.length < PORTION) break
  }
  const byName = [...streams.values()].sort((a, b) => (a.stream < b.stream ? -1 : 1))
  return { streams: byName, kept: frontierRoot(kept) }
}

/** A statement as JSON: what was signed, and who signed it. */
function statementOf(
  {
    erasedAt,
    streams,
    machineId,
    owner,
    keptRoot,
    logSize,
    logRoot,
  }: Omit<Erasure, 'chainId' | 'anchor'>,
  place: { chainId: number; evidenceAnchor: Hex; log: Hex },
): Record<string, unknown> {
  return {
    ...place,
    machineId: String(machineId),
    owner,
    erasedAtMs: erasedAt,
    streams: streams.map(({ stream, firstSeq, lastSeq, envelopes, bytes }) => ({
      stream,
      firstSeq: String(firstSeq),
      lastSeq: String(lastSeq),
      envelopes: String(envelopes),
      bytes: String(bytes),
    })),
    keptRoot,
    logSize: String(logSize),
    logRoot,
  }
}
