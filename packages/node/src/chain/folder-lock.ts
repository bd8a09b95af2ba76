import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'
import { processMark } from './process-mark.ts'

/** Another process works on the folder. */
class FolderInUseError extends LiquefyError {
  constructor(folder: string, pid: number) {
    super(
      'DATA_FOLDER_IN_USE',
      `Process ${pid} already runs the chain of ${folder}. Stop it, or choose another --data-dir.`,
    )
    this.name = 'FolderInUseError'
  }
}

interface Owner {
  pid: number
  mark: string
}

async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner
  } catch {
    return undefined
  }
}

/**
 * Takes the folder for this process; the answer gives it back. The lock of a process that was killed is void.
 * Throws {@link FolderInUseError}.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'node.pid')
  const owner = await readOwner(path)
  if (owner && processMark(owner.pid) === owner.mark) throw new FolderInUseError(folder, owner.pid)
  await rm(path, { force: true })
  const mine: Owner = { pid: process.pid, mark: processMark(process.pid) ?? '' }
  // Of two that start at once, one makes the file.
  const file = await open(path, 'wx', 0o600).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
    throw new FolderInUseError(folder, (await readOwner(path))?.pid ?? 0)
  })
  await file.writeFile(JSON.stringify(mine))
  await file.close()
  return () => rm(path, { force: true })
}
