#!/usr/bin/env node
// Runs under whichever Node is installed; the program itself needs Node 24, which the project brings along.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

function findNode() {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  const brought = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  let folder = dirname(main)
  for (;;) {
    const file = join(folder, 'node_modules', brought, 'bin', name)
    if (existsSync(file)) return file
    const parent = dirname(folder)
    if (parent === folder) return undefined
    folder = parent
  }
}

if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  await import(main)
} else {
  const node = findNode()
  if (!node) {
    console.error(
      `liquefy needs Node ${NEEDED}; this is ${process.version}. Run \`npm ci\` in the project, which brings it, or install it.`,
    )
    process.exit(2)
  }
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal sends its signals to the whole group; a supervisor only to us. The child gets each once more at most.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`${node} does not start: ${error.message}`)
    process.exit(2)
  })
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 0))
  })
}
