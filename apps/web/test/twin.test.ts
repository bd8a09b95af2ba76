import { createClient, type ReadingSeries } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Demo, startBrowser, startDemo } from './harness.ts'
import {
  desktop,
  expectAccessible,
  firstAgreementAt,
  keep,
  overflowOf,
  phone,
  visitIn,
} from './visit.ts'

let demo: Demo
let browser: Browser

beforeAll(async () => {
  browser = await startBrowser()
  demo = await startDemo()
  await firstAgreementAt(demo.url)
}, 180_000)

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
}, 300_000)

const still = { ...desktop, reducedMotion: 'reduce' } as const

const visit = (look: (page: Page) => Promise<void>, options: BrowserContextOptions = still) =>
  visitIn(browser, new URL('/machines/1', demo.url), look, options)

/** Makes the machine measure what a test says: its newest reading, of 1,000 at most. */
const measuring = (page: Page, last: () => number) =>
  page.context().route('**/v1/machines/1/readings?*', (route) => {
    const nowMs = Date.now()
    const bucket = { count: 1, min: 0, max: 1_000, mean: 500 }
    const json: ReadingSeries[] = [
      {
        stream: 'level',
        name: '',
        unit: 'mm',
        bucketMs: 1_000,
        buckets: [
          { ...bucket, timeMs: nowMs - 60_000, last: 1_000 },
          { ...bucket, timeMs: nowMs, last: last() },
        ],
      },
    ]
    return route.fulfill({ json })
  })

/** Of the canvas as it is seen: the share of pixels that are drawn at all, and of those the share in the colour of grain. */
const pixelsOf = async (page: Page) => {
  const picture = (await page.locator('.twin-stage canvas').screenshot()).toString('base64')
  return page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
    const image = await createImageBitmap(new Blob([bytes]))
    const pen = new OffscreenCanvas(image.width, image.height).getContext('2d')
    if (!pen) throw new Error('no canvas to read pixels from')
    pen.drawImage(image, 0, 0)
    const { data } = pen.getImageData(0, 0, image.width, image.height)
    const [red, green, blue] = data
    let drawn = 0
    let grain = 0
    for (let at = 0; at < data.length; at += 4) {
      const [r = 0, g = 0, b = 0] = data.subarray(at, at + 3)
      if (r !== red || g !== green || b !== blue) drawn += 1
      if (r > b * 1.35 && r > 60) grain += 1
    }
    return { drawn: drawn / (data.length / 4), grain: grain / (data.length / 4) }
  }, picture)
}

const canvas = (page: Page, name: RegExp) =>
  page.getByRole('img', { name }).and(page.locator('canvas'))

test('a silo is drawn with its level, which falls and is said in words', async () => {
  let level = 900
  await visit(async (page) => {
    await measuring(page, () => level)
    await page.reload()
    await canvas(page, /^Silo: 900 mm, 90% of the highest seen/).waitFor()
    await expect.poll(async () => (await pixelsOf(page)).drawn).toBeGreaterThan(0.2)
    const full = await pixelsOf(page)
    expect(full.grain).toBeGreaterThan(0.05)
    await keep(page, 'machine-full')
    level = 200
    await canvas(page, /^Silo: 200 mm/).waitFor()
    await expect.poll(async () => (await pixelsOf(page)).grain).toBeLessThan(full.grain * 0.6)
    await expectAccessible(page)
  })
})

test('it is turned by arrow keys, and nothing is drawn while nothing changes', async () => {
  await visit(async (page) => {
    await measuring(page, () => 500)
    await page.reload()
    await canvas(page, /^Silo: 500 mm/).waitFor()
    const shot = async () =>
      (await page.locator('.twin-stage canvas').screenshot()).toString('base64')
    await expect.poll(async () => (await pixelsOf(page)).drawn).toBeGreaterThan(0.2)
    const before = await shot()
    expect(await shot()).toBe(before)
    const draws = await page.evaluate(async () => {
      const canvas = document.querySelector<HTMLCanvasElement>('.twin-stage canvas')
      const context = canvas?.getContext('webgl2')
      if (!context) throw new Error('the canvas has no WebGL')
      let count = 0
      const { drawElements } = context
      context.drawElements = (...drawn) => {
        count += 1
        drawElements.apply(context, drawn)
      }
      for (let frame = 0; frame < 30; frame += 1) await new Promise(requestAnimationFrame)
      return count
    })
    expect(draws).toBe(0)
    await page.locator('.twin-stage canvas').focus()
    await page.keyboard.press('ArrowLeft')
    await expect.poll(shot).not.toBe(before)
  })
})

test('live, in the dark and on a phone', async () => {
  for (const [name, options] of [
    ['machine-dark', { ...desktop, colorScheme: 'dark' }],
    ['machine-phone', phone],
  ] as const) {
    await visit(async (page) => {
      await canvas(page, /^Silo: [\d,]+ mm/).waitFor()
      await expect.poll(async () => (await pixelsOf(page)).drawn).toBeGreaterThan(0.2)
      expect(await overflowOf(page)).toBe(0)
      await keep(page, name)
    }, options)
  }
})

test('a machine that counts energy is a charge point with its power', async () => {
  await visit(async (page) => {
    const machine = await createClient({ url: demo.url }).machine('1')
    const streams = [{ ...machine.streams[0], stream: 'peak', unit: 'Wh' }]
    await page
      .context()
      .route('**/v1/machines/1?*', (route) =>
        route.fulfill({ json: { ...machine, mainStream: 'peak', mainRule: 'counter', streams } }),
      )
    await page.context().route('**/v1/machines/1/readings?*', (route) => {
      const nowMs = Date.now()
      // 10 Wh in a second are 36 kW; before it was twice as much.
      const buckets = [1_000, 1_020, 1_030].map((last, index) => ({
        timeMs: nowMs - 2_000 + index * 1_000,
        count: 1,
        min: last,
        max: last,
        mean: last,
        last,
      }))
      const json = [{ stream: 'peak', name: '', unit: 'Wh', bucketMs: 1_000, buckets }]
      return route.fulfill({ json })
    })
    await page.reload()
    await canvas(page, /^Charge point: 36 kW, 50%/).waitFor()
    await expect.poll(async () => (await pixelsOf(page)).drawn).toBeGreaterThan(0.2)
    await keep(page, 'machine-charger')
  })
})

test('without WebGL, and where it is lost, a picture says the same', async () => {
  await visit(async (page) => {
    await canvas(page, /^Silo: /).waitFor()
    await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('.twin-stage canvas')
      canvas?.getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext()
    })
    await page
      .locator('svg.twin-picture')
      .and(page.getByRole('img', { name: /^Silo: / }))
      .waitFor()
    expect(await page.locator('.twin-stage canvas').count()).toBe(0)

    await page.addInitScript(() => {
      HTMLCanvasElement.prototype.getContext = new Proxy(HTMLCanvasElement.prototype.getContext, {
        apply: (getContext, element, args) =>
          String(args[0]).startsWith('webgl') ? null : Reflect.apply(getContext, element, args),
      })
    })
    await measuring(page, () => 250)
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.reload()
    await page.getByRole('img', { name: /^Silo: 250 mm, 25%/ }).waitFor()
    expect(await page.locator('.twin-grain').getAttribute('height')).toBe('35')
    expect(asked.filter((url) => url.includes('/assets/scene'))).toEqual([])
    await keep(page, 'machine-picture')
  })
})
