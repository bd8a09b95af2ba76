import { createClient } from '@liquefy/client'
import { hoursOver, mondayOf, wallHourAt, weekOfDay } from '@liquefy/protocol'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Demo, demoIsSetUp, runCommand, startBrowser, startDemo } from './harness.ts'
import {
  expectAccessible,
  firstAgreementAt,
  keepAll,
  overflowOf,
  phone,
  signInAs,
  visitIn,
} from './visit.ts'

const ZONE = 'Europe/Berlin'
const OWNER = 'Silowerk AG'
const BUYER = 'Nordmühle GmbH'
const saturday = (hour: number) => 5 * 24 + hour

let demo: Demo
let browser: Browser

beforeAll(async () => {
  browser = await startBrowser()
  demo = await startDemo()
  await firstAgreementAt(demo.url)
  await demoIsSetUp(demo)
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
}, 300_000)

const visit = (
  path: string,
  look: (page: Page) => Promise<void>,
  options?: Parameters<typeof visitIn>[3],
) => visitIn(browser, new URL(path, demo.url), look, options)

const thisWeek = () => wallHourAt(ZONE, Date.now()).week
const hour = (page: Page, of: number) => page.locator(`button[data-hour="${of}"]`)
const nextWeek = () => `/machines/1/calendar?week=${thisWeek() + 1}`

/** The owner gives hours away, four weeks from next week on. */
const give = (to: string, hours: readonly string[]) => {
  const when = ['--from', mondayOf(thisWeek() + 1), '--weeks', '4']
  return runCommand(demo, ['right', 'issue', '1', ...hours, ...when, '--to', to, '--as', OWNER])
}

/** Drags the mouse from one hour to another. */
const drag = async (page: Page, from: number, to: number) => {
  await hour(page, from).hover()
  await page.mouse.down()
  await hour(page, to).hover()
  await page.mouse.up()
}

describe('the week of a machine', () => {
  test('without a calendar it says what its owner can do, and he begins one and puts hours on sale', async () => {
    await visit('/machines/1', async (page) => {
      await page.getByRole('link', { name: /Calendar/ }).click()
      await page.getByText('No calendar yet').waitFor()
      await expectAccessible(page)
      await signInAs(page, OWNER)
      await page.getByLabel('Time zone of its weeks').fill('Mars/Base')
      expect(await page.getByRole('button', { name: 'Begin the calendar' }).isDisabled()).toBe(true)
      await page.getByLabel('Time zone of its weeks').fill(ZONE)
      await page.getByRole('button', { name: 'Begin the calendar' }).click()
      await page.getByText('Nothing is on sale.').waitFor({ timeout: 30_000 })
      await page.getByLabel(/An hour costs/).fill('12.00')
      await page.getByRole('button', { name: 'Put on sale for a year' }).click()
      await page.getByText('On sale.', { exact: true }).waitFor({ timeout: 30_000 })
    })
  }, 120_000)

  test('hours are chosen by dragging, priced before they are bought, bought by wallet, and then held', async () => {
    await visit(nextWeek(), async (page) => {
      await page.getByRole('heading', { level: 2, name: /Week of/ }).waitFor()
      await signInAs(page, BUYER)
      await hour(page, saturday(8)).waitFor()
      await drag(page, saturday(8), saturday(11))
      await page.getByText('Saturday 8-12', { exact: false }).first().waitFor()
      await page.getByLabel('Every week, so many weeks').fill('12')
      await page.getByText('every Saturday 8-12, 12 weeks from', { exact: false }).waitFor()
      const price = page.locator('form .money').first()
      expect((await price.getAttribute('title'))?.startsWith('576.00')).toBe(true)
      await page.getByRole('button', { name: 'Buy these hours' }).click()
      await page
        .getByText(/every Saturday 8-12, 12 weeks from .+/)
        .first()
        .waitFor()
      await hour(page, saturday(8)).and(page.locator('.hour-mine')).waitFor({ timeout: 30_000 })
      // Another's hours, and a quota to book by.
      await give(OWNER, ['--hours', 'Mon-Fri 9-17'])
      await give(BUYER, ['--per-week', '10'])
      await hour(page, 9).and(page.locator('.hour-taken')).waitFor({ timeout: 40_000 })
      await page.getByText('10 hours a week', { exact: false }).waitFor({ timeout: 30_000 })
      await drag(page, 6 * 24 + 10, 6 * 24 + 13)
      await page.getByText('Sunday 10-14', { exact: false }).first().waitFor()
      await keepAll(page, 'calendar')
      await expectAccessible(page)
    })
  }, 240_000)

  test('by keyboard: booked by a quota, and given back', async () => {
    await visit(nextWeek(), async (page) => {
      await signInAs(page, BUYER)
      await hour(page, 9).and(page.locator('.hour-taken')).waitFor({ timeout: 30_000 })
      await page.getByText('10 hours a week', { exact: false }).waitFor({ timeout: 30_000 })
      await hour(page, 8).focus()
      for (let steps = 0; steps < 6; steps += 1) await page.keyboard.press('ArrowRight')
      await page.keyboard.press('Space')
      await page.keyboard.press('Shift+ArrowDown')
      await page.getByText('Sunday 8-10', { exact: false }).first().waitFor()
      await page.getByRole('button', { name: /Book by right/ }).click()
      await hour(page, 6 * 24 + 9)
        .and(page.locator('.hour-mine'))
        .waitFor({ timeout: 30_000 })
      await hour(page, 6 * 24 + 9).click()
      await page.getByRole('button', { name: /Give them back/ }).click()
      await hour(page, 6 * 24 + 9)
        .and(page.locator('.hour-sale'))
        .waitFor({ timeout: 30_000 })
    })
  }, 120_000)

  test('a right is lent, and taken back', async () => {
    await visit(nextWeek(), async (page) => {
      await signInAs(page, BUYER)
      const right = page.locator('.rights li').filter({ hasText: 'every Saturday 8-12' })
      await right.getByLabel(/Lend it/).fill(`0x${'ab'.repeat(20)}`)
      await right.getByRole('button', { name: 'Lend' }).click()
      await right.getByRole('button', { name: 'Take it back' }).waitFor({ timeout: 30_000 })
      await hour(page, saturday(8)).and(page.locator('.hour-taken')).waitFor({ timeout: 30_000 })
      await right.getByRole('button', { name: 'Take it back' }).click()
      await right.getByRole('button', { name: 'Lend' }).waitFor({ timeout: 30_000 })
    })
  }, 120_000)

  test('weeks in which the clock changes are shown as they are', async () => {
    await visit(`/machines/1/calendar?week=${weekOfDay('2027-03-28')}`, async (page) => {
      await page.getByText('Sunday 2-3 does not exist').waitFor()
      await page.getByText('The week has 167 hours', { exact: false }).waitFor()
      await page.getByRole('link', { name: 'Later' }).click()
      await page.waitForURL(/week=\d+/)
    })
    await visit(`/machines/1/calendar?week=${weekOfDay('2027-10-31')}`, async (page) => {
      await page.getByText('Sunday 2-3 lasts 2 hours').waitFor()
      expect(await hour(page, 6 * 24 + 2).textContent()).toBe('2 h')
    })
  }, 60_000)

  test('on a phone hours are tapped, and nothing is wider than the window', async () => {
    await visit(
      nextWeek(),
      async (page) => {
        await hour(page, saturday(20)).tap()
        await page.getByText('Saturday 20-21', { exact: false }).first().waitFor()
        await page.getByText('Sign in to buy or book them.').waitFor()
        expect(await overflowOf(page)).toBe(0)
      },
      phone,
    )
  }, 60_000)

  test('what cannot be loaded says what to do', async () => {
    await visit(nextWeek(), async (page) => {
      await page.context().route('**/v1/machines/1/calendar*', (route) =>
        route.fulfill({
          status: 404,
          json: { code: 'MACHINE_UNKNOWN', message: 'No such machine.' },
        }),
      )
      await page.reload()
      await page.getByRole('button', { name: 'Try again' }).waitFor({ timeout: 30_000 })
    })
  }, 60_000)

  test('nothing of the past can be chosen', async () => {
    const nowSeconds = Date.now() / 1_000
    await visit('/machines/1/calendar', async (page) => {
      await hour(page, 0).waitFor()
      if ((hoursOver(thisWeek(), nowSeconds) & 1n) === 0n) return
      await hour(page, 0).click()
      expect(await hour(page, 0).getAttribute('aria-pressed')).toBe('false')
    })
    expect((await createClient({ url: demo.url }).machineCalendar('1')).zone).toBe(ZONE)
  }, 60_000)
})
