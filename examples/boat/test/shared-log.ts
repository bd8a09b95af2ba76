import { existsSync } from 'node:fs'
import { LOG_PATH } from '../logbook.ts'

let isSaid = false

/** Whether the real log is at hand. Where it is absent, this says so; CI fails. */
export function hasLog(): boolean {
  if (existsSync(LOG_PATH)) return true
  const message = `The boat's log is not at ${LOG_PATH}: set LIQUEFY_SHARED.`
  if (process.env.CI) throw new Error(message)
  if (!isSaid) process.stderr.write(`${message}\n`)
  isSaid = true
  return false
}
