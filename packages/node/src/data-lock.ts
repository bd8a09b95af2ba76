import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'
import { processMark } from './chain/process-mark.ts'

/** Another node runs on the data folder. */
export class DataFolderInUseError extends LiquefyError {
  constructor(folder: string, pid: number) {
    super(
      'DATA_FOLDER_IN_USE',
      `Another node (process ${pid}) runs on ${folder}. Stop it, or give this one another folder with --data-dir or LIQUEFY_DATA_DIR.`,
    )
  }
}

/**
 * Makes this process the only node on a data folder. A lock whose process is gone (kill -9, power cut) is taken over.
 *
 * @returns what gives the folder free.
 * @throws DataFolderInUseError.
 */
export function lockDataFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'node.lock')
  const mine = `${process.pid} ${processMark(process.pid) ?? ''}`
  if (!tryWrite(path, mine)) {
    const holder = readFileSync(path, 'utf8')
    const pid = Number(holder.split(' ')[0])
    if (holder === `${pid} ${processMark(pid)}`) throw new DataFolderInUseError(folder, pid)
    rmSync(path, { force: true })
    if (!tryWrite(path, mine)) throw new DataFolderInUseError(folder, pid)
  }
  return () => rmSync(path, { force: true })
}

function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
