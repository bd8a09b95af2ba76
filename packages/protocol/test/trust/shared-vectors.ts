import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const shared =
  process.env.LIQUEFY_SHARED ?? join(import.meta.dirname, '..', '..', '..', '..', '..', 'shared')

/**
 * A folder of third-party vectors, or undefined, said plainly, if they are not on this machine. In CI they must be.
 */
export function vectorsFolder(name: string): string | undefined {
  const folder = join(shared, 'vectors', name)
  if (existsSync(folder)) return folder
  const message = `third-party vectors ${name} are absent: set LIQUEFY_SHARED`
  if (process.env.CI) throw new Error(message)
  console.warn(message)
  return undefined
}

export function readVector<T>(folder: string, file: string): T {
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as T
}

export function listVectors(folder: string, pattern: RegExp): string[] {
  return readdirSync(folder)
    .filter((file) => pattern.test(file))
    .sort()
}
