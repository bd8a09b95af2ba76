import { testEuroAbi, testEuroBytecode } from '@liquefy/abi'
import { createClient, type Hex } from '@liquefy/client'
import { listKeys, readKey } from '@liquefy/node/keys'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { createPublicClient, createWalletClient, defineChain, http } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Demo, demoIsSetUp, runCommand, startBrowser, startDemo } from './harness.ts'
import { desktop, expectAccessible, keepAll, overflowOf, phone, signInAs } from './visit.ts'

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
  seller = await personAt('Silowerk AG')
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
  const share = await newShare('Silowerk AG', 1_000_000_000n)
  const sell = (...args: string[]) =>
    runCommand(demo, ['market', 'sell', '--as', 'Silowerk AG', ...args])
  await sell('--receivable', agreement?.agreementId ?? '', '--price', '120000000')
  await sell('--share', share, '--amount', '40000000', '--price', '800000000')
  const offer = ['market', 'offer', '--as', 'Nordmühle GmbH']
  await runCommand(demo, [...offer, '--machine', '2', '--price', '1800000000'])
  await go(buyer, '/market')
  await expect.poll(() => buyer.locator('.order').count(), { timeout: 30_000 }).toBe(4)
  await expectAccessible(buyer)
  await keepAll(buyer, 'market')
  await buyer.getByLabel('Kind').selectOption('receivable')
  await expect.poll(() => buyer.locator('.order').count(), { timeout: 30_000 }).toBe(1)
  await buyer.locator('.order').getByText('In escrow').waitFor()
  await buyer.getByRole('button', { name: 'Show all' }).click()
  await buyer.getByLabel('Price up to').fill('900')
  await expect.poll(() => buyer.locator('.order').count(), { timeout: 30_000 }).toBe(2)
  await buyer.getByLabel('Find by name or id').fill('nothing of this name')
  await buyer.getByText('Nothing of this kind can be had now').waitFor()
  await buyer.getByRole('button', { name: 'Show all' }).click()
  await expect.poll(() => buyer.locator('.order').count(), { timeout: 30_000 }).toBe(4)
}, 180_000)

test('a part of the shares is bought, by keyboard alone, and no more than there are', async () => {
  const card = cardOf(buyer, /40 tEUR/)
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

/** A token that stands for shares. */
const newShare = async (name: string, amount: bigint): Promise<Hex> => {
  const file = listKeys(demo.dataDir).find((one) => one.name === name)
  if (!file) throw new Error(`no ${name}`)
  const account = readKey(file.path, undefined)
  const { chainId, rpcUrl } = await createClient({ url: demo.url }).deployment()
  const chain = defineChain({
    id: chainId,
    name: 'demo',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  })
  const wallet = createWalletClient({ account, chain, transport: http(rpcUrl) })
  const reader = createPublicClient({ chain, transport: http(rpcUrl), pollingInterval: 200 })
  const deployed = await wallet.deployContract({ abi: testEuroAbi, bytecode: testEuroBytecode })
  const { contractAddress } = await reader.waitForTransactionReceipt({ hash: deployed })
  if (!contractAddress) throw new Error('no contract')
  const hash = await wallet.writeContract({
    address: contractAddress,
    abi: testEuroAbi,
    functionName: 'mint',
    args: [account.address, amount],
  })
  await reader.waitForTransactionReceipt({ hash })
  return contractAddress
}
