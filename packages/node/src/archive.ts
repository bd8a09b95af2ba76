import { createHash } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { decodeEnvelope, inclusionProof, LiquefyError, verify } from '@liquefy/protocol'
import type pg from 'pg'
import {
  type Archive,
  ArchiveChangedError,
  type ArchivedEnvelope,
  type ArchiveOrigin,
  checkArchived,
  hasItsSum,
  publishArchive,
  readArchive,
  sumPath,
  writeDraft,
} from './archive-file.ts'
import {
  beginArchive,
  type Candidate,
  completeArchive,
  connectBeside,
  countUnanchored,
  type Departure,
  type Hold,
  holdArchiving,
  isAnchored,
  readCandidates,
  readCompleteArchives,
  readFinalAnchor,
  readKeys,
  readPaths,
  removeBytes,
  returnBytes,
} from './store/archives.ts'
import { databaseUrlOf } from './store/table-copy.ts'

export {
  ArchiveChangedError,
  type ArchivedEnvelope,
  type ArchiveOrigin,
  checkArchived,
  hasItsSum,
  readArchive,
} from './archive-file.ts'

/** What an archiving did. */
export interface ArchiveResult {
  /** Files written, or left by a run that was cut short, by name. */
  files: string[]
  /** Envelopes whose bytes left the database. */
  archived: number
  /** Those of before the time that stay, by why. */
  held: Record<Hold | 'unanchored', number>
}

/** `step` is for people. */
type OnProgress = (step: string, done: number) => void

const SUFFIX = '.parquet'
const DRAFT = `${SUFFIX}.part`
/** A file is held in memory while it is written, many times its size. */
const MAX_ROWS = 20_000
const MAX_BYTES = 8 * 2 ** 20
const PORTION = 500
const NAME_DIGITS = 12

/**
 * Moves the bytes of old envelopes into Parquet files, while the node works. A file is on the disk, was read back and holds against the anchored root
 * before one row changes; then its envelopes leave in short transactions. Cut short at any point it loses nothing: called again it goes on with
 * the files that are there.
 *
 * @param options.origin of the node's log, without the anchor: the newest one that is final is taken.
 * @throws LiquefyError `NODE_NOT_RUNNING`, `ARCHIVE_RUNNING`, `ARCHIVE_OTHER_LOG`, ArchiveChangedError.
 */
export async function archiveEnvelopes(options: {
  dataDir: string
  databaseUrl?: string | undefined
  folder: string
  beforeMs: number
  finalBlock: number
  origin: Omit<ArchiveOrigin, 'size' | 'root'>
  onProgress: OnProgress
}): Promise<ArchiveResult> {
  const { folder, beforeMs, finalBlock, onProgress } = options
  const db = await connectBeside(await databaseUrlOf(options.dataDir, options.databaseUrl))
  try {
    await takeRight(db)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const anchor = await readFinalAnchor(db, options.origin.log, finalBlock)
    const origin: ArchiveOrigin = {
      ...options.origin,
      size: anchor?.size ?? 0n,
      root: anchor?.root ?? '0x',
    }
    const departure: Departure = { beforeMs, finalBlock, size: origin.size }
    const result: ArchiveResult = {
      files: [],
      archived: 0,
      held: { agreement: 0, newest: 0, unanchored: await countUnanchored(db, departure) },
    }
    const empty = async (path: string, archive: Archive) => {
      result.archived += await emptyInto(db, basename(path), archive, departure)
      result.files.push(basename(path))
      onProgress('envelopes archived', result.archived)
    }
    for (const path of await unfinishedIn(folder, await readCompleteArchives(db))) {
      const archive = await readSound(path)
      requireSameLog(path, archive, origin)
      if (!(await isAnchored(db, origin.log, archive.origin, finalBlock))) {
        throw new ArchiveChangedError(path, 'its root was never anchored')
      }
      await empty(path, archive)
    }
    for await (const batch of batchesOf(db, departure, result.held)) {
      onProgress('writing envelopes', batch.length)
      const archive = { origin, envelopes: await withProofs(db, batch, origin.size) }
      await empty(await writeChecked(folder, archive), archive)
    }
    return result
  } finally {
    await db.end()
  }
}

/**
 * Puts the bytes of all envelopes of a folder's files back into the database: for a fold that needs them again.
 *
 * @returns how many came back; those whose bytes are there are left as they are.
 * @throws LiquefyError `NODE_NOT_RUNNING`, `ARCHIVE_RUNNING`, ArchiveChangedError.
 */
export async function restoreEnvelopes(options: {
  dataDir: string
  databaseUrl?: string | undefined
  folder: string
  onProgress: OnProgress
}): Promise<number> {
  const db = await connectBeside(await databaseUrlOf(options.dataDir, options.databaseUrl))
  try {
    await takeRight(db)
    let restored = 0
    for (const path of await archivesIn(options.folder)) {
      const { envelopes } = await readSound(path)
      for (const portion of portionsOf(envelopes)) {
        await requireSigned(db, path, portion)
        restored += await returnBytes(db, portion)
        options.onProgress('envelopes restored', restored)
      }
    }
    return restored
  } finally {
    await db.end()
  }
}

/** Paths of the files of an archive, in the order of the log. @throws LiquefyError `ARCHIVE_UNREADABLE`. */
export async function archivesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new LiquefyError(
      'ARCHIVE_UNREADABLE',
      `${folder} cannot be read. Name the folder that \`liquefy archive\` wrote to.`,
      { cause },
    )
  })
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .sort()
    .map((name) => join(folder, name))
}

async function takeRight(db: pg.Client): Promise<void> {
  if (await holdArchiving(db)) return
  throw new LiquefyError(
    'ARCHIVE_RUNNING',
    'Another `liquefy archive` works on this database. Wait until it has ended.',
  )
}

/** Files that were published and of which something may be left in the database. What an earlier run did not get to publish is forgotten. */
async function unfinishedIn(folder: string, complete: ReadonlySet<string>): Promise<string[]> {
  const paths = await archivesIn(folder)
  const sums = new Set(paths.map((path) => basename(sumPath(path))))
  for (const name of await readdir(folder)) {
    const isLeft = name.endsWith(DRAFT) || (name.endsWith(sumPath(SUFFIX)) && !sums.has(name))
    if (isLeft) await rm(join(folder, name))
  }
  return paths.filter((path) => !complete.has(basename(path)))
}

/** What may leave, a file's worth at a time; counts what is held. */
async function* batchesOf(
  db: pg.Client,
  departure: Departure,
  held: Record<Hold, number>,
): AsyncGenerator<Candidate[]> {
  let batch: Candidate[] = []
  let bytes = 0
  let fromIndex = 0n
  for (;;) {
    const portion = await readCandidates(db, departure, fromIndex, PORTION)
    for (const candidate of portion) {
      if (candidate.hold) held[candidate.hold] += 1
      else {
        batch.push(candidate)
        bytes += candidate.raw.length
      }
    }
    const last = portion.at(-1)
    if (batch.length > 0 && (!last || bytes >= MAX_BYTES || batch.length >= MAX_ROWS)) {
      yield batch
      batch = []
      bytes = 0
    }
    if (!last) return
    fromIndex = last.row.logIndex + 1n
  }
}

async function withProofs(
  db: pg.Client,
  batch: readonly Candidate[],
  size: bigint,
): Promise<ArchivedEnvelope[]> {
  const envelopes: ArchivedEnvelope[] = []
  for (const portion of portionsOf(batch)) {
    const indexes = portion.map(({ row }) => row.logIndex)
    const read = await readPaths(db, indexes, size)
    for (const { row, raw } of portion) {
      const { epoch: _, ...columns } = row
      envelopes.push({ ...columns, raw, proof: await inclusionProof(row.logIndex, size, read) })
    }
  }
  return envelopes
}

/** Writes a file, and gives it its name once what lies on the disk is what was to be written and holds. */
async function writeChecked(folder: string, archive: Archive): Promise<string> {
  const path = join(folder, nameOf(archive.envelopes))
  const draft = await writeDraft(path, archive)
  const found = await readArchive(draft)
  requireSound(draft, found)
  if (!isSame(found, archive)) {
    throw new ArchiveChangedError(draft, 'the disk gave back something else')
  }
  await publishArchive(draft, path)
  return path
}

/** The same envelopes have the same name, others another. */
function nameOf(envelopes: readonly ArchivedEnvelope[]): string {
  const hash = createHash('sha256')
  for (const { digest } of envelopes) hash.update(digest)
  const indexes = [envelopes[0], envelopes.at(-1)].map((one) =>
    String(one?.logIndex).padStart(NAME_DIGITS, '0'),
  )
  return `envelopes-${indexes.join('-')}-${hash.digest('hex').slice(0, NAME_DIGITS)}${SUFFIX}`
}

function isSame(one: Archive, other: Archive): boolean {
  return (
    isDeepStrictEqual(one.origin, other.origin) &&
    one.envelopes.length === other.envelopes.length &&
    one.envelopes.every((envelope, index) => isSameEnvelope(envelope, other.envelopes[index]))
  )
}

function isSameEnvelope(one: ArchivedEnvelope, other: ArchivedEnvelope | undefined): boolean {
  if (!other) return false
  const { raw, ...columns } = one
  const { raw: otherRaw, ...otherColumns } = other
  return Buffer.compare(raw, otherRaw) === 0 && isDeepStrictEqual(columns, otherColumns)
}

/** Reads a file that was published. @throws ArchiveChangedError unless it is as it was then, and each of its envelopes holds. */
async function readSound(path: string): Promise<Archive> {
  const archive = await readArchive(path)
  requireSound(path, archive)
  if (await hasItsSum(path)) return archive
  throw new ArchiveChangedError(path, 'its SHA-256 is not the one beside it')
}

function requireSound(path: string, { origin, envelopes }: Archive): void {
  for (const envelope of envelopes) {
    const checked = checkArchived(envelope, origin)
    if (!checked.ok) throw new EnvelopeChangedError(path, envelope, checked.flaw)
  }
}

/** What comes back is evidence again: its signatures hold under the keys that the ledger names. */
async function requireSigned(
  db: pg.Client,
  path: string,
  envelopes: readonly ArchivedEnvelope[],
): Promise<void> {
  const keys = await readKeys(
    db,
    envelopes.map(({ kid }) => kid),
  )
  for (const archived of envelopes) {
    const decoded = decodeEnvelope(archived.raw)
    const key = keys.get(archived.kid)
    if (!decoded.ok || !key) throw new EnvelopeChangedError(path, archived, 'its key is unknown')
    const { signedBytes, signature } = decoded.envelope
    if (verify(key, signedBytes, signature)) continue
    throw new EnvelopeChangedError(path, archived, 'its signature does not verify')
  }
}

class EnvelopeChangedError extends ArchiveChangedError {
  constructor(path: string, { logIndex }: ArchivedEnvelope, flaw: string) {
    super(path, `of envelope ${logIndex}, ${flaw}`)
  }
}

function requireSameLog(path: string, { origin }: Archive, own: ArchiveOrigin): void {
  const isOwn = (['chainId', 'evidenceAnchor', 'log'] as const).every(
    (field) => String(origin[field]).toLowerCase() === String(own[field]).toLowerCase(),
  )
  if (isOwn) return
  throw new LiquefyError(
    'ARCHIVE_OTHER_LOG',
    `${basename(path)} is of log ${origin.log}, and this node's is ${own.log}. Name a folder of its own for each node.`,
  )
}

/** Takes what a file has out of the database, as far as it may leave now. */
async function emptyInto(
  db: pg.Client,
  file: string,
  { envelopes }: Archive,
  departure: Departure,
): Promise<number> {
  const archiveId = await beginArchive(db, file)
  let removed = 0
  for (const portion of portionsOf(envelopes)) {
    removed += await removeBytes(db, archiveId, departure, portion)
  }
  await completeArchive(db, archiveId)
  return removed
}

function* portionsOf<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let at = 0; at < items.length; at += PORTION) yield items.slice(at, at + PORTION)
}

/** Bytes of archived envelopes by log index, out of the files of a folder as they are asked for. */
export interface ArchiveReader {
  /** @throws LiquefyError `ARCHIVED` if the folder has no such file, or that file no such envelope; ArchiveChangedError. */
  bytesOf(file: string, logIndex: bigint): Promise<Uint8Array>
}

/** Opens a folder of archives. The file read last is kept in memory. */
export function openArchives(folder: string): ArchiveReader {
  let open: { file: string; bytes: Map<bigint, Uint8Array> } | undefined
  return {
    async bytesOf(file, logIndex) {
      if (open?.file !== file) {
        const paths = await archivesIn(folder)
        const path = paths.find((one) => basename(one) === file)
        if (!path) throw new NotThereError(folder, file, logIndex)
        const { envelopes } = await readArchive(path)
        open = { file, bytes: new Map(envelopes.map((one) => [one.logIndex, one.raw])) }
      }
      const bytes = open.bytes.get(logIndex)
      if (!bytes) throw new NotThereError(folder, file, logIndex)
      return bytes
    },
  }
}

class NotThereError extends LiquefyError {
  constructor(folder: string, file: string, logIndex: bigint) {
    super(
      'ARCHIVED',
      `Envelope ${logIndex} was archived to ${file}, which is not in ${folder} or does not hold it. Name the folder that has it.`,
    )
  }
}
