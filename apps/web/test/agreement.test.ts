import { type AgreementSummary, type Client, createClient } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Demo, startBrowser, startDemo } from './harness.ts'
import {
  amountOf,
  desktop,
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
let client: Client
let agreement: AgreementSummary
/** Of its first settlement. */
let place: string

beforeAll(async () => {
  browser = await startBrowser()
  demo = await startDemo()
  client = createClient({ url: demo.url })
  agreement = await firstAgreementAt(demo.url)
  place = await vi.waitFor(
    async () => {
      const first = (await client.settlements(agreement.agreementId)).at(-1)
      if (!first) throw new Error('nothing was paid yet')
      return first.place
    },
    { timeout: 120_000, interval: 500 },
  )
}, 240_000)

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
}, 300_000)

const visit = (
  path: string,
  look: (page: Page) => Promise<void>,
  options?: BrowserContextOptions,
) => visitIn(browser, new URL(path, demo.url), look, options)

const pathOf = () => `/agreements/${agreement.agreementId}`
const settlementPath = () => `${pathOf()}/settlements/${place}`

/** Exact amounts as their titles have them, in smallest units. */
const exact = (amounts: Locator): Promise<number[]> =>
  amounts.evaluateAll((all) =>
    all.map((amount) => Number(amount.getAttribute('title')?.replaceAll(/\D/g, ''))),
  )

/** Owed, included and final as the line under the chart says. */
const readout = (page: Page) => exact(page.getByTestId('money-at').locator('.money'))

describe('money over time', () => {
  test('the chart ends in the figures of the agreement, and can be read by keyboard', async () => {
    await visit(pathOf(), async (page) => {
      await page.getByTestId('money-at').waitFor()
      const figures = async () => {
        const amounts = []
        for (const name of ['Owed', 'Included', 'Final']) amounts.push(await amountOf(page, name))
        return amounts
      }
      await expect
        .poll(async () => {
          const before = await figures()
          const drawn = await readout(page)
          const after = await figures()
          return before.every(
            (amount, at) => amount > 0 && amount === after[at] && amount === drawn[at],
          )
        })
        .toBe(true)
      const slider = page.getByRole('slider', { name: 'Time to read the amounts at' })
      await slider.press('Home')
      expect(await readout(page)).toEqual([0, 0, 0])
      await page.getByText('In numbers').click()
      await page.getByRole('columnheader', { name: 'Until' }).waitFor()
    })
  })

  test('says how long escrow lasts, as the API and the command line do', async () => {
    await visit(pathOf(), async (page) => {
      const words = page.getByText(/at the pace of the last|no end in sight/)
      await expect
        .poll(async () => {
          const { inWords } = await client.escrow(agreement.agreementId)
          return (await words.textContent()) === inWords
        })
        .toBe(true)
    })
  })
})

describe('a settlement', () => {
  test('opens by keyboard to what it rests on, to the unit', async () => {
    const { value, covers, txHash } = await client.settlement(agreement.agreementId, place)
    await visit(pathOf(), async (page) => {
      const row = page.getByRole('button', { name: 'settled' }).last()
      await row.focus()
      await page.keyboard.press('Enter')
      expect(await row.getAttribute('aria-expanded')).toBe('true')
      const trail = page.getByTestId('settlement-evidence')
      await trail.getByText(value?.amountInWords ?? 'none').waitFor()
      await trail.getByTitle(txHash).waitFor()
      await trail.getByText(`number ${covers?.[0]?.seq}`).waitFor()
      await trail.getByText(/with key 1 of machine 1/).waitFor()
      await keep(page, 'agreement-settlement')
      await page.keyboard.press('Enter')
      await trail.waitFor({ state: 'detached' })
    })
  })

  test('its amount is the price of what was measured', async () => {
    const { value, registers, paidMinor } = await client.settlement(agreement.agreementId, place)
    expect(value?.owedMinor).toBe(String(BigInt(registers[0] ?? '0') * 420n))
    expect(paidMinor).toBe(value?.owedMinor)
  })

  test('has an address of its own; from the money to the sensor, and back', async () => {
    await visit(settlementPath(), async (page) => {
      await page.getByRole('heading', { name: 'From the money to the sensor' }).waitFor()
      await page.getByText(/with the log's first/).waitFor()
      await expectAccessible(page)
      await keepAll(page, 'settlement')
      await page
        .getByRole('link', { name: /^number/ })
        .last()
        .click()
      await page.getByRole('heading', { name: 'What paid for it' }).waitFor()
      await keep(page, 'evidence-paid')
      await page.getByRole('link', { name: /A settlement of/ }).click()
      await page.waitForURL(`**${settlementPath()}`)
      await page.getByText(/with the log's first/).waitFor()
      await page.getByRole('link', { name: 'Check this bill' }).click()
      await page.getByRole('button', { name: 'Check this bill' }).waitFor()
    })
  })

  test('one that is not there says so', async () => {
    await visit(`${pathOf()}/settlements/1-0`, async (page) => {
      await page.getByText('Could not load what this settlement rests on').waitFor()
    })
  })

  test('fits a phone in the dark', async () => {
    const options = { ...phone, colorScheme: 'dark' } as const
    await visit(
      settlementPath(),
      async (page) => {
        await page.getByText(/with the log's first/).waitFor()
        expect(await overflowOf(page)).toBe(0)
        await expectAccessible(page)
      },
      options,
    )
  })
})

test('money is watched on its way, and a new settlement becomes final on the page', async () => {
  await visit(pathOf(), async (page) => {
    const steps = page.locator('.settling li')
    await steps.nth(5).waitFor()
    const names = page.locator('.settling-name')
    expect(await names.allTextContents()).toEqual([
      'Measured',
      'Owed',
      'Signed',
      'Sent',
      'Included',
      'Final',
    ])
    const amounts = await exact(steps.locator('> .money'))
    expect(amounts).toEqual(amounts.toSorted((one, other) => other - one))
    const newest = page.locator('.disclosure').first().locator('xpath=../..')
    const before = await newest.locator('code').getAttribute('title')
    await expect
      .poll(() => newest.locator('code').getAttribute('title'), { timeout: 90_000 })
      .not.toBe(before)
    const appeared = await newest.locator('code').getAttribute('title')
    await page
      .locator('tr', { has: page.locator(`code[title="${appeared}"]`) })
      .getByText(/final$/)
      .waitFor()
  })
})

describe.each(['light', 'dark'] as const)('the page in %s', (colorScheme) => {
  test('axe finds nothing serious, with a settlement open; and it fits a phone', async () => {
    const options = { ...desktop, colorScheme, reducedMotion: 'reduce' } as const
    await visit(
      pathOf(),
      async (page) => {
        await page.getByTestId('money-at').waitFor()
        await keep(page, colorScheme === 'dark' ? 'agreement-money-dark' : 'agreement-money')
        await page.getByRole('button', { name: 'settled' }).last().click()
        await page.getByTestId('settlement-evidence').waitFor()
        await expectAccessible(page)
        await page.setViewportSize(phone.viewport)
        expect(await overflowOf(page)).toBe(0)
        if (colorScheme === 'light') await keep(page, 'agreement-money-phone')
      },
      options,
    )
  })
})

test('a long life is read page by page, settlements and periods, never all at once', async () => {
  const one = await client.agreement(agreement.agreementId)
  const [settlement] = one.settlements
  const [period] = one.periods
  if (!settlement || !period) throw new Error('the demo has neither settlement nor period')
  const settlements = Array.from({ length: 20 }, (_, index) => ({
    ...settlement,
    place: `${900 - index}-0`,
  }))
  const periods = Array.from({ length: 100 }, (_, index) => ({ ...period, period: 8_660 + index }))
  await visit('/', async (page) => {
    await page
      .context()
      .route(`**/v1${pathOf()}`, (route) =>
        route.fulfill({ json: { ...one, settlements, periods, periodCount: 8_760 } }),
      )
    const asked: string[] = []
    await page.context().route(/\/(settlements|periods)\?/, (route, request) => {
      const { pathname, search } = new URL(request.url())
      asked.push(`${pathname.split('/').at(-1)}${search}`)
      const json = pathname.endsWith('periods') ? periods.slice(0, 5) : settlements.slice(15)
      return route.fulfill({ json })
    })
    await page.goto(new URL(pathOf(), demo.url).href)
    const rowsOf = (title: string) =>
      page
        .locator('.card')
        .filter({ has: page.getByRole('heading', { name: title, exact: true }) })
        .locator('tbody tr')
        .count()
    const onPages = (settled: number, metered: number) =>
      expect
        .poll(async () => [await rowsOf('Settlements'), await rowsOf('Periods')])
        .toEqual([settled, metered])
    await onPages(15, 12)
    const pages = (what: string) => page.getByRole('navigation', { name: `Pages of ${what}` })
    await pages('settlements').getByRole('button', { name: 'Earlier' }).click()
    await onPages(5, 12)
    await pages('periods').getByRole('button', { name: 'Earlier' }).click()
    await onPages(5, 5)
    await pages('settlements').getByRole('button', { name: 'Newer' }).click()
    await onPages(15, 5)
    expect(asked).toEqual(
      expect.arrayContaining(['settlements?before=886-0&limit=16', 'periods?before=8748&limit=13']),
    )
  })
})

test('where escrow is low, its payer is led to the top-up, and others are told who that is', async () => {
  const notice = {
    agreementId: agreement.agreementId,
    party: agreement.payer,
    role: 'payer',
    kind: 'escrow-low',
    escrowMinor: '4200000',
    unpaidMinor: '3900000',
    fundedMinor: '50000000',
  }
  await visit('/', async (page) => {
    await page.context().route('**/v1/notices', (route) => route.fulfill({ json: [notice] }))
    await page.goto(new URL(pathOf(), demo.url).href)
    await page.getByText('Nordmühle GmbH can top it up here, signed in.').waitFor()
    await signInAs(page, 'Nordmühle GmbH')
    await page.getByRole('link', { name: 'Top up escrow' }).click()
    await page.waitForURL(/#top-up$/)
    await page
      .locator('#top-up')
      .getByLabel(/Amount in/)
      .waitFor()
  })
})
