import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient, type Hex } from '@liquefy/client'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Demo, demoIsSetUp, runCommand, startBrowser, startDemo } from './harness.ts'
import { desktop, expectAccessible, keepAll, overflowOf, phone, signInAs } from './visit.ts'

const SELLER = 'Silowerk AG'

let demo: Demo
let browser: Browser
let seller: Page
let buyer: Page
const contexts: BrowserContext[] = []
const crashes: string[] = []

beforeAll(async () => {
  browser = await startBrowser()
  demo = await startDemo()
  await demoIsSetUp(demo)
  seller = await personAt(SELLER)
  buyer = await personAt('City council')
}, 300_000)

afterAll(async () => {
  for (const context of contexts) await context.close()
  await browser?.close()
  await demo?.stop()
}, 300_000)

const personAt = async (name: string): Promise<Page> => {
  const context = await browser.newContext(desktop)
  contexts.push(context)
  const page = await context.newPage()
  page.on('pageerror', (error) => crashes.push(error.message))
  await page.goto(demo.url)
  await signInAs(page, name)
  return page
}

const go = (page: Page, path: string) => page.goto(new URL(path, demo.url).href)
const cardOf = (page: Page, title: string | RegExp) =>
  page.locator('.order').filter({ has: page.getByRole('heading', { name: title }) })

test('an empty market says what to do, and who is not signed in that he must be', async () => {
  const context = await browser.newContext(phone)
  const page = await context.newPage()
  await go(page, '/market')
  await page.getByText('Nothing of this kind can be had now').waitFor()
  await page.getByText('Sign in to buy, to sell').waitFor()
  expect(await overflowOf(page)).toBe(0)
  await context.close()
}, 60_000)

test('what cannot be sold so is told in a sentence, and nothing is signed', async () => {
  await seller.getByRole('link', { name: 'Market' }).click()
  await seller.getByRole('button', { name: 'Sell, or offer a price' }).click()
  const dialog = seller.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Sign and put up for sale' }).click()
  await dialog.getByRole('alert').getByText('Choose what it is about.').waitFor()
  await dialog.getByLabel('Price in tEUR').fill('1e3')
  await dialog
    .locator('.field-problem')
    .getByText(/not a plain decimal number/)
    .waitFor()
  await expectAccessible(seller)
}, 60_000)

test('a machine is put up for sale in the page', async () => {
  const dialog = seller.getByRole('dialog')
  await dialog.getByLabel('Machine', { exact: true }).nth(1).selectOption({ index: 1 })
  await dialog.getByLabel('Price in tEUR').fill('2500')
  await dialog.getByRole('button', { name: 'Sign and put up for sale' }).click()
  await dialog.getByText(/is for sale\./).waitFor({ timeout: 30_000 })
  await seller.keyboard.press('Escape')
  await seller.locator('.order').getByText('for sale').waitFor({ timeout: 30_000 })
  expect(await seller.locator('.order .money').first().getAttribute('title')).toBe(
    '2,500.000000 tEUR',
  )
}, 120_000)

test('all kinds stand beside each other, and filters narrow them', async () => {
  const client = createClient({ url: demo.url })
  const agreement = (await client.agreements()).find(({ open }) => open)
  const [sold] = (await client.marketOrders({ kind: 'machine' })).orders
  const others = (await client.machines()).filter(({ machineId }) => machineId !== sold?.tokenId)
  const [shared, wanted] = others.map(({ machineId }) => machineId)
  const share = await newShares(shared ?? '')
  const right = await newRights(sold?.tokenId ?? '')
  const sell = (...args: string[]) => runCommand(demo, ['market', 'sell', '--as', SELLER, ...args])
  await sell('--receivable', agreement?.agreementId ?? '', '--price', '120000000')
  await sell('--share', share, '--amount', '40', '--price', '800000000')
  await sell('--right', right, '--price', '40000000')
  const offer = ['market', 'offer', '--as', 'Nordmühle GmbH']
  await runCommand(demo, [...offer, '--machine', wanted ?? '', '--price', '1800000000'])
  await go(buyer, '/market')
  await expect.poll(() => buyer.locator('.order').count(), { timeout: 30_000 }).toBe(5)
  const card = buyer.locator('.order').filter({ hasText: 'Usage rights hold' })
  await card.getByText(/^Saturdays and Sundays 8-12 are held from .* until /).waitFor()
  await cardOf(buyer, /^Usage right/)
    .getByText(/^every Sunday 8-12, 12 weeks from/)
    .waitFor()
  await expectAccessible(buyer)
  await keepAll(buyer, 'market')
  await buyer.getByLabel('Kind').selectOption('receivable')
  await expect.poll(() => buyer.locator('.order').count(), { timeout: 30_000 }).toBe(1)
  await buyer.locator('.order').getByText('In escrow').waitFor()
  await buyer.getByRole('button', { name: 'Show all' }).click()
  await buyer.getByLabel('Price up to').fill('900')
  await expect.poll(() => buyer.locator('.order').count(), { timeout: 30_000 }).toBe(3)
  await buyer.getByLabel('Find by name or id').fill('nothing of this name')
  await buyer.getByText('Nothing of this kind can be had now').waitFor()
  await buyer.getByRole('button', { name: 'Show all' }).click()
  await expect.poll(() => buyer.locator('.order').count(), { timeout: 30_000 }).toBe(5)
}, 300_000)

test('a part of the shares is bought, by keyboard alone, and no more than there are', async () => {
  const card = cardOf(buyer, /40 SILO/)
  await card.getByRole('button', { name: 'Buy' }).focus()
  await buyer.keyboard.press('Enter')
  const dialog = buyer.getByRole('dialog')
  await dialog.getByLabel('How many').fill('41')
  await dialog.getByText('Only 40 are left.').waitFor()
  await dialog.getByLabel('How many').fill('10')
  await expect.poll(() => dialog.locator('.money').getAttribute('title')).toBe('200.000000 tEUR')
  await expectAccessible(buyer)
  await dialog.getByLabel('How many').press('Enter')
  await dialog.getByText(/^Bought for 200\.000000 tEUR/).waitFor({ timeout: 30_000 })
  await buyer.keyboard.press('Escape')
  await card.getByText('for the 30 of 40 that are left').waitFor({ timeout: 30_000 })
}, 120_000)

test('a usage right is bought, and stands among the buyer’s', async () => {
  const card = cardOf(buyer, /^Usage right/)
  await card.getByRole('button', { name: 'Buy' }).click()
  const dialog = buyer.getByRole('dialog')
  await dialog.getByRole('button', { name: 'Pay and take it' }).click()
  await dialog.getByText(/^Bought for 40/).waitFor({ timeout: 30_000 })
  await buyer.keyboard.press('Escape')
  const client = createClient({ url: demo.url })
  const { people } = await client.deployment()
  const city = people.find(({ name }) => name === 'City council')?.address ?? '0x'
  const words = async () => (await client.rights(city)).map((right) => right.words)
  await expect
    .poll(words, { timeout: 30_000 })
    .toEqual([expect.stringContaining('every Sunday 8-12, 12 weeks')])
}, 120_000)

test('the machine is bought, and belongs to the buyer', async () => {
  const { orders } = await createClient({ url: demo.url }).marketOrders({
    side: 'sale',
    kind: 'machine',
  })
  const [order] = orders
  await buyer.getByRole('button', { name: new RegExp(`^Buy ?: ${order?.title}$`) }).click()
  const dialog = buyer.getByRole('dialog')
  await dialog.getByText('You get its control').waitFor()
  await dialog.getByRole('button', { name: 'Pay and take it' }).click()
  await dialog.getByText(/^Bought for 2,500/).waitFor({ timeout: 30_000 })
  await buyer.keyboard.press('Escape')
  const client = createClient({ url: demo.url })
  const { people } = await client.deployment()
  const city = people.find(({ name }) => name === 'City council')
  await expect
    .poll(async () => (await client.machine(order?.tokenId ?? '')).owner, { timeout: 30_000 })
    .toBe(city?.address.toLowerCase())
}, 120_000)

test('an order is taken back, and what is over stands among one’s own', async () => {
  await go(seller, '/market')
  const card = cardOf(seller, /Income of agreement/)
  await card.getByRole('button', { name: 'Take it back' }).click()
  await expect.poll(() => card.count(), { timeout: 30_000 }).toBe(0)
  await seller.getByText('Mine', { exact: true }).click()
  await card.getByText('cancelled', { exact: true }).waitFor({ timeout: 30_000 })
  expect(crashes).toEqual([])
}, 120_000)

/** Forty shares of a vault that owns the machine, all of them the seller's. */
const newShares = async (machineId: string): Promise<Hex> => {
  const file = join(demo.dataDir, 'vault.json')
  const setup = {
    name: 'Silo of many',
    symbol: 'SILO',
    machines: [machineId],
    operator: SELLER,
    founderShares: '40',
  }
  await writeFile(file, JSON.stringify(setup))
  await runCommand(demo, ['vault', 'create', file, '--as', SELLER])
  const client = createClient({ url: demo.url })
  const vault = async () => (await client.vaults({ machineId })).vaults[0]?.vault
  await expect.poll(vault, { timeout: 30_000 }).toBeDefined()
  return (await vault()) ?? '0x'
}

/** Twelve weeks of the machine from the next one on: Saturdays for the payer, Sundays for the seller. Answers the latter's right. */
const newRights = async (machineId: string): Promise<string> => {
  const nextWeek = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10)
  const right = (...args: string[]) => runCommand(demo, ['right', ...args, '--as', SELLER])
  await right('zone', machineId, 'Europe/Berlin')
  const issue = (hours: string, to: string) =>
    right('issue', machineId, '--hours', hours, '--from', nextWeek, '--weeks', '12', '--to', to)
  await issue('Sat 8-12', 'Nordmühle GmbH')
  await issue('Sun 8-12', SELLER)
  const client = createClient({ url: demo.url })
  const rightId = async () => (await client.rights(await sellerAddress()))[0]?.rightId
  await expect.poll(rightId, { timeout: 30_000 }).toBeDefined()
  return (await rightId()) ?? ''
}

const sellerAddress = async (): Promise<Hex> => {
  const { people } = await createClient({ url: demo.url }).deployment()
  const person = people.find(({ name }) => name === SELLER)
  if (!person) throw new Error(`no ${SELLER}`)
  return person.address
}
