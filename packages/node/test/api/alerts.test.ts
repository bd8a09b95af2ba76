import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ALERT_RULES } from '../../src/api/alert-rules.ts'
import { createAlerts } from '../../src/api/alert-watch.ts'

const root = join(import.meta.dirname, '../../../..')
const textOf = (path: string) => readFileSync(join(root, path), 'utf8')
const MINUTE = 60_000
const UNIT_MS: Record<string, number> = { '': 0, m: MINUTE, h: 60 * MINUTE }

/** What a node cannot see of itself. */
const ONLY_FROM_OUTSIDE = 'LiquefyNodeDown'

/** The rules as Prometheus gets them. */
function rulesOfPrometheus() {
  return textOf('operation/prometheus-rules.yml')
    .split(/^ {6}- alert: /m)
    .slice(1)
    .map((text) => {
      const [, number = '0', unit = ''] = /^ +for: (\d+)([mh])$/m.exec(text) ?? []
      return {
        name: /^\w+/.exec(text)?.[0],
        severity: /severity: (\w+)/.exec(text)?.[1],
        holdsMs: Number(number) * (UNIT_MS[unit] ?? 0),
        condition: /^ +expr: (.*)$/m.exec(text)?.[1],
      }
    })
    .filter(({ name }) => name !== ONLY_FROM_OUTSIDE)
}

/** The values of a series a minute each, as promtool writes them: `0x5 1+60x20 7`. */
function valuesOf(notation: string): number[] {
  return notation.split(' ').flatMap((part) => {
    const [, first = '0', step = '0', times = '0'] =
      /^(-?\d+(?:\.\d+)?)(?:([+-]\d+))?(?:x(\d+))?$/.exec(part) ?? []
    return Array.from(
      { length: Number(times) + 1 },
      (_, index) => Number(first) + index * Number(step),
    )
  })
}

/** A series as a node tells it of itself: without what Prometheus adds. */
function ownName(series: string): string {
  const [, metric = '', labels = ''] = /^(\w+)\{(.*)\}$/.exec(series) ?? []
  const own = labels.split(/, ?/).filter((label) => !/^(?:job|instance)=/.test(label))
  return own.length === 0 ? metric : `${metric}{${own.join(',')}}`
}

/** The cases of `promtool test rules`, by alert. */
function casesOfPromtool() {
  return textOf('operation/prometheus-rules.test.yml')
    .split(/^ {2}- name: /m)
    .slice(1)
    .map((text) => ({
      name: /^\w+/.exec(text)?.[0] ?? '',
      series: [...text.matchAll(/series: '([^']+)',\s*values: "([^"]+)"/g)].map(
        ([, series = '', values = '']) => ({ series: ownName(series), values: valuesOf(values) }),
      ),
      looks: [
        ...text.matchAll(/eval_time: (\d+)m,?\s+alertname: \w+,?\s+exp_alerts:( \[\])?/g),
      ].map(([, minute, none]) => ({ minute: Number(minute), fires: none === undefined })),
    }))
    .filter(({ name }) => name !== ONLY_FROM_OUTSIDE)
}

describe('the alerts of the page', () => {
  test('are those of Prometheus: name, severity, time and condition', () => {
    const own = ALERT_RULES.map(({ name, severity, holdsMs, condition }) => ({
      name,
      severity,
      holdsMs,
      condition,
    }))
    expect(own).toEqual(rulesOfPrometheus())
  })

  test.each(casesOfPromtool())('$name fires where it fires in Prometheus', (given) => {
    expect(given.series.length).toBeGreaterThan(0)
    expect(given.looks.some(({ fires }) => fires)).toBe(true)
    const { judge } = createAlerts()
    const last = Math.max(...given.looks.map(({ minute }) => minute))
    let looked = 0
    for (let minute = 0; minute <= last; minute += 1) {
      const scrape = new Map(
        given.series.flatMap(({ series, values }) => {
          const value = values[minute]
          return value === undefined ? [] : [[series, value] as const]
        }),
      )
      const names = judge(minute * MINUTE, scrape).map(({ name }) => name)
      const look = given.looks.find((one) => one.minute === minute)
      if (!look) continue
      looked += 1
      expect(names.includes(given.name), `minute ${minute}`).toBe(look.fires)
    }
    expect(looked).toBe(given.looks.length)
  })

  test('every alert has its case', () => {
    const cases = casesOfPromtool().map(({ name }) => name)
    expect(ALERT_RULES.map(({ name }) => name).sort()).toEqual(cases.sort())
  })

  test('what to do is what the handbook says', () => {
    const rows = textOf('docs/operation.md').split('\n')
    for (const { name, toDo } of ALERT_RULES) {
      const row = rows.find((line) => line.startsWith('| `Liquefy') && line.includes(`\`${name}\``))
      expect(row?.split(' | ')[1]?.replace(/ \|$/, '')).toBe(toDo)
    }
  })

  test('one that no longer holds is gone, and holds anew from the beginning', () => {
    const { judge } = createAlerts()
    const lost = new Map([['liquefy_database_up', 0]])
    const names = (minute: number, scrape: Map<string, number>) =>
      judge(minute * MINUTE, scrape).map(({ name, sinceMs }) => [name, sinceMs / MINUTE])
    expect(names(0, lost)).toEqual([])
    expect(names(1, lost)).toEqual([['LiquefyDatabaseLost', 0]])
    expect(names(2, new Map([['liquefy_database_up', 1]]))).toEqual([])
    expect(names(3, lost)).toEqual([])
    expect(names(4, lost)).toEqual([['LiquefyDatabaseLost', 3]])
  })
})
