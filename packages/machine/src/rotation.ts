import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { LiquefyError, type RotationHead } from '@liquefy/protocol'
import { writeDurably } from './durable-file.ts'
import { lockFolder } from './folder-lock.ts'
import { encodeHeads } from './segment.ts'
import { closeSegments, recoverSpool, segmentPath } from './spool-recovery.ts'

/**
 * The last envelope of each stream that a folder's machine has signed: what a rotation declares as the end of the old key. What is not delivered
 * yet counts still, up to there. A stream of a machine that this one signs for is named `<machineId>/<stream>`.
 *
 * @throws LiquefyError `FOLDER_LOCKED` while the machine runs: it could sign beyond.
 */
export function streamHeads(folder: string, machineId: bigint): RotationHead[] {
  const directory = join(folder, 'spool')
  if (!existsSync(directory)) return []
  const unlock = lockFolder(folder)
  try {
    const { heads, segments } = recoverSpool(directory)
    closeSegments(segments)
    const own = `${machineId}/`
    return [...heads].map(([chain, { seq, digest }]) => ({
      stream: chain.startsWith(own) ? chain.slice(own.length) : chain,
      seq,
      digest,
    }))
  } finally {
    unlock()
  }
}

/**
 * Lets a new device of a known machine go on behind what the log has of its streams, since `seq` never restarts. Call it after the machine was
 * given a new key, when no other key can add to its streams any more. What agreements owe until then its owner settles by an audit; it meters those
 * that begin at one of these heads, or later.
 *
 * @param heads last envelope that the log has of each stream, named as in `streamHeads`.
 * @throws LiquefyError `SPOOL_EXISTS` if the folder has signed something already.
 */
export function startBehind(
  folder: string,
  machineId: bigint,
  heads: readonly RotationHead[],
): void {
  const directory = join(folder, 'spool')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (readdirSync(directory).some((name) => name.endsWith('.spool'))) {
    throw new LiquefyError(
      'SPOOL_EXISTS',
      `${directory} holds envelopes: this device knows its own heads. Use an empty folder for a new device.`,
    )
  }
  const chains = heads.map(({ stream, seq, digest }) => {
    const chain = stream.includes('/') ? stream : `${machineId}/${stream}`
    return [chain, { seq, digest }] as const
  })
  writeDurably(segmentPath(directory, 1), encodeHeads(new Map(chains)))
}
