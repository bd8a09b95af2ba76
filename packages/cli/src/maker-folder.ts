import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { emptyBits, issueStatusList, readStatusList, type StatusEntry } from '@liquefy/credential'
import { hasKey, loadKey } from '@liquefy/machine'
import { LiquefyError, type SigningKey } from '@liquefy/protocol'
import { writeWhole } from './document-file.ts'
import { CliError } from './failure.ts'
import { machinePassphrase, machinePin } from './machine-secrets.ts'

/** What a maker's folder remembers of its status list, beside the list itself. */
interface Register {
  id: string
  /** The next place that no credential has. */
  next: number
}

const DAY_MS = 86_400_000
const registerFile = (folder: string) => join(folder, 'status-register.json')
/** Where a maker's newest status list is. */
export const statusListFile = (folder: string) => join(folder, 'status-list.jwt')

/** The key that a maker issues with. @throws CliError `KEY_MISSING` */
export function makerKey(folder: string): SigningKey {
  if (hasKey(folder)) return loadKey(folder, machinePassphrase(), machinePin())
  throw new CliError(
    'KEY_MISSING',
    `${folder} holds no key. Make the maker’s: liquefy machine keygen ${folder}`,
  )
}

/** A place in the maker's status list for one more credential; kept before it is used, so that no two have the same. */
export function takeStatusEntry(folder: string): StatusEntry {
  const { id, next } = readRegister(folder) ?? { id: `urn:uuid:${randomUUID()}`, next: 0 }
  const places = emptyBits().length * 8
  if (next >= places) {
    throw new CliError(
      'STATUS_LIST_FULL',
      `The list of ${folder} has its ${places} places taken: issue from another folder with the same key.`,
    )
  }
  writeWhole(registerFile(folder), `${JSON.stringify({ id, next: next + 1 })}\n`)
  return { list: id, index: next }
}

/** Issues the maker's status list anew with what `change` makes of its bits, good for some days, and keeps it in the folder. */
export async function renewStatusList(
  folder: string,
  key: SigningKey,
  days: number,
  change: (bits: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> = (bits) => bits,
): Promise<{ id: string; jwt: string; validUntilMs: number }> {
  const register = readRegister(folder)
  if (!register) {
    throw new CliError(
      'STATUS_LIST_UNKNOWN',
      `${folder} has issued no credential yet: liquefy credential issue ${folder}`,
    )
  }
  const { id } = register
  const before = await newestList(folder)
  // Lists of one name have an order, whatever the clock says: a newer one counts.
  const validFromMs = Math.max(Date.now(), (before?.validFromMs ?? 0) + 1_000)
  const validUntilMs = validFromMs + days * DAY_MS
  const bits = change(before?.bits ?? emptyBits())
  const jwt = await issueStatusList(key, { id, validFromMs, validUntilMs, bits })
  writeWhole(statusListFile(folder), `${jwt}\n`)
  return { id, jwt, validUntilMs }
}

async function newestList(folder: string) {
  const path = statusListFile(folder)
  if (!existsSync(path)) return undefined
  const read = await readStatusList(readFileSync(path, 'utf8').trim())
  if (read.ok) return read.list
  // Starting from an empty one would take back all that was revoked.
  throw new LiquefyError(read.code, `${path} is no status list any more. ${read.message}`)
}

function readRegister(folder: string): Register | undefined {
  const path = registerFile(folder)
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Register) : undefined
}
