/**
 * `npm test`: builds the page, runs the TypeScript and browser suites (vitest) and the Solidity suites (Hardhat), and
 * closes with one line that counts them all. Fails if any part fails or ran nothing.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Count {
  passed: number
  failed: number
  skipped: number
}

/** Runs one command in the foreground and gives its exit code and what it printed. */
const run = (command: string, args: string[]) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
      process.stdout.write(chunk)
    })
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })

const scratch = mkdtempSync(join(tmpdir(), 'liquefy-test-'))
const reportFile = join(scratch, 'vitest.json')
const counts: Record<string, Count> = {}
const broken: string[] = []

const built = await run('npm', ['run', 'build', '--silent', '-w', '@liquefy/web'])
if (built.code !== 0) broken.push('the page does not build')

const vitest = await run('npx', [
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${reportFile}`,
])
const report = JSON.parse(readFileSync(reportFile, 'utf8'))
counts['TypeScript and browser'] = {
  passed: report.numPassedTests,
  failed: report.numFailedTests,
  skipped: report.numPendingTests + report.numTodoTests,
}
if (vitest.code !== 0) broken.push('vitest')

const hardhat = await run('npm', ['run', 'test', '--silent', '-w', '@liquefy/contracts'])
const lastCount = (word: string) =>
  Number([...hardhat.output.matchAll(new RegExp(`(\\d+) ${word}`, 'g'))].at(-1)?.[1] ?? 0)
counts.Solidity = {
  passed: lastCount('passing'),
  failed: lastCount('failing'),
  skipped: lastCount('skipped'),
}
if (hardhat.code !== 0) broken.push('hardhat')

rmSync(scratch, { recursive: true, force: true })

const total: Count = { passed: 0, failed: 0, skipped: 0 }
process.stdout.write('\n')
for (const [suite, count] of Object.entries(counts)) {
  if (count.passed === 0) broken.push(`${suite}: ran nothing`)
  total.passed += count.passed
  total.failed += count.failed
  total.skipped += count.skipped
  process.stdout.write(
    `${suite}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`,
  )
}
for (const what of broken) process.stdout.write(`FAILED: ${what}\n`)
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exitCode = broken.length === 0 && total.failed === 0 ? 0 : 1
