import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'

/**
 * Makes this process the only one that signs from a folder: two would give one `seq` to two contents, which is
 * equivocation. A lock whose process is gone (kill -9, power cut) is taken over.
 *
 * @returns what releases it.
 * @throws LiquefyError `FOLDER_LOCKED`.
 */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'lock')
  const mine = join(folder, `lock.${process.pid}`)
  writeFileSync(mine, describeProcess(process.pid))
  try {
    if (!tryLink(mine, path)) {
      removeStale(folder, path)
      if (!tryLink(mine, path)) throw locked(folder)
    }
  } finally {
    unlinkSync(mine)
  }
  return () => unlinkSync(path)
}

function locked(folder: string): LiquefyError {
  return new LiquefyError(
    'FOLDER_LOCKED',
    `Another process signs from ${folder}. Close that machine first; one folder serves one machine.`,
  )
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function removeStale(folder: string, path: string): void {
  const seen = readIfThere(path)
  if (seen === undefined) return
  if (isAlive(seen)) throw locked(folder)
  const aside = `${path}.stale.${process.pid}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  // Between reading and renaming somebody else may have taken the folder: then it is theirs.
  const stolen = readIfThere(aside) !== seen
  if (stolen) tryLink(aside, path)
  unlinkSync(aside)
  if (stolen) throw locked(folder)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function isAlive(description: string): boolean {
  const pid = Number(description.split(' ')[0])
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return describeProcess(pid) === description
}

/** Process id and, where the system tells it, its start time: ids are given again after a restart. */
function describeProcess(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Fields 3 and 22 of proc(5); the name in field 2 may hold spaces, so count from its closing bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie is dead: it only waits for a parent that may never ask.
    return fields[0] === 'Z' ? `${pid} gone` : `${pid} ${fields[19]}`
  } catch {
    return `${pid} unknown`
  }
}
