/**
 * `npm test`: builds the page, runs the TypeScript and browser suites (vitest) and the Solidity suites (Hardhat), and
 * closes with what failed and one line that counts all tests. Fails if any part fails or ran nothing.
 *
 * A file with a failed test is run once more, alone: on two shared cores a deadline of a suite that starts a database, a ledger and a
 * broker may pass. What then passes is named as unsteady, what fails again has failed.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

interface Count {
  passed: number
  failed: number
  skipped: number
}

/** What of vitest's JSON report is read here. */
interface VitestReport {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
  testResults: {
    name: string
    status: string
    message: string
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[]
  }[]
}

interface Failure {
  file: string
  name: string
  why: string
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

/** Runs vitest over all files, or over those named. */
async function runVitest(reportFile: string, args: readonly string[]) {
  const { code } = await run('npx', [
    'vitest',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...args,
  ])
  const report = JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport
  return { code, report, failures: failuresOf(report) }
}

function failuresOf(report: VitestReport): Failure[] {
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name)
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length === 0 && status === 'failed') {
      return [{ file, name: 'the file itself', why: firstLine(message) }]
    }
    return failed.map(({ fullName, failureMessages }) => ({
      file,
      name: fullName,
      why: firstLine(failureMessages[0]),
    }))
  })
}

function firstLine(text = 'no reason given'): string {
  return text.split('\n', 1)[0]?.slice(0, 200) ?? ''
}

const scratch = mkdtempSync(join(tmpdir(), 'liquefy-test-'))
const counts: Record<string, Count> = {}
const broken: string[] = []
const describe = ({ file, name, why }: Failure) => `${file}: ${name} (${why})`

const built = await run('npm', ['run', 'build', '--silent', '-w', '@liquefy/web'])
if (built.code !== 0) broken.push('the page does not build')

const first = await runVitest(join(scratch, 'vitest.json'), [])
const failedFiles = [...new Set(first.failures.map(({ file }) => file))]
let failed = first.report.numFailedTests
let unsteady: Failure[] = []
if (failedFiles.length > 0) {
  process.stdout.write(`\nOnce more, alone: ${failedFiles.join(', ')}\n`)
  const args = ['--maxWorkers=1', ...failedFiles]
  const second = await runVitest(join(scratch, 'again.json'), args)
  failed = second.report.numFailedTests
  broken.push(...second.failures.map(describe))
  const again = new Set(second.failures.map(({ file, name }) => `${file} ${name}`))
  unsteady = first.failures.filter(({ file, name }) => !again.has(`${file} ${name}`))
  if (second.code !== 0 && second.failures.length === 0) broken.push('vitest')
} else if (first.code !== 0) {
  broken.push('vitest')
}
counts['TypeScript and browser'] = {
  passed: first.report.numPassedTests + first.report.numFailedTests - failed,
  failed,
  skipped: first.report.numPendingTests + first.report.numTodoTests,
}

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
for (const failure of unsteady) process.stdout.write(`UNSTEADY: ${describe(failure)}\n`)
for (const what of broken) process.stdout.write(`FAILED: ${what}\n`)
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exitCode = broken.length === 0 && total.failed === 0 ? 0 : 1
