import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** A folder of vectors of others, or undefined, said plainly, if they are not on this computer. In CI they must be. */
export function sharedVectors(name: string): string | undefined {
  const shared = process.env.LIQUEFY_SHARED ?? join(import.meta.dirname, '../../../../shared')
  const folder = join(shared, 'vectors', name)
  if (existsSync(folder)) return folder
  const message = `third-party vectors ${name} are absent: set LIQUEFY_SHARED`
  if (process.env.CI) throw new Error(message)
  console.warn(message)
  return undefined
}
