import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Alert } from '@liquefy/client'
import type { BaseLogger } from 'pino'
import type { Registry } from 'prom-client'
import { ALERT_RULES, type AlertRule } from './alert-rules.ts'
import { createRecorded, type Recorded, type Scrape } from './recorded.ts'

/** Watches the node's own metrics, as Prometheus would with operation/prometheus-rules.yml. */
export interface AlertWatch {
  /** Reads the metrics now, and answers what stands; critical first. */
  look(): Promise<Alert[]>
  /** What was read at the last look. */
  recorded: Recorded
  close(): void
}

const EVERY_MS = 60_000
const METRIC = /\bliquefy_\w+/g
/** From the arrival of frames to their commit. */
export const COMMIT_LAG = 'liquefy_ingest_lag_seconds'
/** The 99th percentile of how late the event loop is. */
export const LOOP_LAG = 'nodejs_eventloop_lag_p99_seconds'
const RANGE = /\b(liquefy_\w+)(?:\{[^}]*\})?\[(\d+)([mhd])\]/g
const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 }
const SEVERITIES: readonly Alert['severity'][] = ['critical', 'warning', 'info']

/** All metrics that conditions name. */
const namedBy = (rules: readonly AlertRule[]): string[] =>
  [...new Set(rules.flatMap(({ condition }) => condition.match(METRIC) ?? []))].map((name) =>
    name.replace(/_bucket$/, ''),
  )
/** How far they look back at each. */
const LOOKED_BACK_MS: Record<string, number> = {}
for (const { condition } of ALERT_RULES) {
  for (const [, name = '', number, unit = ''] of condition.matchAll(RANGE)) {
    const ms = Number(number) * (UNIT_MS[unit] ?? 0)
    LOOKED_BACK_MS[name] = Math.max(LOOKED_BACK_MS[name] ?? 0, ms)
  }
}

/** Judges scrape after scrape, by all rules or by some. */
export function createAlerts(rules: readonly AlertRule[] = ALERT_RULES): {
  recorded: Recorded
  judge(atMs: number, scrape: Scrape): Alert[]
} {
  const recorded = createRecorded(LOOKED_BACK_MS)
  /** Since when a condition holds, by rule and label. */
  let holding = new Map<string, number>()
  return {
    recorded,
    judge(atMs, scrape) {
      recorded.take(atMs, scrape)
      const now = new Map<string, number>()
      const alerts: Alert[] = []
      for (const rule of rules) {
        for (const finding of rule.found(recorded)) {
          const key = `${rule.name} ${finding.label}`
          const sinceMs = holding.get(key) ?? atMs
          now.set(key, sinceMs)
          if (atMs - sinceMs < rule.holdsMs) continue
          const { name, severity, condition, toDo } = rule
          alerts.push({ name, severity, sinceMs, words: rule.words(finding), toDo, condition })
        }
      }
      holding = now
      const rank = ({ severity }: Alert) => SEVERITIES.indexOf(severity)
      return alerts.sort((a, b) => rank(a) - rank(b))
    },
  }
}

/** Looks once a minute, so that what has held for long is known when somebody asks. */
export function startAlertWatch(
  metrics: Registry,
  nowMs: () => number,
  rules: readonly AlertRule[],
  logger: BaseLogger,
): AlertWatch {
  const { recorded, judge } = createAlerts(rules)
  const named = namedBy(rules)
  // One of its own: Prometheus resets the one of the metrics at each scrape.
  const delay = monitorEventLoopDelay()
  delay.enable()
  const look = async () => {
    const scrape = await scrapeOf(metrics, named)
    scrape.set(LOOP_LAG, delay.percentile(99) / 1e9)
    return judge(nowMs(), scrape)
  }
  const lookAndForget = async () => {
    await look().catch((error: unknown) =>
      logger.warn({ err: error }, 'alerts could not be judged'),
    )
    delay.reset()
  }
  // What is counted in this process begins with it; the rest is known from the first look on.
  void scrapeOf(metrics, [COMMIT_LAG]).then((begin) => recorded.take(nowMs(), begin))
  const timer = setInterval(() => void lookAndForget(), EVERY_MS)
  timer.unref()
  return {
    look,
    recorded,
    close() {
      clearInterval(timer)
      delay.disable()
    },
  }
}

/** Only what conditions name: other figures may be dear to read. */
async function scrapeOf(metrics: Registry, names: readonly string[]): Promise<Map<string, number>> {
  const scrape = new Map<string, number>()
  const read = await Promise.all(
    names.map(async (name) => ({ name, metric: await metrics.getSingleMetric(name)?.get() })),
  )
  for (const { name, metric } of read) {
    for (const { metricName = name, labels, value } of (metric?.values ?? []) as {
      metricName?: string
      labels: Record<string, string | number>
      value: number
    }[]) {
      const text = Object.entries(labels).map(([label, of]) => `${label}="${of}"`)
      scrape.set(text.length === 0 ? metricName : `${metricName}{${text.join(',')}}`, value)
    }
  }
  return scrape
}
