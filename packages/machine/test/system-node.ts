import { execFile } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A Node.js from 20 to 23 that this computer has, other than the one that the project brings. */
export async function findSystemNode(): Promise<{ path: string; version: string } | undefined> {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
  for (const folder of folders.filter((name) => name && !name.includes('node_modules'))) {
    const path = join(folder, 'node')
    const version = await run(path, ['--version']).then(
      ({ stdout }) => stdout.trim(),
      () => '',
    )
    const major = Number(/^v(\d+)\./.exec(version)?.[1])
    if (major >= 20 && major < 24) return { path, version }
  }
  return undefined
}
