import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { LiquefyError } from '@liquefy/protocol'
import pino from 'pino'
import { openDatabase } from './store/database.ts'
import {
  type CopiedDatabase,
  copyTablesIn,
  copyTablesOut,
  databaseUrlOf,
} from './store/table-copy.ts'

/** What a backup says of itself: written last, so that a folder with it is whole. */
export interface BackupManifest {
  format: 1
  /** When it was begun, ms since 1970. */
  takenMs: number
  database: CopiedDatabase
  /** Every file, by its path in the backup. */
  files: { path: string; bytes: number; sha256: string }[]
  /** What is not in it because somebody else keeps it. */
  elsewhere: string[]
}

/** `step` is for people; `done` of `all`. */
type OnProgress = (step: string, done: number, all: number) => void

const MANIFEST = 'manifest.json'
const TABLES = 'tables'
const JOURNAL = join('chain', 'journal.jsonl')
const NEWLINE = 10
/** The rest of a data folder is made anew, or belongs to devices, whose state must never go back. */
const SMALL_FILES = ['deployment.json', join('chain', 'genesis.json')]

/**
 * Takes a backup of a node while it runs: the embedded ledger's journal first, then every table from one snapshot. The database is therefore never
 * behind the ledger; what it has beyond it, a restored node takes back as it does when a ledger is reorganised, and sends again.
 *
 * @throws LiquefyError `NODE_NOT_RUNNING`, `FOLDER_NOT_EMPTY`.
 */
export async function takeBackup(options: {
  dataDir: string
  folder: string
  databaseUrl?: string | undefined
  nowMs: number
  onProgress: OnProgress
}): Promise<BackupManifest> {
  const { dataDir, folder, onProgress } = options
  const url = await databaseUrlOf(dataDir, options.databaseUrl)
  await requireEmpty(folder)
  await mkdir(join(folder, TABLES), { recursive: true, mode: 0o700 })
  const journal = await copyJournal(join(dataDir, JOURNAL), join(folder, JOURNAL))
  const database = await copyTablesOut(url, join(folder, TABLES), (done, all) =>
    onProgress('copying tables', done, all),
  )
  const keys = await namesIn(join(dataDir, 'keys'))
  for (const path of [...SMALL_FILES, ...keys.map((name) => join('keys', name))]) {
    await copyIfThere(join(dataDir, path), join(folder, path))
  }
  const paths = await filesBelow(folder)
  const files: BackupManifest['files'] = []
  for (const path of paths) {
    files.push({ path, ...(await digestOf(join(folder, path))) })
    onProgress('syncing files', files.length, paths.length)
  }
  const manifest: BackupManifest = {
    format: 1,
    takenMs: options.nowMs,
    database,
    files,
    elsewhere: [
      ...(journal ? [] : ['the ledger: the node has none of its own']),
      ...(hasArchives(database)
        ? ['archived envelopes: keep the folder of their files beside it']
        : []),
    ],
  }
  await writeSynced(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
}

/**
 * Makes a data folder of a backup. The node that starts on it has its keys, its ledger and its log as they were.
 *
 * @throws LiquefyError `BACKUP_INCOMPLETE`, `BACKUP_CHANGED`, `BACKUP_OTHER_VERSION`, `FOLDER_NOT_EMPTY`, `DATABASE_NOT_EMPTY`; the data folder is
 * then as empty as it was.
 */
export async function restoreBackup(options: {
  folder: string
  dataDir: string
  databaseUrl?: string | undefined
  onProgress: OnProgress
}): Promise<BackupManifest> {
  const { folder, dataDir, databaseUrl, onProgress } = options
  const manifest = await readManifest(folder)
  for (const [index, file] of manifest.files.entries()) {
    await verifyFile(folder, file)
    onProgress('verifying files', index + 1, manifest.files.length)
  }
  await requireEmpty(dataDir)
  try {
    for (const { path } of manifest.files) {
      if (!path.startsWith(TABLES)) await copyIfThere(join(folder, path), join(dataDir, path))
    }
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const logger = pino({ level: 'silent' })
    const database = await openDatabase({ dataDir, databaseUrl, logger })
    try {
      await copyTablesIn(database.url, join(folder, TABLES), manifest.database, (done, all) =>
        onProgress('restoring tables', done, all),
      )
    } finally {
      await database.close()
    }
  } catch (error) {
    for (const name of await namesIn(dataDir)) {
      await rm(join(dataDir, name), { recursive: true, force: true })
    }
    throw error
  }
  return manifest
}

function hasArchives({ tables }: CopiedDatabase): boolean {
  return tables.some(({ name, rows }) => name === 'archives' && rows > 0)
}

async function requireEmpty(folder: string): Promise<void> {
  const names = await namesIn(folder)
  if (names.length === 0) return
  throw new LiquefyError(
    'FOLDER_NOT_EMPTY',
    `${folder} holds ${names[0]} already: name a folder that is empty or is not there yet.`,
  )
}

async function readManifest(folder: string): Promise<BackupManifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => undefined)
  if (text === undefined) {
    throw new LiquefyError(
      'BACKUP_INCOMPLETE',
      `${folder} has no ${MANIFEST}: it is no backup, or one that was cut short. Take another.`,
    )
  }
  const manifest = JSON.parse(text) as BackupManifest
  if (manifest.format === 1) return manifest
  throw new LiquefyError(
    'BACKUP_OTHER_VERSION',
    `${folder} has format ${manifest.format}, which this version does not know. Restore it with the version that made it.`,
  )
}

async function verifyFile(
  folder: string,
  { path, bytes, sha256 }: BackupManifest['files'][number],
): Promise<void> {
  const found = await digestOf(join(folder, path)).catch(() => undefined)
  if (found?.bytes === bytes && found.sha256 === sha256) return
  throw new LiquefyError(
    found ? 'BACKUP_CHANGED' : 'BACKUP_INCOMPLETE',
    `${path} of the backup in ${folder} is ${found ? 'not what was written' : 'missing'}. Use another backup.`,
  )
}

/** Only whole lines: the last one may be under way. False if there is no journal. */
async function copyJournal(source: string, target: string): Promise<boolean> {
  const bytes = await readFile(source).catch(() => undefined)
  if (bytes === undefined) return false
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  await writeSynced(target, bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1))
  return true
}

async function copyIfThere(source: string, target: string): Promise<void> {
  const there = await stat(source).catch(() => undefined)
  if (!there?.isFile()) return
  await mkdir(dirname(target), { recursive: true, mode: 0o700 })
  await copyFile(source, target)
}

/** Syncs the file too: what the manifest names is on the disk. */
async function digestOf(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  const file = await open(path, 'r')
  try {
    await file.sync()
    return { bytes: (await file.stat()).size, sha256: hash.digest('hex') }
  } finally {
    await file.close()
  }
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}
