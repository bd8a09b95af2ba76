import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Demo, startBrowser, startDemo } from './harness.ts'

const desktop = { viewport: { width: 1200, height: 900 }, locale: 'en-GB' } as const
const phone = { viewport: { width: 390, height: 844 }, locale: 'en-GB', hasTouch: true } as const
const screenshots = process.env.LIQUEFY_SCREENSHOTS

let demo: Demo
let browser: Browser

beforeAll(async () => {
  browser = await startBrowser()
  demo = await startDemo()
}, 180_000)

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
}, 300_000)

/** Opens a page, lets `look` use it, and fails if the page's own code failed meanwhile. */
const visit = async (
  path: string,
  look: (page: Page) => Promise<void>,
  options: BrowserContextOptions = desktop,
) => {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const crashes: string[] = []
  page.on('pageerror', (error) => crashes.push(error.message))
  try {
    await page.goto(new URL(path, demo.url).href)
    await look(page)
    expect(crashes).toEqual([])
  } finally {
    await context.close()
  }
}

const keep = async (page: Page, name: string) => {
  if (screenshots === undefined) return
  mkdirSync(screenshots, { recursive: true })
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true })
}

const figure = (page: Page, name: string) =>
  page.locator('.figure').filter({ hasText: name }).locator('.money').first()

/** Exact amount of a figure, from its title. */
const amountOf = async (page: Page, name: string): Promise<number> => {
  const title = await figure(page, name).getAttribute('title')
  return Number(title?.replaceAll(/[^\d]/g, ''))
}

/** Pixels by which a page is wider than its window. */
const overflowOf = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

const firstAgreement = async () => {
  const [agreement] = await createClient({ url: demo.url }).agreements()
  if (!agreement) throw new Error('the demo has no agreement')
  return agreement
}

describe('overview', () => {
  test('shows the machines, and money that moves without a reload', async () => {
    await visit('/', async (page) => {
      await page.locator('.machine-card').nth(2).waitFor()
      expect(await page.locator('.machine-card strong').allTextContents()).toEqual([
        'Silo 1 wheat',
        'Silo 2 rye',
        'Silo 3 bran',
      ])
      await page.getByText('Live', { exact: true }).waitFor()
      const before = await amountOf(page, 'Settled on the ledger')
      await expect
        .poll(() => amountOf(page, 'Settled on the ledger'), { timeout: 90_000 })
        .toBeGreaterThan(before)
      await page.locator('.feed .plus').first().waitFor()
      await keep(page, 'overview')
    })
  })

  test('fits a phone, and the dark theme', async () => {
    await visit(
      '/',
      async (page) => {
        await page.locator('.machine-card').first().waitFor()
        expect(await overflowOf(page)).toBe(0)
        const background = await page.evaluate(
          () => getComputedStyle(document.body).backgroundColor,
        )
        expect(background).toBe('rgb(14, 20, 19)')
        await keep(page, 'overview-phone-dark')
      },
      { ...phone, colorScheme: 'dark' },
    )
  })

  test('is reached and left by keyboard alone', async () => {
    await visit('/', async (page) => {
      await page.locator('.machine-card').first().waitFor()
      const tabTo = async (selector: string) => {
        for (let tabs = 0; tabs < 10; tabs += 1) {
          await page.keyboard.press('Tab')
          if (await page.evaluate((to) => document.activeElement?.matches(to), selector)) return
        }
        throw new Error(`ten tabs do not reach ${selector}`)
      }
      await tabTo('.machine-card')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: /Silo 1 wheat/ }).waitFor()
      await tabTo('.crumb a')
      await page.keyboard.press('Enter')
      await page.locator('.machine-card').first().waitFor()
    })
  })
})

describe('machine', () => {
  test('shows its readings, registers in kilograms and its life', async () => {
    await visit('/machines/1', async (page) => {
      await page.locator('.time-chart canvas').waitFor()
      await page
        .getByText(/\d kg$/)
        .first()
        .waitFor()
      await page.getByText('Registered on the ledger').waitFor()
      await page.getByLabel('temperature').check({ force: true })
      await page.getByRole('img', { name: /temperature/ }).waitFor()
      await keep(page, 'machine')
    })
  })

  test('draws its chart where the browser names a language that is none', async () => {
    await visit('/', async (page) => {
      await page.addInitScript(() => {
        Object.defineProperty(navigator, 'language', { value: 'en-US@posix', configurable: true })
      })
      await page.goto(new URL('/machines/1', demo.url).href)
      await page.locator('.time-chart canvas').waitFor()
    })
  })
})

describe('agreement', () => {
  test('says the tariff in words, and the browser checks the bill to the unit', async () => {
    const { agreementId } = await firstAgreement()
    await visit(`/agreements/${agreementId}`, async (page) => {
      await page.getByText('0.42 tEUR per kg').waitFor()
      await page.getByText('Nordmühle GmbH pays Silowerk AG').waitFor()
      await page.getByRole('button', { name: 'Check this bill' }).click()
      await page.getByText('Every reading, every proof and every unit of money fits.').waitFor()
      expect(await amountOf(page, 'Difference')).toBe(0)
      expect(await amountOf(page, 'Paid on the ledger')).toBeGreaterThan(0)
      await keep(page, 'agreement')
    })
  })

  test('INV-23: one flipped bit in what the node hands out is found and named', async () => {
    const { agreementId } = await firstAgreement()
    await visit(`/agreements/${agreementId}`, async (page) => {
      await page.context().route('**/bundle', async (route) => {
        const response = await route.fetch()
        await route.fulfill({ response, body: withOneBitFlipped(await response.text()) })
      })
      await page.getByRole('button', { name: 'Check this bill' }).click()
      const verdict = page.getByTestId('audit')
      await verdict.waitFor()
      expect(await verdict.textContent()).toMatch(/Does not fit.*SIGNATURE_INVALID level, seq 2/s)
    })
  })
})

/** Flips the last bit of the signature of the second envelope. */
const withOneBitFlipped = (bundle: string): string => {
  let envelopes = 0
  return bundle
    .split('\n')
    .map((line) => {
      if (!line.includes('"type":"envelope"')) return line
      envelopes += 1
      if (envelopes !== 2) return line
      const parsed = JSON.parse(line)
      const raw = Buffer.from(parsed.raw, 'base64')
      raw.writeUInt8(raw.readUInt8(raw.length - 1) ^ 1, raw.length - 1)
      return JSON.stringify({ ...parsed, raw: raw.toString('base64') })
    })
    .join('\n')
}

test('a machine and an agreement fit a phone', async () => {
  const { agreementId, machineId } = await firstAgreement()
  for (const path of [`/machines/${machineId}`, `/agreements/${agreementId}`]) {
    await visit(
      path,
      async (page) => {
        await page.locator('.card').nth(2).waitFor()
        await page.locator('table, .timeline').first().waitFor()
        expect(await overflowOf(page)).toBe(0)
      },
      phone,
    )
  }
})

describe('what can go wrong', () => {
  const answering = async (status: number, body: unknown, look: (page: Page) => Promise<void>) => {
    const context = await browser.newContext(desktop)
    const page = await context.newPage()
    await context.route('**/v1/machines', (route) =>
      route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(body) }),
    )
    await page.goto(demo.url)
    await look(page)
    await context.close()
  }

  test('no machines: says how to get one', async () => {
    await answering(200, [], (page) => page.getByText('npx liquefy machine register').waitFor())
  })

  test('an error of the node: its words, and a way to try again', async () => {
    await answering(
      503,
      { code: 'DATABASE_DOWN', message: 'The database is away.' },
      async (page) => {
        await page.getByText('The database is away.').waitFor()
        await page.getByRole('button', { name: 'Try again' }).waitFor()
      },
    )
  })

  test('a dead node: the page says so, and lives again when the node does', async () => {
    await visit('/', async (page) => {
      await page.getByText('Live', { exact: true }).waitFor()
      await page.context().setOffline(true)
      await page.reload().catch(() => undefined)
      await page.context().setOffline(false)
      await page.context().route('**/v1/**', (route) => route.abort())
      await page.goto(demo.url)
      await page
        .getByText(/No node answers at/)
        .first()
        .waitFor()
      await page.getByText(/Not connected/).waitFor()
      await page.context().unroute('**/v1/**')
      await page.getByText('Live', { exact: true }).waitFor()
    })
  })

  test('an agreement that is not there, and an address that is none', async () => {
    await visit(`/agreements/0x${'11'.repeat(32)}`, async (page) => {
      await page.getByText('Could not load this agreement').waitFor()
    })
    await visit('/nowhere', async (page) => {
      await page.getByText('There is no such page').waitFor()
    })
  })
})
