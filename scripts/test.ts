/**
 * `npm test`: builds the page, runs the TypeScript and browser suites (vitest) and the Solidity suites (Hardhat), and
 * closes with what failed and one line that counts all tests. Fails if any part fails or ran nothing.
 *
 * Two lanes run beside each other. The suites of `faults`, which mostly wait for what they broke, and then Solidity go in a lane of their own; what it says is
 * printed when the other lane has ended.
 *
 * A file with a failed test is run once more, alone: on two shared cores a deadline of a suite that starts a database, a ledger and a
 * broker may pass. What then passes is named as unsteady, what fails again has failed.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

const scratch = mkdtempSync(join(tmpdir(), 'liquefy-test-'))
/** Most of what a short process does is to compile the same modules again. */
const env = { NODE_COMPILE_CACHE: join(scratch, 'compiled'), ...process.env }

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

/** Runs one command and gives its exit code and what it printed, which `print` is told as it comes. */
const run = (command: string, args: readonly string[], print: (chunk: Buffer) => void) =>
  new Promise<{ code: number; output: string }>((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
      print(chunk)
    })
    child.stderr.on('data', print)
    child.on('close', (code) => resolve({ code: code ?? 1, output }))
  })

/** Runs vitest over the files that `args` name. */
async function runVitest(name: string, args: readonly string[], print: (chunk: Buffer) => void) {
  const reportFile = join(scratch, `${name}.json`)
  const { code } = await run(
    'npx',
    [
      'vitest',
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...args,
    ],
    print,
  )
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

const counts: Record<string, Count> = {}
const broken: string[] = []
const describe = ({ file, name, why }: Failure) => `${file}: ${name} (${why})`
const show = (chunk: Buffer) => process.stdout.write(chunk)

const built = await run('npm', ['run', 'build', '--silent', '-w', '@liquefy/web'], show)
if (built.code !== 0) broken.push('the page does not build')

/** Its output is kept: that of two lanes together nobody could read. */
async function runBeside() {
  const kept: Buffer[] = []
  const keep = (chunk: Buffer) => kept.push(chunk)
  const faults = await runVitest('faults', ['--maxWorkers=1', 'faults/test/'], keep)
  const hardhat = await run('npm', ['run', 'test', '--silent', '-w', '@liquefy/contracts'], keep)
  return { faults, hardhat, kept }
}

const [most, { faults, hardhat, kept }] = await Promise.all([
  runVitest('most', ['--exclude=faults/**'], show),
  runBeside(),
])
for (const chunk of kept) show(chunk)

const runs = [most, faults]
const failures = runs.flatMap((one) => one.failures)
const failedFiles = [...new Set(failures.map(({ file }) => file))]
const sum = (pick: (report: VitestReport) => number) =>
  runs.reduce((total, { report }) => total + pick(report), 0)
const firstFailed = sum(({ numFailedTests }) => numFailedTests)
let failed = firstFailed
let unsteady: Failure[] = []
if (failedFiles.length > 0) {
  process.stdout.write(`\nOnce more, alone: ${failedFiles.join(', ')}\n`)
  const second = await runVitest('again', ['--maxWorkers=1', ...failedFiles], show)
  failed = second.report.numFailedTests
  broken.push(...second.failures.map(describe))
  const again = new Set(second.failures.map(({ file, name }) => `${file} ${name}`))
  unsteady = failures.filter(({ file, name }) => !again.has(`${file} ${name}`))
  if (second.code !== 0 && second.failures.length === 0) broken.push('vitest')
} else if (runs.some(({ code }) => code !== 0)) {
  broken.push('vitest')
}
if (faults.report.numPassedTests === 0) broken.push('faults: ran nothing')
counts['TypeScript and browser'] = {
  passed: sum(({ numPassedTests }) => numPassedTests) + firstFailed - failed,
  failed,
  skipped: sum(({ numPendingTests, numTodoTests }) => numPendingTests + numTodoTests),
}

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
