/**
 * `npm run check`: all that is proven without running a node. Two lanes run beside each other: the contracts, whose compilation takes longest, and
 * everything else, one check after the other. What a lane says is printed as a whole; every check runs, and one that fails fails the command.
 */
import { spawn } from 'node:child_process'

const LANES = [
  [
    ['format', 'npm run --silent check:format'],
    ['types', 'npm run --silent check:types'],
    ['promises', 'npm run --silent check:promises'],
    ['arrows', 'npm run --silent check:arrows'],
    ['unused', 'npm run --silent check:unused'],
  ],
  [
    ['contracts', 'npm run --silent check -w @liquefy/contracts'],
    ['gas', 'npm run --silent gas:check -w @liquefy/contracts'],
  ],
] as const

const failed: string[] = []

/** Runs one check and prints all it said when it has ended. */
function check(name: string, command: string): Promise<void> {
  const startedMs = performance.now()
  return new Promise((resolve) => {
    const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const said: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    child.on('close', (code) => {
      if (code !== 0) failed.push(name)
      const seconds = Math.round((performance.now() - startedMs) / 1000)
      process.stdout.write(`${code === 0 ? 'ok' : 'FAILED'}: ${name}, ${seconds} s\n`)
      process.stdout.write(Buffer.concat(said))
      resolve()
    })
  })
}

await Promise.all(
  LANES.map(async (lane) => {
    for (const [name, command] of lane) await check(name, command)
  }),
)
for (const name of failed) process.stdout.write(`FAILED: ${name}\n`)
process.exitCode = failed.length === 0 ? 0 : 1
