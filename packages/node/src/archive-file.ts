import { createHash } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import {
  decodeEnvelope,
  type Envelope,
  type Hex,
  LiquefyError,
  leafData,
  leafHash,
  verifyInclusion,
} from '@liquefy/protocol'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { ByteWriter, type ColumnSource, parquetWrite } from 'hyparquet-writer'
import { spanOf } from './store/envelopes.ts'

/** Where the envelopes of a file were logged, and the anchor that their proofs lead to. */
export interface ArchiveOrigin {
  chainId: number
  registry: Hex
  evidenceAnchor: Hex
  /** Account that signs and anchors the log. */
  log: Hex
  size: bigint
  root: Hex
}

/** An archived envelope. Times in ms since 1970. */
export interface ArchivedEnvelope {
  logIndex: bigint
  loggedAt: number
  /** Admission. */
  code: string
  digest: Hex
  machineId: bigint
  stream: string
  seq: bigint
  signerId: bigint
  kid: Hex
  prev: Hex
  iat: number
  firstMs: number
  lastMs: number
  readings: number
  raw: Uint8Array
  /** From its leaf to the anchored root, lowest sibling first. */
  proof: Hex[]
}

/** What is in one file. */
export interface Archive {
  origin: ArchiveOrigin
  envelopes: ArchivedEnvelope[]
}

const HASH_DIGITS = 64
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const META_KEY = 'liquefy'

const hexOf = (bytes: Uint8Array): Hex =>
  `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`
const bytesOf = (hex: Hex): Uint8Array => Buffer.from(hex.slice(2), 'hex')

/** A column: its Parquet type, and how a field goes into it and comes back. */
interface Column<Value> {
  name: string
  type: NonNullable<ColumnSource['type']>
  write(value: Value): unknown
  read(cell: unknown): Value
}

const ofBytes = (cell: unknown): Uint8Array => {
  if (cell instanceof Uint8Array) return cell
  throw new TypeError('bytes were expected')
}
const ofBigInt = (cell: unknown): bigint => {
  if (typeof cell === 'bigint' && cell >= 0n) return cell
  throw new TypeError('an integer was expected')
}
const ofText = (cell: unknown): string => {
  if (typeof cell === 'string') return cell
  throw new TypeError('text was expected')
}

const int64 = (name: string): Column<bigint> => ({
  name,
  type: 'INT64',
  write: (value) => value,
  read: ofBigInt,
})
const count = (name: string): Column<number> => ({
  name,
  type: 'INT64',
  write: BigInt,
  read(cell) {
    const value = ofBigInt(cell)
    if (value > MAX_SAFE) throw new TypeError('a smaller integer was expected')
    return Number(value)
  },
})
/** 256 bits wide: no integer of Parquet holds them. */
const digits = (name: string): Column<bigint> => ({
  name,
  type: 'STRING',
  write: String,
  read: (cell) => BigInt(ofText(cell)),
})
const text = (name: string): Column<string> => ({
  name,
  type: 'STRING',
  write: (value) => value,
  read: ofText,
})
const hex = (name: string): Column<Hex> => ({
  name,
  type: 'BYTE_ARRAY',
  write: bytesOf,
  read: (cell) => hexOf(ofBytes(cell)),
})

const COLUMNS: { [Field in keyof ArchivedEnvelope]: Column<ArchivedEnvelope[Field]> } = {
  logIndex: int64('log_index'),
  loggedAt: count('logged_at'),
  code: text('code'),
  digest: hex('digest'),
  machineId: digits('machine_id'),
  stream: text('stream'),
  seq: int64('seq'),
  signerId: digits('signer_id'),
  kid: hex('kid'),
  prev: hex('prev'),
  iat: count('iat'),
  firstMs: count('first_ms'),
  lastMs: count('last_ms'),
  readings: count('readings'),
  raw: { name: 'raw', type: 'BYTE_ARRAY', write: (value) => value, read: ofBytes },
  proof: {
    name: 'proof',
    type: 'BYTE_ARRAY',
    write: (value) => bytesOf(`0x${value.map((hash) => hash.slice(2)).join('')}`),
    read(cell) {
      const all = hexOf(ofBytes(cell)).slice(2)
      if (all.length % HASH_DIGITS !== 0) throw new TypeError('whole hashes were expected')
      return Array.from(
        { length: all.length / HASH_DIGITS },
        (_, at): Hex => `0x${all.slice(at * HASH_DIGITS, (at + 1) * HASH_DIGITS)}`,
      )
    },
  },
}
const FIELDS = Object.keys(COLUMNS) as (keyof ArchivedEnvelope)[]

/** A file of an archive is not what was written. */
export class ArchiveChangedError extends LiquefyError {
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(
      'ARCHIVE_CHANGED',
      `${basename(path)} is not what was archived: ${reason}. Take it from another copy of the archive.`,
      options,
    )
  }
}

/** Writes one file, synced, under a name that says it is not finished; answers its path. `publishArchive` gives it its name. */
export async function writeDraft(path: string, { origin, envelopes }: Archive): Promise<string> {
  const columnData = FIELDS.map((field) => columnOf(field, envelopes))
  const writer = new ByteWriter()
  const meta = { version: 1, ...origin, size: String(origin.size) }
  await parquetWrite({
    writer,
    columnData,
    kvMetadata: [{ key: META_KEY, value: JSON.stringify(meta) }],
    createdBy: 'liquefy',
  })
  await writeSynced(`${path}.part`, writer.getBytes())
  return `${path}.part`
}

function columnOf<Field extends keyof ArchivedEnvelope>(
  field: Field,
  envelopes: readonly ArchivedEnvelope[],
): ColumnSource {
  const { name, type, write } = COLUMNS[field]
  const data = envelopes.map((envelope) => write(envelope[field]))
  return { name, type, nullable: false, data }
}

/** Gives a draft its name, with its SHA-256 beside it in a file that `sha256sum -c` reads. */
export async function publishArchive(draft: string, path: string): Promise<void> {
  const sum = createHash('sha256')
    .update(await readFile(draft))
    .digest('hex')
  await writeSynced(sumPath(path), `${sum}  ${basename(path)}\n`)
  await rename(draft, path)
  await syncPath(dirname(path))
}

/** Whether a file has the SHA-256 that stands beside it. False without one. */
export async function hasItsSum(path: string): Promise<boolean> {
  const line = await readFile(sumPath(path), 'utf8').catch(() => '')
  const sum = createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
  return line === `${sum}  ${basename(path)}\n`
}

/** Reads one file. @throws ArchiveChangedError if it is none, or has cells that cannot be. */
export async function readArchive(path: string): Promise<Archive> {
  try {
    const bytes = await readFile(path)
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
    const metadata = parquetMetadata(file)
    const meta = metadata.key_value_metadata?.find(({ key }) => key === META_KEY)?.value
    const rows = await parquetReadObjects({ file, metadata, utf8: false })
    return { origin: readOrigin(meta), envelopes: rows.map(readRow) }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ArchiveChangedError(path, reason, { cause })
  }
}

function readOrigin(text: string | undefined): ArchiveOrigin {
  const meta = JSON.parse(text ?? 'null') as Record<string, unknown> | null
  if (meta?.version !== 1) throw new TypeError('it has no origin of version 1')
  const { chainId, registry, evidenceAnchor, log, size, root } = meta
  return {
    chainId: Number(chainId),
    registry: ofText(registry) as Hex,
    evidenceAnchor: ofText(evidenceAnchor) as Hex,
    log: ofText(log) as Hex,
    size: BigInt(ofText(size)),
    root: ofText(root) as Hex,
  }
}

function readRow(cells: Record<string, unknown>): ArchivedEnvelope {
  const fields = FIELDS.map((field) => {
    const { name, read } = COLUMNS[field]
    return [field, read(cells[name])] as const
  })
  // The mapped type of the columns has one reader for each field.
  return Object.fromEntries(fields) as unknown as ArchivedEnvelope
}

/** What is to be said of an archived envelope. */
export type CheckedEnvelope = { ok: true; envelope: Envelope } | { ok: false; flaw: string }

/**
 * Whether its columns follow from its bytes and its leaf is under the root. The signature is no part of the leaf: who wants to rely on it verifies it.
 */
export function checkArchived(
  row: ArchivedEnvelope,
  { size, root }: ArchiveOrigin,
): CheckedEnvelope {
  const decoded = decodeEnvelope(row.raw)
  if (!decoded.ok) return { ok: false, flaw: `its bytes cannot be read: ${decoded.message}` }
  const { envelope } = decoded
  const { digest, machineId, stream, seq, kid, prev, iat } = envelope
  const signerId = envelope.iss.machineId
  const said = { digest, machineId, stream, seq, signerId, kid, prev, iat, ...spanOf(envelope) }
  const wrong = (Object.keys(said) as (keyof typeof said)[]).find(
    (field) => said[field] !== row[field],
  )
  if (wrong !== undefined) {
    return { ok: false, flaw: `its ${COLUMNS[wrong].name} is not that of its bytes` }
  }
  const { logIndex: index, loggedAt, code, proof } = row
  const leaf = leafHash(leafData(digest, loggedAt, code))
  if (verifyInclusion({ leafHash: leaf, index, size, proof, root })) return { ok: true, envelope }
  return { ok: false, flaw: 'the log does not hold it at this place, with this time and code' }
}

/** Where the SHA-256 of a file stands. */
export function sumPath(path: string): string {
  return `${path}.sha256`
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
