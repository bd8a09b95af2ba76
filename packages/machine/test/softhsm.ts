import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'vitest'

const UTIL = 'softhsm2-util'
/** Where Debian, Fedora and Homebrew put it. */
const MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
]

/** The PKCS#11 module of SoftHSM; empty if there is none. */
export const MODULE = process.env.SOFTHSM2_MODULE ?? MODULES.find((path) => existsSync(path)) ?? ''

/** Whether a token can be had here: SoftHSM, and the binding that `npm ci` builds. */
export const hasSoftHsm = MODULE !== '' && spawnSync(UTIL, ['--version']).status === 0 && isBuilt()

/** Says plainly that what needs a token is not tested here; fails in CI, which must have it. */
export function sayIfNoSoftHsm(what: string): void {
  if (hasSoftHsm) return
  const missing = isBuilt()
    ? 'SoftHSM (apt-get install softhsm2)'
    : 'pkcs11js, which npm ci builds with a C++ compiler'
  test(what, (context) => {
    if (process.env.CI) throw new Error(`Install ${missing}: CI must test ${what}.`)
    context.skip(`without ${missing}: ${what} is not tested here`)
  })
}

/**
 * Points SoftHSM, in this process and its children, to an empty folder of its own. Call it before any key is opened.
 *
 * @param mechanisms what its tokens can do, as softhsm2.conf says it.
 */
export function useTokens(folder: string, mechanisms = 'ALL'): void {
  const tokens = join(folder, 'tokens')
  mkdirSync(tokens, { recursive: true })
  const settings = join(folder, 'softhsm2.conf')
  writeFileSync(
    settings,
    `directories.tokendir = ${tokens}\nlog.level = ERROR\nslots.mechanisms = ${mechanisms}\n`,
  )
  process.env.SOFTHSM2_CONF = settings
}

/** Makes a token whose user has the PIN, as its security officer does. */
export function makeToken(label: string, pin: string): void {
  const args = ['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', '12345678']
  const { status, stderr } = spawnSync(UTIL, args)
  if (status !== 0) throw new Error(`softhsm2-util: ${stderr}`)
}

function isBuilt(): boolean {
  try {
    createRequire(import.meta.url)('pkcs11js')
    return true
  } catch {
    return false
  }
}
