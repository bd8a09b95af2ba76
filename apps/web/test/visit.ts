import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type AgreementSummary, createClient } from '@liquefy/client'
import axe from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect, vi } from 'vitest'

export const desktop = { viewport: { width: 1200, height: 900 }, locale: 'en-GB' } as const
export const phone = {
  viewport: { width: 390, height: 844 },
  locale: 'en-GB',
  hasTouch: true,
} as const
const screenshots = process.env.LIQUEFY_SCREENSHOTS

/** Opens a page of `site`, lets `look` use it, and fails if the page's own code failed meanwhile. */
export const visitIn = async (
  browser: Browser,
  url: URL,
  look: (page: Page) => Promise<void>,
  options: BrowserContextOptions = desktop,
): Promise<void> => {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const crashes: string[] = []
  page.on('pageerror', (error) => crashes.push(error.message))
  try {
    await page.goto(url.href)
    await look(page)
    expect(crashes).toEqual([])
  } finally {
    await context.close()
  }
}

/** Keeps a picture where `LIQUEFY_SCREENSHOTS` names a folder. */
export const keep = async (page: Page, name: string): Promise<void> => {
  if (screenshots === undefined) return
  mkdirSync(screenshots, { recursive: true })
  // What sticks to the window stands where it belongs.
  await page.evaluate(() => window.scrollTo(0, 0))
  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true })
}

/** Pictures of a page in both themes and on a phone; fails if it is wider than the phone. */
export const keepAll = async (page: Page, name: string): Promise<void> => {
  await keep(page, name)
  await page.emulateMedia({ colorScheme: 'dark' })
  await keep(page, `${name}-dark`)
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(phone.viewport)
  // What watches its own size follows a frame later.
  await expect.poll(() => overflowOf(page), { timeout: 5_000 }).toBe(0)
  await keep(page, `${name}-phone`)
  await page.setViewportSize(desktop.viewport)
}

const figure = (page: Page, name: string) =>
  page.locator('.figure').filter({ hasText: name }).locator('.money').first()

/** Exact amount of a figure, in smallest units, from its title. */
export const amountOf = async (page: Page, name: string): Promise<number> => {
  const title = await figure(page, name).getAttribute('title')
  return Number(title?.replaceAll(/[^\d]/g, ''))
}

/** Pixels by which a page is wider than its window. */
export const overflowOf = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

/** Fails on what axe calls a serious or critical violation of WCAG 2.2 A and AA. */
export const expectAccessible = async (page: Page): Promise<void> => {
  // What is still fading in has less contrast than what is there.
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.evaluate(axe.source)
  const found = await page.evaluate(async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
    const { violations, passes } = await (
      window as unknown as { axe: typeof import('axe-core') }
    ).axe.run(document, { runOnly: tags })
    const serious = violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
    return { serious, passes: passes.length }
  })
  expect(found.passes).toBeGreaterThan(5)
  expect(found.serious).toEqual([])
}

/** The demo's first agreement, as soon as it is open. */
export const firstAgreementAt = (url: string): Promise<AgreementSummary> =>
  vi.waitFor(
    async () => {
      const [agreement] = await createClient({ url }).agreements()
      if (!agreement) throw new Error('the demo has no agreement yet')
      return agreement
    },
    { timeout: 60_000, interval: 200 },
  )

/** The button of whoever looks, in the head of the page: not those of the dialog that it opens. */
export const account = (page: Page, name: string) =>
  page.locator('.top-end > button').filter({ hasText: name })

/** Signs in as one of the demo's people. */
export const signInAs = async (page: Page, name: string): Promise<void> => {
  await account(page, 'Sign in').click()
  await page.getByRole('dialog').getByRole('button', { name }).click()
  await account(page, name).waitFor()
}
