import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import chromium from '@sparticuz/chromium'

/**
 * Chromium from npm, unpacked once for each version, or the one that `CHROMIUM_PATH` names.
 *
 * Its package unpacks in place and takes any file of the right name for whole, so that of two test files which start together the second would
 * run half a browser: it is unpacked aside here, and moved when it is there.
 */
export const chromiumPath = async (): Promise<string> => {
  const given = process.env.CHROMIUM_PATH
  if (given !== undefined) return given
  const kept = join(tmpdir(), `liquefy-chromium-${versionOf('@sparticuz/chromium')}`)
  const path = join(kept, 'chromium')
  if (existsSync(path)) return path
  const aside = mkdtempSync(join(tmpdir(), 'liquefy-chromium-'))
  const before = process.env.TMPDIR
  process.env.TMPDIR = aside
  try {
    await chromium.executablePath()
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
  try {
    renameSync(aside, kept)
  } catch (error) {
    rmSync(aside, { recursive: true })
    // Another test file was faster.
    if (!existsSync(path)) throw error
  }
  return path
}

const versionOf = (name: string): string => {
  const manifest = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')
  const version: unknown = JSON.parse(manifest).devDependencies[name]
  if (typeof version === 'string') return version
  throw new TypeError(`apps/web does not depend on ${name}`)
}
