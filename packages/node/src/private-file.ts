import { statSync } from 'node:fs'
import { LiquefyError } from '@liquefy/protocol'

const OTHERS = 0o077
/** A file of root's may be lent to a group, as system certificates are (`ssl-cert`). */
const OTHERS_THAN_GROUP = 0o037

/**
 * Refuses a file with a key that others on this computer can read, by the rule that PostgreSQL has for its own: mode 0600 or
 * less, or 0640 if it is root's.
 *
 * @throws LiquefyError `KEY_FILE_EXPOSED` that names the command which closes it.
 */
export function refuseExposed(path: string): void {
  // Windows has no such bits.
  if (process.platform === 'win32') return
  const { mode, uid } = statSync(path)
  const isLent = uid === 0 && process.getuid?.() !== 0
  if ((mode & (isLent ? OTHERS_THAN_GROUP : OTHERS)) === 0) return
  throw new LiquefyError(
    'KEY_FILE_EXPOSED',
    `Others can read ${path} (mode ${(mode & 0o777).toString(8)}), which holds a key. Close it: chmod 600 ${path}`,
  )
}
