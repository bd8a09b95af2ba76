import { createClient, type Operation } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Demo, startBrowser, startDemo } from './harness.ts'
import { desktop, expectAccessible, keep, keepAll, visitIn } from './visit.ts'

let demo: Demo
let browser: Browser

beforeAll(async () => {
  browser = await startBrowser()
  demo = await startDemo()
  // Something is paid: what is shown of gas and of the way to money is real.
  await vi.waitFor(
    async () => {
      const { gas, log } = await createClient({ url: demo.url }).operation()
      if (gas.settling.length === 0 || !log?.anchored) throw new Error('nothing is paid yet')
    },
    { timeout: 120_000, interval: 500 },
  )
}, 300_000)

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
}, 300_000)

const visit = (look: (page: Page) => Promise<void>, options?: BrowserContextOptions) =>
  visitIn(browser, new URL('/operation', demo.url), look, options)

/** Text of a figure, without its note. */
const figure = (page: Page, name: string) =>
  page.locator('.figure').filter({ hasText: name }).locator('dd').first()

const numberIn = async (page: Page, name: string) =>
  Number((await figure(page, name).textContent())?.replaceAll(/[^\d.]/g, ''))

describe('operation', () => {
  test('shows intake, the way to money, gas and anchors of a node that works; and goes on by itself', async () => {
    await visit(async (page) => {
      await page.getByText('Nothing needs you.').waitFor()
      await page.getByRole('link', { name: 'Operation' }).waitFor()
      expect(await numberIn(page, 'Gas a bill settled')).toBeGreaterThan(10_000)
      await page.getByRole('rowheader', { name: 'settling' }).waitFor()
      for (const way of [/^committed/, /^owed/, /^paid/]) {
        const row = page
          .getByRole('row')
          .filter({ has: page.getByRole('rowheader', { name: way }) })
        expect(await row.textContent()).toMatch(/\d+(\.\d+)? (ms|s|min)/)
      }
      expect(await numberIn(page, 'Anchored on the ledger')).toBeGreaterThan(0)
      const before = await numberIn(page, 'Envelopes in the log')
      await expect.poll(() => numberIn(page, 'Envelopes in the log')).toBeGreaterThan(before)
      await expect.poll(() => numberIn(page, 'Envelopes a second')).toBeGreaterThan(0)
      await page.getByText(/[\d.]+ readings a second/).waitFor()
      await page.getByRole('img', { name: /Envelopes a second in the last 15 minutes/ }).waitFor()
      await expectAccessible(page)
      await keepAll(page, 'operation')
    })
  })

  test('an alert says since when, and what to do; worst first', async () => {
    const { alerts, ...rest } = await createClient({ url: demo.url }).operation()
    expect(alerts).toEqual([])
    const told = {
      severity: 'critical',
      sinceMs: Date.now() - 600_000,
      name: 'LiquefyOutboxStuck',
      words: 'A transaction has waited for a block for 900 s.',
      toDo: 'Gas money: `liquefy keys list`.',
      condition: 'liquefy_outbox_oldest_pending_age_seconds > 600',
    } as const
    const json: Operation = { ...rest, alerts: [told] }
    await visitIn(
      browser,
      new URL('/', demo.url),
      async (page) => {
        await page.context().route('**/v1/operation', (route) => route.fulfill({ json }))
        await page.getByRole('link', { name: 'Operation' }).click()
        await page.getByRole('heading', { name: 'One thing needs you' }).waitFor()
        await page.getByText('LiquefyOutboxStuck, since 10 min ago').waitFor()
        await page.getByText('What to do: Gas money').locator('code').waitFor()
        await expectAccessible(page)
        await keep(page, 'operation-alert')
      },
      { ...desktop, colorScheme: 'dark' },
    )
  })

  test('a page that nobody sees asks nothing', async () => {
    await visit(async (page) => {
      await page.clock.install()
      await page.reload()
      let asked = 0
      page.on('request', (request) => {
        if (request.url().endsWith('/v1/operation')) asked += 1
      })
      const show = (state: 'hidden' | 'visible') =>
        page.evaluate((now) => {
          Object.defineProperty(document, 'visibilityState', { value: now, configurable: true })
          document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))
        }, state)
      await page.getByText('Nothing needs you.').waitFor()
      await show('hidden')
      const before = asked
      await page.clock.runFor(30_000)
      expect(asked).toBe(before)
      await show('visible')
      await page.clock.runFor(5_000)
      await expect.poll(() => asked).toBeGreaterThan(before)
    })
  })
})
