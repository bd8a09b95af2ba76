import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { activateMachine, createClient, registerMachine } from '@liquefy/client'
import { type Hex, privateKeyFromBytes } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../src/index.ts'
import { startEmbeddedPostgres } from '../src/store/embedded-postgres.ts'
import { connectDevice } from './device.ts'

const root = join(import.meta.dirname, '../../..')
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')
const PROMTOOL = 'promtool'
const hasPromtool = spawnSync(PROMTOOL, ['--version']).error === undefined

/** Words of the query language that the files use. Any other word must be a metric. */
const WORDS = new Set(
  'sum max rate histogram_quantile predict_linear time label_values instance and or unless'.split(
    ' ',
  ),
)
/** Labels that Prometheus adds when it scrapes. */
const OF_SCRAPE = ['job', 'instance']

interface Expression {
  where: string
  text: string
}

function alerts(): { name: string; text: string }[] {
  const found = textOf('operation/prometheus-rules.yml').matchAll(/alert: (\w+)\n\s+expr: (.*)\n/g)
  return [...found].map(([, name = '', text = '']) => ({ name, text }))
}

interface Panel {
  title: string
  targets?: { expr: string }[]
}

function dashboardExpressions(): Expression[] {
  const { panels, templating } = JSON.parse(textOf('operation/grafana-dashboard.json')) as {
    panels: Panel[]
    templating: { list: { type: string; name: string; query: string }[] }
  }
  const shown = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ where: title, text: expr })),
  )
  const asked = templating.list.filter(({ type }) => type === 'query')
  return [...shown, ...asked.map(({ name, query }) => ({ where: `$${name}`, text: query }))]
}

const expressions = (): Expression[] => [
  ...alerts().map(({ name, text }) => ({ where: name, text })),
  ...dashboardExpressions(),
]

/** Metrics that an expression names with their label matchers, and labels that it groups by. */
function usesOf(text: string) {
  const groups = [...text.matchAll(/\b(?:by|on|without|ignoring) \(([^)]*)\)/g)]
  const grouped = groups.flatMap(([, labels = '']) => labels.split(',').map((one) => one.trim()))
  const rest = text
    .replaceAll(/\b(?:by|on|without|ignoring) \([^)]*\)/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
  const metrics = [...rest.matchAll(/([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})?/g)]
    .filter(([, name = '']) => !WORDS.has(name))
    .map(([, name = '', matchers = '']) => ({
      name,
      labels: [...matchers.matchAll(/(\w+)(=~?)"([^"]*)"/g)].map(
        ([, label = '', how, value = '']) => ({ label, value: how === '=' ? value : undefined }),
      ),
    }))
  return { metrics, grouped }
}

interface Exported {
  /** Values by label. */
  labels: Map<string, Set<string>>
}

/** What a scrape holds, by name of the series. */
function parseScrape(text: string): Map<string, Exported> {
  const series = new Map<string, Exported>()
  const known = (name: string) => {
    const found = series.get(name) ?? { labels: new Map<string, Set<string>>() }
    series.set(name, found)
    return found
  }
  for (const line of text.split('\n')) {
    const declared = /^# TYPE (\S+) /.exec(line)
    if (declared?.[1]) known(declared[1])
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line)
    if (!sample?.[1]) continue
    const { labels } = known(sample[1])
    for (const [, label = '', value = ''] of (sample[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)) {
      labels.set(label, (labels.get(label) ?? new Set()).add(value))
    }
  }
  return series
}

let dataDir: string
let node: RunningNode
let scrape: string
let digests: Hex[]
const key = privateKeyFromBytes('P-256', randomBytes(32))

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'liquefy-operation-'))
  const logger = pino({ level: 'silent' })
  node = await startNode({ dataDir, port: 0, mqttPort: 0, rpcPort: 0, logger })
  const [owner] = node.keys.people
  if (!owner) throw new Error('nobody is there')
  const { chain } = node.chain.publicClient
  const wallet = createWalletClient({ account: owner.account, chain, transport: http(node.rpcUrl) })
  const action = { deployment: node.deployment, publicClient: node.chain.publicClient, wallet }
  const machineId = await registerMachine({ ...action, key })
  await activateMachine({ ...action, machineId })
  await node.idle()
  const device = await connectDevice(node, machineId, key)
  for (const value of [1n, 2n, 3n]) await device.publish(value)
  await device.send(Uint8Array.of(1, 2, 3))
  await node.idle()
  await node.anchorNow()
  scrape = await (await fetch(`${node.url}/metrics`)).text()
  await device.close()
  digests = device.digests
}, 300_000)

afterAll(async () => {
  await node?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const figure = (series: string) => Number(new RegExp(`^${series} (\\S+)$`, 'm').exec(scrape)?.[1])

describe('metrics', () => {
  test('say what has just happened', () => {
    expect(figure('liquefy_frames_received_total')).toBe(4)
    expect(figure('liquefy_frames_total\\{outcome="logged"\\}')).toBe(3)
    expect(figure('liquefy_refusals_total\\{code="ENVELOPE_MALFORMED"\\}')).toBe(1)
    expect(figure('liquefy_commit_frames_sum')).toBe(4)
    expect(figure('liquefy_ingest_lag_seconds_count')).toBe(
      figure('liquefy_commit_duration_seconds_count'),
    )
    expect(figure('liquefy_inbox_bytes')).toBe(0)
    expect(figure('liquefy_log_leaves')).toBe(3)
    expect(figure('liquefy_log_anchored_leaves')).toBe(3)
    expect(figure('liquefy_anchor_age_seconds')).toBeLessThan(60)
    expect(figure('liquefy_follower_lag_blocks')).toBe(0)
    expect(figure('liquefy_follower_lag_seconds')).toBeLessThan(30)
    expect(figure('liquefy_connected_machines')).toBe(1)
    expect(figure('liquefy_database_up')).toBe(1)
    expect(figure('liquefy_money_check_ok')).toBe(1)
    // Not known is not zero: that would be an expired one.
    expect(scrape).not.toMatch(/^liquefy_tls_certificate_expiry_timestamp_seconds /m)
    expect(figure('liquefy_operator_balance_wei')).toBeGreaterThan(1e20)
    const free = figure('liquefy_disk_free_bytes')
    expect(free).toBeGreaterThan(0)
    expect(figure('liquefy_disk_size_bytes')).toBeGreaterThan(free)
    expect(figure('process_resident_memory_bytes')).toBeGreaterThan(1e7)
  })

  test('stand in the operator’s handbook, and the handbook names no other', () => {
    const handbook = textOf('docs/operation.md')
    const named = new Set([...handbook.matchAll(/`(liquefy_\w+)/g)].map(([, name]) => name))
    const exported = [...scrape.matchAll(/^# TYPE (liquefy_\w+) /gm)].map(([, name]) => name)
    expect([...named].sort()).toEqual(exported.sort())
  })
})

describe('what the operator’s page reads', () => {
  test('agrees with the metrics, and answers whoever asks', async () => {
    const ask = () => createClient({ url: node.url }).operation()
    await expect.poll(async () => (await ask()).log).not.toBeNull()
    await expect.poll(async () => (await ask()).moneyOk).toBe(true)
    const operation = await ask()
    const { frames, log, refusals, process: own, database, gas, ledger, settlement } = operation
    expect(frames).toMatchObject({ received: 4, logged: 3, refused: 1, held: 0 })
    expect(log).toMatchObject({
      runs: true,
      halted: null,
      size: '3',
      anchored: { size: '3' },
      foldLag: 0,
    })
    expect(log?.anchored?.txHash).toMatch(/^0x[0-9a-f]{64}$/)
    expect(refusals?.codes).toMatchObject([{ code: 'ENVELOPE_MALFORMED', count: 1 }])
    expect(refusals?.codes[0]?.lastMs).toBeGreaterThan(Number(refusals?.sinceMs))
    expect(own).toMatchObject({ role: 'all', connectedMachines: 0 })
    expect(own.memoryBytes).toBeGreaterThan(1e7)
    expect(database).toMatchObject({ up: true, waiting: 0 })
    const anchors = gas.spent?.find(({ kind }) => kind === 'anchor')
    expect(Number(anchors?.gas)).toBe(figure('liquefy_ledger_gas_total\\{kind="anchor"\\}'))
    expect(anchors?.transactions).toBe(1)
    expect(ledger.applied).toBe(figure('liquefy_ledger_block\\{part="applied"\\}'))
    expect(settlement).toMatchObject({ waiting: 0, givenUp: 0, oldest: [] })
    expect(operation.alerts).toEqual([])
    expect(operation.throughput.logged).toHaveLength(450)
    expect(operation.readingsPerEnvelope).toBe(1)
  })

  test('INV-24: names no machine, no agreement and no account', async () => {
    const text = await (await fetch(`${node.url}/v1/operation`)).text()
    expect(text).not.toMatch(/machineId|agreementId|0x[0-9a-f]{40}"/)
  })

  test('counts what is logged in steps of two seconds', async () => {
    const steps = async () => {
      const { throughput } = await createClient({ url: node.url }).operation()
      return throughput.logged
    }
    const sum = async () => (await steps()).reduce<number>((all, step) => all + (step ?? 0), 0)
    // Nothing more is under way.
    await expect.poll(async () => (await steps()).at(-1), { timeout: 20_000 }).toBe(0)
    const before = await sum()
    const device = await connectDevice(node, 1n, key, digests)
    for (const value of [4n, 5n]) await device.publish(value)
    await expect.poll(sum, { timeout: 20_000 }).toBe(before + 2)
    await device.close()
  })
})

test('without the database a scrape is answered all the same, says so, and leaves out what it cannot know', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'liquefy-operation-db-'))
  // As root, a database runs under an account of its own, which has to pass through.
  chmodSync(folder, 0o711)
  const logger = pino({ level: 'silent' })
  const server = await startEmbeddedPostgres({ dataDir: folder, logger })
  const databaseUrl = server.url
  const dataDir = join(folder, 'node')
  const alone = await startNode({ dataDir, port: 0, mqttPort: 0, rpcPort: 0, logger, databaseUrl })
  try {
    const read = async () => (await fetch(`${alone.url}/metrics`)).text()
    expect(await read()).toMatch(/^liquefy_log_leaves 0$/m)
    await server.stop()
    await expect.poll(read, { timeout: 60_000, interval: 500 }).toMatch(/^liquefy_database_up 0$/m)
    const begun = performance.now()
    const text = await read()
    expect(performance.now() - begun).toBeLessThan(8_000)
    expect(text).not.toMatch(/^liquefy_log_leaves /m)
    expect(text).not.toMatch(/^liquefy_outbox_intents/m)
    expect(text).toMatch(/^liquefy_inbox_frames 0$/m)
    expect(text).toMatch(/^liquefy_log_halted 0$/m)
    const asked = performance.now()
    const operation = await createClient({ url: alone.url }).operation()
    expect(performance.now() - asked).toBeLessThan(8_000)
    expect(operation).toMatchObject({ database: { up: false, bytes: null } })
    expect(operation).toMatchObject({ log: null, settlement: null, refusals: null })
    expect(operation.frames).toMatchObject({ held: 0 })
  } finally {
    await alone.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}, 180_000)

describe('rules and dashboard', () => {
  test('every metric and label in them is one that a node exports', () => {
    const exported = parseScrape(scrape)
    const verdicts = textOf('docs/protocol/verdicts.md')
    const wrong: string[] = []
    for (const { where, text } of expressions()) {
      const { metrics, grouped } = usesOf(text)
      const named = metrics.filter(({ name }) => name !== 'up')
      const labels = new Set(OF_SCRAPE)
      for (const { name, labels: matchers } of named) {
        const known = exported.get(name)
        if (!known) {
          wrong.push(`${where}: ${name} is not exported`)
          continue
        }
        for (const label of known.labels.keys()) labels.add(label)
        for (const { label, value } of matchers) {
          if (OF_SCRAPE.includes(label)) continue
          const values = known.labels.get(label)
          const isKnown =
            value === undefined || values?.has(value) || verdicts.includes(`\`${value}\``)
          if (!values || !isKnown) wrong.push(`${where}: ${name} has no ${label}="${value}"`)
        }
      }
      for (const label of grouped) {
        if (!labels.has(label)) wrong.push(`${where}: there is no label ${label} to group by`)
      }
      if (metrics.length === 0) wrong.push(`${where}: it names no metric`)
    }
    expect(wrong).toEqual([])
    expect(alerts().length).toBeGreaterThan(15)
    expect(dashboardExpressions().length).toBeGreaterThan(30)
  })

  test('a name that nobody exports, a label that a metric has not, are found', () => {
    const { metrics, grouped } = usesOf(
      'sum by (le, job) (rate(liquefy_x_bucket{code="A"}[5m])) > 2',
    )
    expect(metrics).toEqual([{ name: 'liquefy_x_bucket', labels: [{ label: 'code', value: 'A' }] }])
    expect(grouped).toEqual(['le', 'job'])
  })

  test('the handbook says what to do at each alert', () => {
    const handbook = textOf('docs/operation.md')
    for (const { name } of alerts()) expect(handbook).toContain(`\`${name}\``)
  })
})

if (!hasPromtool) {
  test('rules by promtool', (context) => {
    if (process.env.CI) throw new Error('Install promtool: CI must test the alerts (.ci/run).')
    context.skip('no promtool on PATH: alerts are not run here')
  })
}

describe.runIf(hasPromtool)('a tool of Prometheus itself', () => {
  const promtool = (args: string[], input = '') => {
    const { status, stdout, stderr } = spawnSync(PROMTOOL, args, { input, encoding: 'utf8' })
    return { status, said: stdout + stderr }
  }

  test('parses the rules, and the alerts fire on what they should and on nothing else', () => {
    const checked = promtool(['check', 'rules', join(root, 'operation/prometheus-rules.yml')])
    expect(checked).toMatchObject({ status: 0, said: expect.stringContaining('SUCCESS') })
    const cases = textOf('operation/prometheus-rules.test.yml')
    for (const { name } of alerts()) expect(cases).toContain(`- name: ${name}\n`)
    const tested = promtool(['test', 'rules', join(root, 'operation/prometheus-rules.test.yml')])
    expect(tested).toMatchObject({ status: 0, said: expect.stringContaining('SUCCESS') })
  })

  test('parses every expression of the dashboard', () => {
    const rules = dashboardExpressions()
      .filter(({ where }) => !where.startsWith('$'))
      .map(({ text }, index) => {
        const expr = text.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*')
        return { record: `panel:${index}`, expr }
      })
    const path = join(dataDir, 'panels.yml')
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'panels', rules }] }))
    const { status, said } = promtool(['check', 'rules', path])
    expect(said).toContain(`${rules.length} rules found`)
    expect(status).toBe(0)
  })

  test('finds no fault in names, units and help of what the node exports', () => {
    const ours = scrape.split('\n').filter((line) => /^(# (HELP|TYPE) )?liquefy_/.test(line))
    const { status, said } = promtool(['check', 'metrics'], `${ours.join('\n')}\n`)
    expect(said).toBe('')
    expect(status).toBe(0)
  })
})
