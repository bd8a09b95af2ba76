import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { LiquefyError } from '@liquefy/protocol'
import type { Hex } from 'viem'

/** One block as it was decided: what is on disk is what the chain is. Times in seconds. */
export interface JournalBlock {
  number: number
  timestamp: number
  transactions: Hex[]
}

/** A place in the journal: so many blocks, so many bytes, and the SHA-256 of those bytes. */
export interface JournalPosition {
  number: number
  bytes: number
  sha256: string
}

/** Write-ahead journal of the embedded chain, one JSON line a block (docs/protocol/chain.md). */
export interface Journal {
  /** Bytes of a torn last line that were cut off when the journal was opened; 0: none. */
  readonly cutBytes: number
  position(): JournalPosition
  /** Timestamp of the last block in seconds; undefined when there is none. */
  lastTimestamp(): number | undefined
  /** Returns when the block is on disk. A failed append leaves the journal as it was. */
  append(block: JournalBlock): Promise<void>
  /** The blocks behind `bytes`, in order. */
  blocksFrom(bytes: number): AsyncGenerator<JournalBlock>
  /** True if the journal begins with exactly that prefix. */
  hasPrefix(position: JournalPosition): Promise<boolean>
  close(): Promise<void>
}

class JournalError extends LiquefyError {
  constructor(message: string, options?: ErrorOptions) {
    super('JOURNAL_BROKEN', message, options)
    this.name = 'JournalError'
  }
}

const HEX = /^0x(?:[0-9a-f]{2})+$/

function parseLine(line: string): JournalBlock | undefined {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null) return undefined
  const { number, timestamp, transactions } = json as Record<string, unknown>
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(timestamp)) return undefined
  if (!Array.isArray(transactions) || transactions.length === 0) return undefined
  if (!transactions.every((raw) => typeof raw === 'string' && HEX.test(raw))) return undefined
  return json as JournalBlock
}

async function* linesOf(path: string, start: number, end: number): AsyncGenerator<string> {
  if (end <= start) return
  const input = createReadStream(path, { start, end: end - 1, encoding: 'utf8' })
  yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
}

/** Reads every line once: what is sound, and where a torn end begins. */
async function scan(path: string, size: number) {
  const hash = createHash('sha256')
  let number = 0
  let bytes = 0
  let timestamp: number | undefined
  for await (const line of linesOf(path, 0, size)) {
    const length = Buffer.byteLength(line) + 1
    const block = parseLine(line)
    const whole = bytes + length <= size
    if (!block || !whole) {
      // Only the end can be torn: a block is synced before the next one is written.
      if (bytes + length < size) {
        throw new JournalError(
          `${path} is damaged at byte ${bytes} (block ${number + 1}), with more blocks behind it. ` +
            'Restore the file from a backup; the chain cannot be told without it.',
        )
      }
      return { hash, number, bytes, timestamp }
    }
    if (block.number !== number + 1 || block.timestamp <= (timestamp ?? 0)) {
      throw new JournalError(
        `${path}: block ${block.number} at byte ${bytes} does not follow block ${number}.`,
      )
    }
    hash.update(`${line}\n`)
    number = block.number
    timestamp = block.timestamp
    bytes += length
  }
  return { hash, number, bytes, timestamp }
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open a folder; there the file's own sync must do.
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Opens or creates the journal at `path`. A torn last line is a block that nobody was told of: it is cut off and
 * counted in `cutBytes`. Damage before the end throws {@link JournalError}.
 */
export async function openJournal(path: string, folder: string): Promise<Journal> {
  const file: FileHandle = await open(path, 'a+', 0o600)
  const { size } = await file.stat()
  const scanned = await scan(path, size).catch(async (error) => {
    await file.close()
    throw error
  })
  const { hash } = scanned
  let { number, bytes, timestamp } = scanned
  if (bytes < size) {
    await file.truncate(bytes)
    await file.sync()
  }
  await syncFolder(folder)

  return {
    cutBytes: size - bytes,
    position: () => ({ number, bytes, sha256: hash.copy().digest('hex') }),
    lastTimestamp: () => timestamp,
    async append(block) {
      if (block.number !== number + 1) {
        throw new JournalError(`Block ${block.number} does not follow block ${number}.`)
      }
      const line = `${JSON.stringify(block)}\n`
      try {
        await file.appendFile(line)
        await file.datasync()
      } catch (error) {
        await file.truncate(bytes)
        throw new JournalError('The block could not be written to the journal. Is the disk full?', {
          cause: error,
        })
      }
      hash.update(line)
      number = block.number
      timestamp = block.timestamp
      bytes += Buffer.byteLength(line)
    },
    async *blocksFrom(from) {
      for await (const line of linesOf(path, from, bytes)) {
        const block = parseLine(line)
        if (!block) throw new JournalError(`${path} changed while it was in use.`)
        yield block
      }
    },
    async hasPrefix(position) {
      if (position.bytes > bytes) return false
      const prefix = createHash('sha256')
      if (position.bytes > 0) {
        const input = createReadStream(path, { start: 0, end: position.bytes - 1 })
        for await (const chunk of input) prefix.update(chunk)
      }
      return prefix.digest('hex') === position.sha256
    },
    close: () => file.close(),
  }
}
