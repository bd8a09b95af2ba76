/**
 * `npm run bench [-- <name> …]`: runs the benchmarks named, or all, prints their figures and writes them to
 * `bench/results.json`. What was not run keeps its last figures there.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { benchAudit } from './audit/audit.ts'
import { benchChart } from './chart/chart.ts'
import { benchGas } from './gas/gas.ts'
import { benchIngest } from './ingest/ingest.ts'
import { benchMemory } from './ingest/memory.ts'
import { benchLatency } from './latency/latency.ts'
import { benchOverload } from './overload/overload.ts'
import { benchOverview } from './overview/overview.ts'
import { benchScale } from './scale/scale.ts'

type Figures = Record<string, number>

const BENCHMARKS: Record<string, (say: (line: string) => void) => Promise<Figures>> = {
  gas: benchGas,
  audit: benchAudit,
  chart: benchChart,
  ingest: benchIngest,
  latency: benchLatency,
  memory: benchMemory,
  overload: benchOverload,
  overview: benchOverview,
  scale: benchScale,
}
const FILE = join(import.meta.dirname, 'results.json')
const BAR_WIDTH = 40

const asked = process.argv.slice(2)
const unknown = asked.find((name) => !(name in BENCHMARKS))
if (unknown !== undefined) {
  process.stderr.write(
    `There is no benchmark "${unknown}". There is: ${Object.keys(BENCHMARKS).join(', ')}.\n`,
  )
  process.exit(2)
}

const results = existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : {}
for (const [name, run] of Object.entries(BENCHMARKS)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  const startedMs = performance.now()
  const figures = await run((line) => process.stderr.write(`${name}: ${line}\n`))
  results[name] = figures
  results[`${name}Run`] = {
    at: new Date().toISOString(),
    seconds: Math.round((performance.now() - startedMs) / 1000),
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    node: process.version,
  }
  process.stdout.write(`\n${tableOf(name, figures)}\n`)
}
writeFileSync(FILE, `${JSON.stringify(results, null, 2)}\n`)
process.exit(0)

/** Figures with bars of equal scale by power of ten, since they lie far apart. */
function tableOf(name: string, figures: Figures): string {
  const most = Math.log10(Math.max(...Object.values(figures)))
  return Object.entries(figures)
    .map(([key, value]) => {
      const bar = '█'.repeat(Math.round((BAR_WIDTH * Math.log10(Math.max(value, 1))) / most))
      return `${`${name}.${key}`.padEnd(36)}${value.toLocaleString('en').padStart(14)}  ${bar}`
    })
    .join('\n')
}
