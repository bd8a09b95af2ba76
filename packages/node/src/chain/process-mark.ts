import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Something that tells a process from a later one with the same id: the moment it started. Undefined when no such
 * process runs.
 */
export function processMark(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      // A zombie holds no port and no file.
      return fields[0] === 'Z' ? undefined : fields[19]
    }
    if (process.platform === 'win32') {
      const script = `(Get-Process -Id ${pid}).StartTime.Ticks`
      return execFileSync('powershell', ['-NoProfile', '-Command', script]).toString().trim()
    }
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)])
        .toString()
        .trim() || undefined
    )
  } catch {
    return undefined
  }
}
