import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import { openMachine } from '@liquefy/machine'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Demo, demoIsSetUp, runCommand, startBrowser, startDemo } from './harness.ts'
import { expectAccessible, keep, overflowOf, phone, visitIn } from './visit.ts'

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const ENVELOPE = 3_600

let demo: Demo
let browser: Browser
let folder: string
let machine: Awaited<ReturnType<typeof openMachine>>
let machineId: string
/** Whatever was measured, by time. */
const measured = new Map<number, bigint>()
const endMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
const startMs = endMs - 365 * DAY_MS
/** A month in which nothing was measured. */
const silence = { fromMs: startMs + 100 * DAY_MS, toMs: startMs + 130 * DAY_MS }
/** An hour that arrives last. */
const late = { fromMs: endMs - 20 * HOUR_MS, toMs: endMs - 19 * HOUR_MS }

const valueAt = (timeMs: number): bigint => {
  const day = Math.sin((timeMs / DAY_MS) * 2 * Math.PI)
  const year = Math.sin(((timeMs - startMs) / (365 * DAY_MS)) * Math.PI)
  return BigInt(Math.round(4_000 + 2_500 * year + 900 * day + ((timeMs / 1_000) % 97)))
}

/** A reading each ten minutes for a year, each second for its last day: in envelopes as large as they may be, through the device's own client. */
const measure = async () => {
  const times: number[] = []
  for (let timeMs = startMs; timeMs < endMs - DAY_MS; timeMs += 600_000) {
    if (timeMs < silence.fromMs || timeMs >= silence.toMs) times.push(timeMs)
  }
  for (let timeMs = endMs - DAY_MS; timeMs < endMs; timeMs += SECOND_MS) {
    if (timeMs < late.fromMs || timeMs >= late.toMs) times.push(timeMs)
  }
  await publish(times)
}

const publish = async (times: readonly number[]) => {
  for (let at = 0; at < times.length; at += ENVELOPE) {
    const readings = times.slice(at, at + ENVELOPE).map((timeMs) => {
      const value = valueAt(timeMs)
      measured.set(timeMs, value)
      return { timeMs, unit: 'W', value }
    })
    await machine.publish('power', readings)
  }
  await machine.flushed()
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liquefy-chart-'))
  browser = await startBrowser()
  demo = await startDemo()
  await demoIsSetUp(demo)
  const device = join(folder, 'meter')
  await runCommand(demo, ['machine', 'keygen', device])
  await runCommand(demo, ['machine', 'register', device, '--as', 'Silowerk AG'])
  machine = await openMachine({ folder: device })
  await measure()
  await publish(Array.from({ length: 3_600 }, (_, second) => late.fromMs + second * SECOND_MS))
  const machines = await createClient({ url: demo.url }).machines()
  machineId = machines.find(({ mainStream }) => mainStream === 'power')?.machineId ?? ''
}, 240_000)

afterAll(async () => {
  await machine?.close()
  await browser?.close()
  await demo?.stop()
  rmSync(folder, { recursive: true, force: true })
}, 300_000)

const visit = (
  search: string,
  look: (page: Page) => Promise<void>,
  options?: BrowserContextOptions,
) => visitIn(browser, new URL(`/machines/${machineId}${search}`, demo.url), look, options)

const drawn = (page: Page) => page.locator('.chart-area[aria-busy=false]').waitFor()
const year = `?from=${startMs}&to=${endMs}`

/** What the address says that the chart shows. */
const spanOf = (page: Page): number => {
  const { searchParams } = new URL(page.url())
  const last = Number(searchParams.get('last'))
  return last > 0 ? last : Number(searchParams.get('to')) - Number(searchParams.get('from'))
}

interface Row {
  timeMs: number
  cells: string[]
}

const rowsOf = async (page: Page): Promise<Row[]> => {
  await drawn(page)
  await page.getByText('Show as a table').click()
  return page.locator('.chart-table tbody tr').evaluateAll((rows) =>
    rows.map((row) => ({
      timeMs: Date.parse(row.querySelector('time')?.dateTime ?? ''),
      cells: [...row.querySelectorAll('td')].slice(1).map(({ textContent }) => textContent ?? ''),
    })),
  )
}

const written = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 3 })

/** The rows that a window must have, newest first, from what was measured. */
const rowsFrom = (fromMs: number, toMs: number, bucketMs: number, words: string): Row[] => {
  const buckets = new Map<number, number[]>()
  for (const [at, value] of measured) {
    const timeMs = Math.floor(at / bucketMs) * bucketMs
    if (timeMs + bucketMs <= fromMs || timeMs >= toMs) continue
    const values = buckets.get(timeMs) ?? []
    buckets.set(timeMs, values)
    values.push(Number(value))
  }
  return [...buckets]
    .sort(([a], [b]) => b - a)
    .map(([timeMs, values]) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length
      const [least, most] = [Math.min(...values), Math.max(...values)]
      return { timeMs, cells: [words, ...[values.length, least, most, mean].map(written.format)] }
    })
}

describe('what a chart shows', () => {
  test.each([
    ['a year', startMs, endMs, DAY_MS, '1 day'],
    ['a day', endMs - DAY_MS, endMs, 300_000, '5 minutes'],
    ['an hour that came late', late.fromMs, late.toMs, 15_000, '15 seconds'],
    ['ten minutes', endMs - 600_000, endMs, 1_000, '1 second'],
    ['ten seconds', endMs - 10_000, endMs, 100, '100 milliseconds'],
  ])(
    'of %s is what was measured, to the last reading',
    async (_, fromMs, toMs, bucketMs, words) => {
      await visit(`?from=${fromMs}&to=${toMs}`, async (page) => {
        await drawn(page)
        await keep(page, `chart-${words.replace(' ', '-')}`)
        const rows = await rowsOf(page)
        expect(rows.length).toBeGreaterThanOrEqual(10)
        expect(rows).toEqual(rowsFrom(fromMs, toMs, bucketMs, words))
      })
    },
  )

  test('a silence is a gap, in numbers and in the picture', async () => {
    await visit(year, async (page) => {
      await drawn(page)
      const coloured = await page.locator('.time-chart canvas').evaluate(
        (canvas, [from, to]) => {
          if (!(canvas instanceof HTMLCanvasElement) || from === undefined || to === undefined)
            return []
          const over = document.querySelector('.u-over')
          const scale = canvas.width / canvas.clientWidth
          const left = (over instanceof HTMLElement ? over.offsetLeft : 0) * scale
          const wide = (over?.clientWidth ?? 0) * scale
          const own = getComputedStyle(document.querySelector('.time-chart') ?? canvas).color
          const [red, green, blue] = [...own.matchAll(/\d+/g)].map(Number)
          return [from - 0.05, (from + to) / 2, to + 0.05].map((part) => {
            const { data } = canvas
              .getContext('2d')
              // A line between two pixels has its own colour in neither: of nine columns one has it.
              ?.getImageData(left + part * wide - 4, 0, 9, canvas.height) ?? { data: [] }
            let count = 0
            for (let at = 0; at < data.length; at += 4) {
              if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count += 1
            }
            return count > 0
          })
        },
        [100 / 365, 130 / 365],
      )
      expect(coloured).toEqual([true, false, true])
    })
  })
})

describe('moving', () => {
  test('by keyboard from the year to single readings and back, never without a picture', async () => {
    await visit(year, async (page) => {
      await drawn(page)
      await page.evaluate(() => {
        const seen = { blank: 0 }
        Object.assign(window, { seen })
        new MutationObserver(() => {
          if (document.querySelector('.chart-nothing')) seen.blank += 1
        }).observe(document.body, { childList: true, subtree: true })
      })
      await page.locator('.chart-area').focus()
      await page.keyboard.press('End')
      for (let press = 0; press < 12; press += 1) {
        await page.keyboard.press('ArrowLeft')
        await page.keyboard.press('+')
      }
      await expect.poll(() => spanOf(page)).toBe(Math.round((365 * DAY_MS) / 2 ** 12))
      await drawn(page)
      for (let press = 0; press < 13; press += 1) await page.keyboard.press('-')
      await page.keyboard.press('Home')
      await expect.poll(() => spanOf(page)).toBeGreaterThan(364 * DAY_MS)
      await drawn(page)
      expect(await page.evaluate(() => (window as unknown as { seen: object }).seen)).toEqual({
        blank: 0,
      })
    })
  })

  test('by wheel, by drag and by button', async () => {
    await visit(year, async (page) => {
      await drawn(page)
      const box = await page.locator('.u-over').boundingBox()
      if (!box) throw new Error('there is no plot')
      await page.mouse.move(box.x + box.width / 2, box.y + 100)
      await page.mouse.wheel(0, -400)
      await page.mouse.down()
      await page.mouse.move(box.x + box.width / 4, box.y + 100, { steps: 4 })
      await page.mouse.up()
      await expect.poll(() => new URL(page.url()).searchParams.get('from')).not.toBe(null)
      expect(spanOf(page)).toBe(365 * DAY_MS)
      await page.locator('.chart-area').focus()
      await page.evaluate(() => window.scrollTo(0, 0))
      await page.mouse.wheel(0, -400)
      await expect.poll(() => spanOf(page)).toBe((365 * DAY_MS) / 2)
      await page.getByRole('button', { name: 'Zoom in' }).click()
      await expect.poll(() => spanOf(page)).toBe((365 * DAY_MS) / 4)
      await page.getByRole('button', { name: 'Now' }).click()
      await expect.poll(() => page.url()).toContain('last=')
    })
  })

  test('by two fingers on a phone', async () => {
    await visit(
      year,
      async (page) => {
        await drawn(page)
        const session = await page.context().newCDPSession(page)
        const pinch = async () => {
          // Found anew each time: what loads above the chart moves it.
          const plot = page.locator('.u-over')
          await plot.scrollIntoViewIfNeeded()
          const box = await plot.boundingBox()
          if (!box) throw new Error('there is no plot')
          const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', apart?: number) =>
            session.send('Input.dispatchTouchEvent', {
              type,
              touchPoints:
                apart === undefined
                  ? []
                  : [-apart, apart].map((part, id) => ({
                      id,
                      x: box.x + box.width * (0.5 + part),
                      y: box.y + 90,
                    })),
            })
          await touch('touchStart', 0.1)
          for (const apart of [0.15, 0.2, 0.3, 0.4]) await touch('touchMove', apart)
          await touch('touchEnd')
        }
        const pinched = async () => {
          await pinch()
          return spanOf(page)
        }
        await expect.poll(pinched).toBeLessThan(110 * DAY_MS)
        expect(await overflowOf(page)).toBe(0)
        await drawn(page)
        await keep(page, 'chart-phone')
      },
      phone,
    )
  })
})

test('what is measured now appears by itself', async () => {
  await visit('?last=60000', async (page) => {
    await page.getByText('Nothing was measured in this time.').waitFor()
    const before = Date.now()
    measured.set(before, 4_321n)
    await machine.publish('power', [{ timeMs: before, unit: 'W', value: 4_321n }])
    await page.getByTestId('series-summary').getByText('4,321 W').first().waitFor()
    await page.getByRole('button', { name: 'All' }).click()
    await drawn(page)
    await page.getByRole('button', { name: 'Now' }).click()
    await expect.poll(() => page.url()).toContain('last=')
  })
})

test.each(['light', 'dark'] as const)('axe finds nothing serious (%s)', async (colorScheme) => {
  await visit(
    year,
    async (page) => {
      await drawn(page)
      await keep(page, colorScheme === 'light' ? 'chart' : 'chart-dark')
      await page.getByText('Show as a table').click()
      await expectAccessible(page)
      expect(await overflowOf(page)).toBe(0)
    },
    { viewport: { width: 1200, height: 900 }, locale: 'en-GB', colorScheme },
  )
})
