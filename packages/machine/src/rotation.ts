import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { RotationHead } from '@liquefy/protocol'
import { lockFolder } from './folder-lock.ts'
import { recoverSpool } from './spool-recovery.ts'

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
    const own = `${machineId}/`
    return [...recoverSpool(directory).heads].map(([chain, { seq, digest }]) => ({
      stream: chain.startsWith(own) ? chain.slice(own.length) : chain,
      seq,
      digest,
    }))
  } finally {
    unlock()
  }
}
