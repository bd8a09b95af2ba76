import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where public measurements lie that are not part of the repository. */
const shared =
  process.env.LIQUEFY_SHARED ?? join(import.meta.dirname, '..', '..', '..', '..', '..', 'shared')

/** A file of public measurements, or undefined where it is not at hand. */
export function sharedFile(name: string): string | undefined {
  const path = join(shared, 'data', name)
  return existsSync(path) ? path : undefined
}
