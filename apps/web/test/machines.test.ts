import { createClient, type MachineSummary } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Demo, startBrowser, startDemo } from './harness.ts'
import {
  expectAccessible,
  firstAgreementAt,
  keep,
  keepAll,
  overflowOf,
  phone,
  signInAs,
  visitIn,
} from './visit.ts'

let demo: Demo
let browser: Browser

beforeAll(async () => {
  browser = await startBrowser()
  demo = await startDemo()
  await vi.waitFor(
    async () => expect((await machines()).filter(({ place }) => place)).toHaveLength(3),
    { timeout: 60_000, interval: 200 },
  )
}, 180_000)

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
}, 300_000)

const machines = () => createClient({ url: demo.url }).machines()

const visit = (
  path: string,
  look: (page: Page) => Promise<void>,
  options?: BrowserContextOptions,
) => visitIn(browser, new URL(path, demo.url), look, options)

const namesIn = (page: Page) => page.locator('.machine-table tbody th a').allTextContents()

/** Makes the page believe in other machines: copies of the demo's first, each changed by its number. */
const showing = async (
  page: Page,
  count: number,
  change: (index: number) => Partial<MachineSummary>,
) => {
  const [first] = await machines()
  const json = Array.from({ length: count }, (_, index) => ({
    ...first,
    machineId: String(index + 1),
    name: `Machine ${index + 1}`,
    ...change(index),
  }))
  await page.context().route('**/v1/machines?*', (route) => route.fulfill({ json }))
  await page.reload()
}

/** Focuses what a selector names by the Tab key alone. */
const tabTo = async (page: Page, selector: string) => {
  for (let tabs = 0; tabs < 30; tabs += 1) {
    await page.keyboard.press('Tab')
    if (await page.evaluate((to) => document.activeElement?.matches(to), selector)) return
  }
  throw new Error(`thirty tabs do not reach ${selector}`)
}

describe('list', () => {
  test('shows state, owner, last reading and income today, and leads to each machine', async () => {
    await firstAgreementAt(demo.url)
    await visit('/', async (page) => {
      await page.getByRole('link', { name: 'Machines', exact: true }).click()
      await page.locator('.machine-table tbody tr').nth(2).waitFor()
      expect(await namesIn(page)).toEqual(['Silo 1 wheat', 'Silo 2 rye', 'Silo 3 bran'])
      const row = page.getByRole('row', { name: /Silo 1 wheat/ })
      await row.getByText('active').waitFor()
      await row.getByText('Silowerk AG').waitFor()
      await row.getByText(/\d s ago/).waitFor()
      await row.getByRole('img', { name: /level of the last 15 minutes/ }).waitFor()
      const income = row.locator('.cell-income .money')
      const amount = async () => Number((await income.getAttribute('title'))?.replace(/\D/g, ''))
      await expect.poll(amount).toBeGreaterThan(0)
      // All of a demo's life is today, unless midnight was a moment ago.
      const [machine] = await machines()
      expect(await amount()).toBeLessThanOrEqual(Number(machine?.settledMinor))
      await page.locator('.map-land[d]').waitFor()
      await keepAll(page, 'machines')
      await expectAccessible(page)
      await row.getByRole('link').click()
      await page.getByRole('heading', { level: 1, name: /Silo 1 wheat/ }).waitFor()
    })
  })

  test('is filtered and ordered by keyboard, and the address is the view', async () => {
    await visit('/machines', async (page) => {
      await page.locator('.machine-table tbody tr').nth(2).waitFor()
      await tabTo(page, 'input[type="search"]')
      await page.keyboard.type('rye')
      await expect.poll(() => namesIn(page)).toEqual(['Silo 2 rye'])
      await page.waitForURL(/find=rye/)
      await page.reload()
      await expect.poll(() => namesIn(page)).toEqual(['Silo 2 rye'])
      await tabTo(page, '.machine-filters button')
      await page.keyboard.press('Enter')
      await expect.poll(async () => (await namesIn(page)).length).toBe(3)
      await tabTo(page, '.machine-filters select')
      await page.keyboard.press('s')
      await page.getByText('No machine fits').waitFor()
      await page.waitForURL(/state=suspended/)
    })
    await visit('/machines?find=3&state=active&order=%22nonsense%22', async (page) => {
      await expect.poll(() => namesIn(page)).toEqual(['Silo 3 bran'])
    })
  })

  test('finds those that need attention, says why, and puts the longest silent first', async () => {
    const nowMs = Date.now()
    await visit('/machines', async (page) => {
      await showing(page, 4, (index) => ({
        state: index === 1 ? 'suspended' : 'active',
        lastReadingMs: nowMs - (index === 2 ? 3_600_000 : 60_000 + index),
        silentAfterMs: 900_000,
        lastRefusalMs: index === 3 ? nowMs : null,
        refused: index,
      }))
      await page.getByText(/4 machines.*3 need attention/).waitFor()
      await page.getByLabel('Needs attention').check()
      await expect.poll(() => namesIn(page)).toEqual(['Machine 2', 'Machine 3', 'Machine 4'])
      for (const [name, why] of [
        ['Machine 2', 'suspended'],
        ['Machine 3', 'silent for long'],
        ['Machine 4', 'refused today'],
      ] as const) {
        await page.getByRole('row', { name }).getByText(why, { exact: true }).waitFor()
      }
      await page.getByLabel('Order').selectOption('Longest silent')
      await expect.poll(async () => (await namesIn(page))[0]).toBe('Machine 3')
      await page.getByLabel('Order').selectOption('Most refused')
      await expect.poll(async () => (await namesIn(page))[0]).toBe('Machine 4')
    })
  })

  test('shows one’s own first', async () => {
    await visit('/machines', async (page) => {
      await signInAs(page, 'City council')
      await page.getByText('None of yours does').waitFor()
      await page.getByLabel('All', { exact: true }).check({ force: true })
      await page.waitForURL(/whose=all/)
      await expect.poll(async () => (await namesIn(page)).length).toBe(3)
    })
  })
})

describe('map', () => {
  test('marks are links with names, in the table’s colours', async () => {
    await visit('/machines', async (page) => {
      const marks = page.locator('.map-mark')
      await expect.poll(() => marks.count()).toBe(3)
      await page.getByRole('link', { name: 'Silo 2 rye, active' }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: /Silo 2 rye/ }).waitFor()
    })
  })

  test('a thousand machines are marks that do not overlap; a mark of many is looked at closer', async () => {
    await visit('/machines', async (page) => {
      // Forty towns of 25 machines, those of the last one within a hall.
      await showing(page, 1_000, (index) => ({
        place: {
          latitudeE7:
            480_000_000 + ((index % 40) % 8) * 7_000_000 + (index % 40 === 39 ? 0 : index),
          longitudeE7:
            -20_000_000 + Math.floor((index % 40) / 8) * 40_000_000 + (index % 7) * 10_000,
          from: 'owner',
        },
      }))
      const cluster = page.locator('.map-cluster').first()
      await cluster.waitFor()
      const overlapping = () =>
        page.locator('.map-mark').evaluateAll((marks) => {
          const at = marks.map((mark) => mark.getBoundingClientRect())
          return at.filter((a, index) =>
            at.some((b, other) => other > index && Math.hypot(a.x - b.x, a.y - b.y) < 24),
          ).length
        })
      const sum = () =>
        page
          .locator('.map-cluster')
          .evaluateAll((marks) =>
            marks.reduce((all, { textContent }) => all + Number(textContent), 0),
          )
      expect(await page.locator('.map-mark').count()).toBeLessThan(200)
      expect(await overlapping()).toBe(0)
      expect(await sum()).toBe(1_000)
      expect(await page.locator('.machine-table tbody tr').count()).toBe(1_000)
      await keep(page, 'machines-many')
      await cluster.click()
      await page.getByRole('button', { name: 'Show the whole map' }).waitFor()
      await expect.poll(sum).toBeLessThan(1_000)
      expect(await overlapping()).toBe(0)
    })
  })

  test('machines at one place are named under the map; without any place the page says how to give one', async () => {
    const here = { latitudeE7: -338_568_000, longitudeE7: 1_512_153_000, from: 'owner' } as const
    await visit('/machines', async (page) => {
      await showing(page, 3, (index) => ({ place: index < 2 ? here : null }))
      await page.getByText('1 more without a place').waitFor()
      await page.getByRole('button', { name: /2 machines/ }).click()
      await page
        .getByText(/At this place/)
        .getByRole('link', { name: 'Machine 2' })
        .waitFor()
      await page.context().unroute('**/v1/machines?*')
      await showing(page, 3, () => ({ place: null }))
      await page.getByText(/None of these machines has a place/).waitFor()
      expect(await page.locator('.map').count()).toBe(0)
    })
  })
})

describe('a machine', () => {
  test('its owner says where it stands, and takes it back', async () => {
    await visit('/machines/1', async (page) => {
      await page.getByText('53.518° N, 9.989° E').waitFor()
      await page.getByText('as its owner says').waitFor()
      await signInAs(page, 'Silowerk AG')
      await page.getByRole('button', { name: 'Change its place' }).click()
      const dialog = page.getByRole('dialog')
      const save = dialog.getByRole('button', { name: 'Keep this place' })
      await dialog.getByLabel('Latitude').fill('95')
      await save.click()
      await dialog.getByText('The latitude is no number from -90 to 90.').waitFor()
      await dialog.getByLabel('Latitude').fill('54.3233')
      await dialog.getByLabel('Longitude').fill('10,1394')
      await expectAccessible(page)
      await save.click()
      await page.getByText('54.3233° N, 10.1394° E').waitFor()
      expect((await machines())[0]?.place).toEqual({
        latitudeE7: 543_233_000,
        longitudeE7: 101_394_000,
        from: 'owner',
      })
      await page.getByRole('button', { name: 'Change its place' }).click()
      await dialog.getByRole('button', { name: 'Take it off the map' }).click()
      await page.getByRole('button', { name: 'Give it a place' }).waitFor()
      expect((await machines())[0]?.place).toBeNull()
    })
  })

  test('says in words why something is not paid, and leads to its evidence', async () => {
    await visit('/machines/1', async (page) => {
      await page
        .getByText(/temperature, \d+ envelopes: no agreement meters this stream\./)
        .waitFor()
      const [newest] = await createClient({ url: demo.url }).envelopes('1', { limit: 1 })
      await page
        .context()
        .route('**/v1/machines/1/unpriced', (route) =>
          route.fulfill({ json: [{ ...newest, seq: '17', code: 'IMPLAUSIBLE' }] }),
        )
      const refusal = { code: 'SIGNATURE_INVALID', message: 'level 4', atMs: Date.now() }
      await page
        .context()
        .route('**/v1/machines/1/refusals', (route) => route.fulfill({ json: [refusal] }))
      await page.reload()
      await page.getByText('The signature does not verify').waitFor()
      const unpriced = page.getByRole('link', { name: /It changed faster than the agreed limit/ })
      expect(await unpriced.textContent()).toContain('number 17')
      await keep(page, 'machine-unpaid')
      await unpriced.click()
      await page.waitForURL(`**/evidence/${newest?.logIndex}`)
    })
  })
})

test('the list fits a phone, in the dark too, and axe finds nothing serious', async () => {
  await visit(
    '/machines',
    async (page) => {
      await page.locator('.machine-table tbody tr').nth(2).waitFor()
      await page.locator('.map-mark').first().waitFor()
      expect(await overflowOf(page)).toBe(0)
    },
    phone,
  )
  await visit(
    '/machines',
    async (page) => {
      await page.locator('.machine-table tbody tr').nth(2).waitFor()
      await page.locator('.map-land[d]').waitFor()
      await expectAccessible(page)
    },
    { viewport: { width: 1200, height: 900 }, locale: 'en-GB', colorScheme: 'dark' },
  )
})
