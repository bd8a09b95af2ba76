import {
  buyShares,
  callsOfProposal,
  castVote,
  collectIncome,
  createVault,
  executeProposal,
  type Hex,
  makeOffer,
  queueProposal,
  TransactionRevertedError,
} from '@liquefy/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBrowser } from './harness.ts'
import {
  CHARTERER,
  EURO,
  FOUNDER,
  HOUR_MS,
  openPages,
  type SharedBoat,
  startSharedBoat,
} from './shared-boat.ts'
import { expectAccessible, keep, keepAll, overflowOf, phone } from './visit.ts'

const MILL = 'Nordmühle GmbH'
const TOWN = 'City council'

/** Hours, so that all of it fits into one session. */
const governance = {
  votingDelaySeconds: 3_600,
  votingPeriodSeconds: 4 * 3_600,
  proposalThreshold: 1n,
  quorumPercent: 25,
  timelockSeconds: 2 * 3_600,
}

let boat: SharedBoat
let browser: Browser
let vault: Hex
let governor: Hex
let proposalPath: string
const pages = openPages()

beforeAll(async () => {
  browser = await startBrowser()
  boat = await startSharedBoat()
  const asset = boat.node.deployment.asset.address
  const priceMinor = 25n * EURO
  const made = await createVault({
    ...boat.actionOf(FOUNDER),
    setup: {
      name: 'Boat',
      symbol: 'BOAT',
      asset,
      operator: boat.addressOf(FOUNDER),
      machineIds: [BigInt(boat.machineId)],
      founderShares: 10n,
      sale: {
        priceMinor,
        cap: 30n,
        goal: 10n,
        deadline: BigInt(Math.floor(boat.clock.nowMs() / 1000) + 86_400),
      },
      waterfall: { reserveTarget: 500n * EURO, fees: [] },
    },
    governance,
  })
  vault = made.vault
  governor = made.governor
  await boat.node.idle()
  // A new owner does not get the words of the former one.
  await boat.node.nameMachine(BigInt(boat.machineId), 'Boat')
  await buyShares({ ...boat.actionOf(MILL), vault, asset, shares: 18n, priceMinor })
  await buyShares({ ...boat.actionOf(TOWN), vault, asset, shares: 12n, priceMinor })
  await boat.hire(vault, FOUNDER)
  await boat.sail(30)
  const { collectable } = await boat.client.vault(vault)
  const { agreementIds } = collectable
  await collectIncome({ ...boat.actionOf(FOUNDER), vault, agreementIds })
  await boat.node.idle()
}, 300_000)

afterAll(async () => {
  const crashes = await pages.close()
  await browser?.close()
  await boat?.stop()
  expect(crashes).toEqual([])
}, 300_000)

const at = (name: string | undefined, path: string): Promise<Page> =>
  pages.at(browser, boat, name, path)

const write = (page: Page, label: string, text: string) =>
  page.getByLabel(label, { exact: true }).fill(text)

const press = (page: Page, button: string | RegExp) =>
  page.getByRole('button', { name: button }).click()

const kind = (page: Page, words: string) =>
  page.getByLabel('Kind', { exact: true }).selectOption({ label: words })

/** Votes as one of the owners. */
const vote = async (name: string, support: 'For' | 'Against' | 'Abstain', reason: string) => {
  const page = await at(name, proposalPath)
  await page.locator('label', { hasText: new RegExp(`^${support}$`) }).click()
  await write(page, 'Why, for all to read (may be empty)', reason)
  await press(page, /^Vote with/)
  await page.getByText('You have voted').waitFor({ timeout: 60_000 })
  return page
}

describe('from a proposal to what it does, in the page', () => {
  test('an owner proposes to spend, and sees in words what that does before he signs', async () => {
    const page = await at(MILL, `/vaults/${vault}/proposals`)
    await page.getByText('Nothing was proposed yet').waitFor()
    await page.getByRole('link', { name: 'Propose something' }).click()
    await press(page, 'Propose it')
    await page.getByText('Not proposed yet.').waitFor()
    await write(page, 'Who gets it', CHARTERER)
    await write(page, 'Amount in tEUR', '120')
    await write(page, 'What for', 'A new engine')
    await page
      .locator('.effect')
      .getByText(/120.* tEUR/)
      .waitFor()
    await write(page, 'Title', 'Buy a new engine')
    await page.getByLabel('Why (may be empty)').fill('The old one has run 12,000 hours.')
    await expectAccessible(page)
    await keepAll(page, 'proposal-new')
    await press(page, 'Propose it')
    await page.getByText('vote begins soon').waitFor({ timeout: 60_000 })
    proposalPath = new URL(page.url()).pathname
    await page.getByText('The old one has run 12,000 hours.').waitFor()
    await page
      .locator('.effect')
      .getByText(/120.* tEUR/)
      .waitFor()
    expect(await page.getByRole('button', { name: /^Vote/ }).count()).toBe(0)
  })

  test('it waits in the portfolio of whoever has a vote', async () => {
    const page = await at(TOWN, '/portfolio')
    await page.getByText('Buy a new engine').waitFor()
    await page.getByText('12 votes').first().waitFor()
  })

  test('owners vote; how many are for it, and whether enough take part, is drawn', async () => {
    boat.wait(HOUR_MS + 60_000)
    await vote(TOWN, 'Against', 'We row.')
    const page = await vote(MILL, 'For', 'It is due.')
    await page.getByText('We row.').waitFor()
    await page.getByText('Enough take part: 18').waitFor()
    await expectAccessible(page)
    await keepAll(page, 'proposal')
    const stranger = await at(CHARTERER, proposalPath)
    await stranger.getByText('You have no vote in it').waitFor()
    expect(await stranger.getByRole('button', { name: /^Vote/ }).count()).toBe(0)
  })

  test('what was accepted waits in the timelock, which nobody gets past', async () => {
    boat.wait(4 * HOUR_MS)
    const page = await at(TOWN, proposalPath)
    await press(page, 'Queue it')
    await page.getByText('Nothing gets past the timelock').waitFor({ timeout: 60_000 })
    await page
      .getByText(/in 1?\d+ (min|h)/)
      .first()
      .waitFor()
    expect(await page.getByRole('button', { name: 'Execute it' }).count()).toBe(0)
    await keep(page, 'proposal-queued')
    const proposalId = proposalPath.split('/').at(-1) ?? ''
    const proposal = callsOfProposal(await boat.client.vaultProposal(vault, proposalId))
    await expect(executeProposal({ ...boat.actionOf(TOWN), governor, proposal })).rejects.toThrow(
      TransactionRevertedError,
    )
  })

  test('then anybody has it done, and the money moves', async () => {
    boat.wait(2 * HOUR_MS + 60_000)
    const before = await boat.pocketOf(CHARTERER)
    const page = await at(CHARTERER, proposalPath)
    await press(page, 'Execute it')
    await page.getByText('executed', { exact: true }).waitFor({ timeout: 60_000 })
    expect((await boat.pocketOf(CHARTERER)) - before).toBe(120n * EURO)
    await page.goto(new URL(`/vaults/${vault}`, boat.node.url).href)
    await page.locator('.figure', { hasText: 'Reserve' }).getByText('150.00').waitFor()
    await page.goto(new URL(`/vaults/${vault}/proposals`, boat.node.url).href)
    await page.getByText('Buy a new engine').waitFor()
    await expectAccessible(page)
    await page.setViewportSize(phone.viewport)
    expect(await overflowOf(page)).toBe(0)
  })
})

describe('other proposals', () => {
  test('each kind is told in words before anybody votes on it', async () => {
    const page = await at(MILL, `/vaults/${vault}/proposals/new`)
    const effect = page.locator('.effect')
    const says = (words: RegExp) => effect.getByText(words).first().waitFor()
    await kind(page, 'Change how income is split')
    await write(page, 'First, fill a reserve up to, in tEUR', '750')
    await says(/750/)
    await kind(page, 'Change who runs the machine')
    await write(page, 'Who shall run it', TOWN)
    await says(/City council/)
    await kind(page, 'Suspend the machine')
    await write(page, 'Reason (may be empty)', 'In the yard')
    await says(/In the yard/)
    await kind(page, 'Let a suspended machine go on')
    await says(/[Rr]esume|go on/)
    await kind(page, 'Take the machine’s key away')
    await says(/key/)
    await kind(page, 'Give the machine to somebody')
    await write(page, 'Who gets it', TOWN)
    await says(/City council/)
    const good = { kind: 'machine', machineId: BigInt(boat.machineId) } as const
    const offered = { good, priceMinor: 700n * EURO, lastsSeconds: 864_000n }
    await boat.client.postOrder(await makeOffer({ ...boat.actionOf(CHARTERER), ...offered }))
    await kind(page, 'Accept an offer')
    const offer = page.getByLabel('Offer', { exact: true })
    await offer.locator('option', { hasText: CHARTERER }).waitFor({ state: 'attached' })
    await offer.selectOption({ index: 1 })
    await says(/the vault gets 700 tEUR and gives machine/)
    await kind(page, 'Decommission the machine for ever')
    await says(/[Dd]ecommission/)
    await kind(page, 'Close an agreement')
    await write(page, 'Id of the agreement', `0x${'ab'.repeat(32)}`)
    await says(/0xabab/)
    await kind(page, 'Change who may hold shares')
    await page.getByText('Whom the operator lists').click()
    await says(/list/)
    await kind(page, 'Change the rules of a buy-out')
    await page.getByLabel('Who holds most shares may offer for all others').check()
    await says(/75/)
    await kind(page, 'Change how owners decide')
    await write(page, 'Percent of all shares that must take part', '40')
    await says(/40/)
    await kind(page, 'Any other call')
    await write(page, 'Which contract', boat.node.deployment.asset.address)
    await write(page, 'Bytes of the call', '0x12345678')
    await says(/UNKNOWN/)
    await keep(page, 'proposal-unknown')
  })

  test('a machine is put up for sale; once that is voted it is put into the market’s list', async () => {
    const page = await at(MILL, `/vaults/${vault}/proposals/new`)
    await kind(page, 'Put the machine up for sale')
    await write(page, 'Price in tEUR', '5000')
    await page
      .locator('.effect')
      .getByText(/Offers on the market, until .*5,000 tEUR/)
      .waitFor()
    await expectAccessible(page)
    await keep(page, 'proposal-sale')
    await write(page, 'Title', 'Sell the boat')
    await press(page, 'Propose it')
    await page.getByText('vote begins soon').waitFor({ timeout: 60_000 })
    const { pathname } = new URL(page.url())
    const proposalId = pathname.split('/').at(-1) ?? ''
    const action = { ...boat.actionOf(MILL), governor, proposalId }
    boat.wait(HOUR_MS + 60_000)
    await castVote({ ...action, support: 'for' })
    boat.wait(4 * HOUR_MS)
    const proposal = callsOfProposal(await boat.client.vaultProposal(vault, proposalId))
    await queueProposal({ ...action, proposal })
    boat.wait(2 * HOUR_MS + 60_000)
    await executeProposal({ ...action, proposal })
    await boat.node.idle()
    const executed = await at(MILL, pathname)
    await press(executed, 'Put it into the list')
    await executed
      .getByText(/in the (market’s list|list of the market)/)
      .waitFor({ timeout: 60_000 })
    const { orders } = await boat.client.marketOrders({ maker: vault })
    expect(orders.map(({ title, priceMinor, state }) => [title, priceMinor, state])).toEqual([
      ['Boat', String(5_000n * EURO), 'open'],
    ])
  })

  test('who has too few votes is told; one that was made can be taken back before the vote', async () => {
    const stranger = await at(CHARTERER, `/vaults/${vault}/proposals/new`)
    await stranger.getByText('You have 0 votes, and it takes 1 to propose.').waitFor()
    const page = await at(TOWN, `/vaults/${vault}/proposals/new`)
    await kind(page, 'Change who runs the machine')
    await write(page, 'Who shall run it', TOWN)
    await write(page, 'Title', 'We run it')
    await press(page, 'Propose it')
    await press(page, 'Take it back')
    await page.getByText('withdrawn', { exact: true }).waitFor({ timeout: 60_000 })
  })
})
