import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withPennilessWallet, withWalletOf } from './browser-wallet.ts'
import {
  type Demo,
  type EmptyNode,
  runCommand,
  startBrowser,
  startDemo,
  startEmptyNode,
} from './harness.ts'
import {
  account,
  desktop,
  expectAccessible,
  firstAgreementAt,
  keep,
  overflowOf,
  phone,
  signInAs,
  visitIn,
} from './visit.ts'

let demo: Demo
let empty: EmptyNode
let browser: Browser
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liquefy-failures-'))
  browser = await startBrowser()
  ;[demo, empty] = await Promise.all([startDemo(), startEmptyNode()])
}, 300_000)

afterAll(async () => {
  await browser?.close()
  await Promise.all([demo?.stop(), empty?.stop()])
  rmSync(folder, { recursive: true, force: true })
}, 300_000)

const visit = (
  path: string,
  look: (page: Page) => Promise<void>,
  options?: BrowserContextOptions,
) => visitIn(browser, new URL(path, demo.url), look, options)

const visitEmpty = (
  path: string,
  look: (page: Page) => Promise<void>,
  options?: BrowserContextOptions,
) => visitIn(browser, new URL(path, empty.url), look, options)

/** Lets the page have another answer than the node's. */
const answering = (page: Page, path: string, json: unknown, status = 200) =>
  page.context().route(`**${path}`, (route) => route.fulfill({ json, status }))

const live = (page: Page) => page.getByText('Live', { exact: true })

describe('an error in the page itself', () => {
  test('stops one page: says so, gives details for a report, and the others go on', async () => {
    await visit('/', async (page) => {
      await live(page).waitFor()
      await page.locator('.machine-card').first().waitFor()
      const machine = await createClient({ url: demo.url }).machine('1')
      await answering(page, '/v1/machines/1?*', { ...machine, agreements: null })
      await page.locator('.machine-card').first().click()
      const problem = page.getByRole('alert')
      await problem.getByRole('heading', { name: 'This page stopped' }).waitFor()
      await problem.getByText('Details for a report').click()
      expect(await problem.locator('pre').textContent()).toMatch(/\/machines\/1\n.*TypeError/s)
      await expectAccessible(page)
      await keep(page, 'page-stopped')
      await page.setViewportSize(phone.viewport)
      expect(await overflowOf(page)).toBe(0)
      await keep(page, 'page-stopped-phone')
      await page.getByRole('link', { name: 'Liquefy' }).click()
      await page.locator('.machine-card').nth(2).waitFor()
      await page.context().unroute('**/v1/machines/1?*')
      await page.locator('.machine-card').first().click()
      await page.getByRole('heading', { level: 1, name: /Silo 1/ }).waitFor()
    })
  })

  test('stops one part of a page, and what stands beside it goes on', async () => {
    await visit('/', async (page) => {
      const operation = await createClient({ url: demo.url }).operation()
      await answering(page, '/v1/operation', { ...operation, log: { anchored: null } })
      await page.getByRole('link', { name: 'Operation' }).click()
      await page.getByRole('heading', { name: 'Ledger and evidence log stopped' }).waitFor()
      await page.getByText('Envelopes a second', { exact: true }).waitFor()
      await keep(page, 'part-stopped')
      await page.context().unroute('**/v1/operation')
      await expect
        .poll(async () => {
          await page.getByRole('button', { name: 'Try again' }).click({ timeout: 1_000 })
          return page.getByText('Envelopes in the log').count()
        })
        .toBe(1)
    })
  })

  test('outside of any part is told calmly, and put away', async () => {
    const context = await browser.newContext(desktop)
    const page = await context.newPage()
    await page.goto(demo.url)
    await live(page).waitFor()
    const notice = page.locator('.notice').filter({ hasText: 'Something on this page went wrong' })
    for (const fault of [
      () => void setTimeout(() => decodeURI('%')),
      () => void Promise.reject(new URIError('URI malformed')),
    ]) {
      await page.evaluate(fault)
      await notice.getByText('URI malformed What you see goes on').waitFor()
      await page.locator('.machine-card').nth(2).waitFor()
      await notice.getByRole('button', { name: 'Go on' }).click()
      await notice.waitFor({ state: 'detached' })
    }
    await context.close()
  })

  test('a part that does not arrive, as after an upgrade of the node: says so, and comes when it can', async () => {
    await visit('/', async (page) => {
      await live(page).waitFor()
      const part = '**/assets/operation-*.js'
      await page.context().route(part, (route) => route.fulfill({ status: 404 }))
      await page.getByRole('link', { name: 'Operation' }).click()
      await page.getByRole('heading', { name: 'This page did not arrive' }).waitFor()
      await page.getByText(/it was upgraded since this page was opened/).waitFor()
      await keep(page, 'part-missing')
      await page.context().unroute(part)
      await page.getByRole('button', { name: 'Load the page again' }).click()
      await page.getByRole('heading', { level: 1, name: 'Operation' }).waitFor()
    })
  })

  test('without JavaScript, or in a browser that cannot run it: words instead of nothing', async () => {
    await visit(
      '/',
      async (page) => {
        await page.getByRole('heading', { name: 'Liquefy needs JavaScript' }).waitFor()
        await page.getByText('Liquefy is loading').waitFor({ state: 'hidden' })
        await keep(page, 'without-javascript')
      },
      { ...desktop, javaScriptEnabled: false },
    )
    const context = await browser.newContext(phone)
    await context.route('**/assets/index-*.js', (route) => route.abort())
    const page = await context.newPage()
    await page.goto(demo.url)
    await page.getByText(/this browser is too old for the page/).waitFor()
    await keep(page, 'never-started-phone')
    await context.close()
  })
})

describe('an answer that is none', () => {
  test('an error of the node: its words, and a way to try again', async () => {
    await visit('/', async (page) => {
      const problem = { code: 'DATABASE_DOWN', message: 'The database is away.' }
      await answering(page, '/v1/machines?*', problem, 503)
      await page.reload()
      await page.getByText('The database is away.').waitFor()
      await page.context().unroute('**/v1/machines?*')
      await page.getByRole('button', { name: 'Try again' }).click()
      await page.locator('.machine-card').nth(2).waitFor()
    })
  })

  test('an agreement that is not there, and an address that is none', async () => {
    await visit(`/agreements/0x${'11'.repeat(32)}`, async (page) => {
      await page.getByText('Could not load this agreement').waitFor()
    })
    await visit('/agreements/0x12', async (page) => {
      await page.getByText('Could not load this agreement').waitFor()
      let asked = 0
      page.on('request', (request) => {
        if (request.url().endsWith('/v1/agreements/0x12')) asked += 1
      })
      await page.reload()
      await page.getByText('Could not load this agreement').waitFor()
      expect(asked).toBe(1)
    })
    await visit('/nowhere', async (page) => {
      await page.getByText('There is no such page').waitFor()
    })
  })
})

/** Signs in by the wallet in the browser. */
const signInByWallet = async (page: Page, name: string) => {
  await account(page, 'Sign in').click()
  await page.getByRole('button', { name: 'Wallet in this browser' }).click()
  await account(page, name).waitFor()
}

const problemWords = (page: Page) => page.locator('.problem-words')

const ELSEWHERE = { chainId: 1, refuses: ['wallet_switchEthereumChain'] }

describe('a wallet that does not go along', () => {
  test('funding: refused, on another network, too little money', async () => {
    const { agreementId } = await firstAgreementAt(demo.url)
    const { chainId } = await createClient({ url: demo.url }).deployment()
    await visit(`/agreements/${agreementId}`, async (page) => {
      const wallet = await withWalletOf(page, demo.url, 'Nordmühle GmbH')
      await signInByWallet(page, 'Nordmühle GmbH')
      const put = page.getByRole('button', { name: 'Put into escrow' })
      const amount = page.getByLabel('Amount in tEUR')
      await amount.fill('1.5')

      wallet.change({ refuses: ['eth_sendTransaction'] })
      await put.click()
      await problemWords(page).getByText('You refused it in the wallet').waitFor()
      await keep(page, 'funding-refused')

      wallet.change(ELSEWHERE)
      await put.click()
      await problemWords(page)
        .getByText(`The wallet is on another network. Switch it to chain ${chainId}`)
        .waitFor()

      wallet.change({ chainId, refuses: [] })
      await amount.fill('98765432109')
      await put.click()
      await problemWords(page)
        .getByText(/Your account has [\d.]+ tEUR, and 98765432109(\.0+)? tEUR are needed/)
        .waitFor()
      await expectAccessible(page)

      await amount.fill('1.5')
      await put.click()
      await page.getByText('1.5 tEUR more in escrow.').waitFor()
    })
  })

  test('withdrawing: refused, on another network', async () => {
    const { agreementId } = await firstAgreementAt(demo.url)
    const { chainId } = await createClient({ url: demo.url }).deployment()
    await visit(`/agreements/${agreementId}`, async (page) => {
      const wallet = await withWalletOf(page, demo.url, 'Silowerk AG')
      await signInByWallet(page, 'Silowerk AG')
      const take = page.getByRole('button', { name: 'Withdraw' })
      wallet.change({ refuses: ['eth_sendTransaction'] })
      await take.click()
      await problemWords(page).getByText('You refused it in the wallet').waitFor()
      wallet.change(ELSEWHERE)
      await take.click()
      await problemWords(page)
        .getByText(`The wallet is on another network. Switch it to chain ${chainId}`)
        .waitFor()
    })
  })
})

/** What a device of its own signs for whoever shall own it. */
const deviceFor = async (name: string, owner: string): Promise<string> => {
  const device = join(folder, name)
  await runCommand(empty, ['machine', 'keygen', device])
  return (await runCommand(empty, ['machine', 'prove', device, '--owner', owner])).trim()
}

describe('a node on which nothing has happened yet', () => {
  test('each page says what to do next', async () => {
    await visitEmpty('/', async (page) => {
      await page.getByText('No machines yet').waitFor()
      await page.getByText('No agreements yet').waitFor()
      await expectAccessible(page)
      await keep(page, 'overview-empty')
      await page.getByRole('main').getByRole('link', { name: 'Add one here' }).click()
      await page.getByText('Sign in first').waitFor()
      await page.getByRole('link', { name: 'Operation' }).click()
      await page.getByText('Nothing needs you.').waitFor()
      await page.getByText('the first reading brings the first one').waitFor()
      await page.getByText('nothing is settled yet').waitFor()
      await page.getByText('Nothing: all that arrived was logged.').waitFor()
      await keep(page, 'operation-empty')
      await page.getByRole('link', { name: 'Check evidence' }).click()
      await page.getByText(/Give a file of evidence/).waitFor()
    })
    await visitEmpty('/machines/1', async (page) => {
      await page.getByText('Could not load this machine').waitFor()
    })
  })

  test('registering with a wallet that has nothing for gas: how much it has, and how much is needed', async () => {
    await visitEmpty('/machines/new', async (page) => {
      const { address } = await withPennilessWallet(page, empty.url)
      await signInByWallet(page, address.toLowerCase().slice(0, 8))
      const line = page.getByLabel('The line that the second command printed')
      await line.fill(await deviceFor('penniless', address))
      await page.getByRole('button', { name: 'Register and make active' }).click()
      await problemWords(page)
        .getByText(/has 0 ETH, and up to 0\.\d+ ETH of gas are needed/)
        .waitFor()
      await keep(page, 'registering-without-gas')
    })
  })

  test('registering: refused at each step, and gone on with where it was', async () => {
    await visitEmpty('/machines/new', async (page) => {
      const { chainId } = await createClient({ url: empty.url }).deployment()
      const wallet = await withWalletOf(page, empty.url, 'Collector Ltd')
      await signInByWallet(page, 'Collector Ltd')
      const line = page.getByLabel('The line that the second command printed')
      await line.fill(await deviceFor('refused', wallet.address))
      const register = page.getByRole('button', { name: 'Register and make active' })
      wallet.change(ELSEWHERE)
      await register.click()
      await problemWords(page).getByText('The wallet is on another network').waitFor()
      wallet.change({ chainId, refuses: ['eth_sendTransaction'] })
      await register.click()
      await problemWords(page).getByText('You refused it in the wallet').waitFor()
      expect(await problemWords(page).textContent()).not.toContain('What was done before')

      wallet.change({ refuses: [], sends: 1 })
      await register.click()
      await problemWords(page).getByText('What was done before stands: 1 of 2').waitFor()
      wallet.change({ sends: 1 })
      await register.click()
      await page.getByText(/Machine \d+ is registered and active/).waitFor()
    })
  })

  test('killed while the page is open: what is seen is told to be old, nothing can be done, and it heals by itself', async () => {
    await visitEmpty('/machines/new', async (page) => {
      await signInAs(page, 'City council')
      const { people } = await createClient({ url: empty.url }).deployment()
      const owner = people.find(({ name }) => name === 'City council')?.address ?? ''
      const line = page.getByLabel('The line that the second command printed')
      await line.fill(await deviceFor('killed', owner))
      const register = page.getByRole('button', { name: 'Register and make active' })
      await register.waitFor()
      const watching = await page.context().newPage()
      await watching.goto(new URL('/operation', empty.url).href)
      await watching.getByText('Nothing needs you.').waitFor()

      await empty.kill()
      await page.getByRole('heading', { name: 'The node does not answer' }).waitFor()
      await page.getByText(/it is as it was \d+ s ago/).waitFor()
      await page.getByText(/this can be done again when it is back/).waitFor()
      expect(await register.isDisabled()).toBe(true)
      await watching.getByText('LiquefyNodeDown').waitFor()
      await watching.getByText(/Stands still: as it was/).waitFor()
      await expectAccessible(watching)
      await keep(watching, 'node-down')
      await keep(page, 'node-down-registering')
      await watching.getByRole('link', { name: 'Check evidence' }).click()
      await watching.getByRole('heading', { name: 'This page did not arrive' }).waitFor()

      await empty.startAgain()
      await live(page).waitFor()
      await page
        .getByRole('heading', { name: 'The node does not answer' })
        .waitFor({ state: 'detached' })
      await watching.getByText(/Give a file of evidence/).waitFor()
      await watching.getByRole('link', { name: 'Operation' }).click()
      await watching.getByText('Nothing needs you.').waitFor()
      await register.click()
      await page.getByText(/Machine \d+ is registered and active/).waitFor()
    })
  })
})
