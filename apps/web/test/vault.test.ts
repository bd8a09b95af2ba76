import { readFileSync } from 'node:fs'
import { buyShares, collectIncome, createVault, type Hex } from '@liquefy/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBrowser } from './harness.ts'
import {
  CHARTERER,
  DAY_MS,
  EURO,
  FOUNDER,
  openPages,
  type SharedBoat,
  startSharedBoat,
} from './shared-boat.ts'
import { amountOf, expectAccessible, keep, keepAll, overflowOf, phone } from './visit.ts'

/** Two friends who buy shares of the founder's boat. */
const MILL = 'Nordmühle GmbH'
const TOWN = 'City council'

let boat: SharedBoat
let browser: Browser
let vault: Hex
const pages = openPages()

beforeAll(async () => {
  browser = await startBrowser()
  boat = await startSharedBoat()
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

const press = (page: Page, button: string) =>
  page.getByRole('button', { name: button, exact: true }).click()

const buy = async (name: string, shares: number): Promise<void> => {
  const page = await at(name, `/vaults/${vault}`)
  await write(page, 'Shares to buy', String(shares))
  await page.getByText(`You pay ${(shares * 25).toFixed(2)} tEUR.`).waitFor()
  await page.keyboard.press('Enter')
  await page.getByText(new RegExp(`^${shares} shares? bought`)).waitFor()
  await page.context().close()
}

/** What a figure on the page says, in smallest units. */
const figure = (page: Page, name: string) => amountOf(page, name)

describe('before anything is shared', () => {
  test('every page says what it is for, and what to do', async () => {
    const page = await at(undefined, '/vaults')
    await page.getByText('No machine is shared yet').waitFor()
    await expectAccessible(page)
    await page.goto(new URL('/portfolio', boat.node.url).href)
    await page.getByText('Sign in first').waitFor()
    await page.goto(new URL('/vaults/new', boat.node.url).href)
    await page.getByText('Only its owner can share a machine').waitFor()
    await page.goto(new URL(`/vaults/0x${'12'.repeat(20)}`, boat.node.url).href)
    await page.getByText('Could not load this vault').waitFor({ timeout: 60_000 })
    await page.setViewportSize(phone.viewport)
    expect(await overflowOf(page)).toBe(0)
  })

  test('who owns no machine is told so, and who owns no share', async () => {
    const page = await at(TOWN, '/vaults/new')
    await page.getByText('No machine is yours').waitFor()
    await page.goto(new URL('/portfolio', boat.node.url).href)
    await page.getByText('You own no share yet').waitFor()
  })
})

describe('a boat of three friends, by hand in the page', () => {
  test('its founder shares it: what cannot stand is told in a sentence, and then the vault is made', async () => {
    const page = await at(FOUNDER, `/machines/${boat.machineId}`)
    await page.getByRole('link', { name: 'Share it with others' }).click()
    await page.getByRole('heading', { name: 'Share a machine' }).waitFor()
    await press(page, 'Make the vault')
    await page.getByText('Give its shares a symbol').waitFor()
    await write(page, 'Symbol of its shares', 'boat')
    await page.getByText('Price of a share: ').waitFor()
    await write(page, 'Price of a share in tEUR', '25')
    await write(page, 'Shares for sale', '40')
    await page.getByText('Goal: a whole number, not above the shares for sale.').waitFor()
    await write(page, 'Goal, in shares', '24')
    await write(page, 'First, fill a reserve up to, in tEUR', '100')
    await write(page, 'Then repay a lender', CHARTERER)
    await write(page, 'What he is still owed, in tEUR', '60')
    await press(page, 'Add a fee')
    await write(page, 'Fee 1 goes to', FOUNDER)
    await write(page, 'Percent of the shares that he must hold', '50')
    await page.getByText('40 shares are sold at 25 tEUR each: 1000 tEUR in all').waitFor()
    await expectAccessible(page)
    await keepAll(page, 'vault-new')
    await press(page, 'Make the vault')
    await page.waitForURL(/\/vaults\/0x/, { timeout: 60_000 })
    await page.getByRole('heading', { name: 'Shares for sale', exact: true }).waitFor()
    vault = new URL(page.url()).pathname.split('/').at(-1) as Hex
    expect(vault).toMatch(/^0x[0-9a-f]{40}$/)
    const { owner } = await boat.client.machine(boat.machineId)
    expect(owner.toLowerCase()).toBe(vault)
    await boat.nameAs(page)
  })

  test('they buy, and the last share ends the sale', async () => {
    await buy(MILL, 20)
    const page = await at(undefined, `/vaults/${vault}`)
    await page.getByText('20 shares', { exact: true }).first().waitFor()
    await page.getByText('4 to go').waitFor()
    await page.getByText('Sign in to buy shares.').waitFor()
    await expectAccessible(page)
    await keepAll(page, 'vault-sale')
    await buy(TOWN, 12)
    await buy(FOUNDER, 8)
    await page.getByText('shared', { exact: true }).waitFor({ timeout: 60_000 })
    expect(await page.getByRole('heading', { name: 'Shares for sale', exact: true }).count()).toBe(
      0,
    )
    await page.goto(new URL(`/machines/${boat.machineId}`, boat.node.url).href)
    await page.getByText('3 owners together').first().waitFor()
  })

  test('what it earned goes through the waterfall, and each claims his part to the unit', async () => {
    await boat.hire(vault, FOUNDER)
    await boat.sail(20)
    const page = await at(MILL, `/vaults/${vault}`)
    await page.getByText('wait to be collected').waitFor({ timeout: 60_000 })
    await press(page, 'Collect for all owners')
    await page.getByText('Collected and split. Every owner may claim his part.').waitFor()
    // 180 earned: 100 into the reserve, 60 to the lender, 5% of the rest a fee, and 19 among 40 shares.
    const mine = (19n * EURO * 20n) / 40n
    await expect.poll(() => figure(page, 'Yours to claim')).toBe(Number(mine))
    expect(await figure(page, 'Reserve')).toBe(Number(100n * EURO))
    await page.getByText('it is full').waitFor()
    await page.getByText('repaid in full').waitFor()
    const before = await boat.pocketOf(MILL)
    await press(page, 'Claim')
    await page.getByText('Paid to your account.').waitFor()
    expect((await boat.pocketOf(MILL)) - before).toBe(mine)
    await expect.poll(() => figure(page, 'Yours to claim')).toBe(0)
  })

  test('its page shows who owns how much, and what it earned month by month', async () => {
    for (const hours of [31, 47, 64]) {
      boat.wait(29 * DAY_MS)
      await boat.sail(hours)
      const { collectable } = await boat.client.vault(vault)
      const { agreementIds } = collectable
      await collectIncome({ ...boat.actionOf(CHARTERER), vault, agreementIds })
    }
    await boat.node.idle()
    const page = await at(MILL, `/vaults/${vault}`)
    const rows = page.locator('.card', { hasText: 'Who owns it' }).locator('tbody tr')
    await expect.poll(() => rows.allInnerTexts()).toHaveLength(3)
    expect(await rows.first().textContent()).toMatch(/^Nordmühle GmbH \(you\)2050%/)
    const income = page.locator('.card', { hasText: 'By month' })
    await expect.poll(() => income.locator('tbody tr').count()).toBe(4)
    expect(await income.locator('.income-column').count()).toBe(4)
    await page.getByText('One by one').click()
    await income
      .getByText(/0x[0-9a-f]{6}…/)
      .first()
      .waitFor()
    await page.getByText('By month').click()
    await expectAccessible(page)
    await keepAll(page, 'vault')
    await page.setViewportSize(phone.viewport)
    await expectAccessible(page)
  })

  test('a portfolio has it all: claim, statement, votes given to somebody', async () => {
    const page = await at(TOWN, '/portfolio')
    await page.getByText('Boat', { exact: true }).waitFor()
    const due = BigInt(await figure(page, 'Yours to claim'))
    expect(due).toBeGreaterThan(0n)
    await expectAccessible(page)
    await keepAll(page, 'portfolio')
    const coming = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Statement as CSV' }).click()
    const csv = readFileSync(await (await coming).path(), 'utf8')
    const { lines } = await boat.client.ownerStatement(vault, boat.addressOf(TOWN))
    expect(csv.trim().split('\n').length).toBeGreaterThan(lines.length)
    for (const { txHash } of lines) expect(csv).toContain(txHash)
    const before = await boat.pocketOf(TOWN)
    await press(page, 'Claim')
    await page.getByText('Claimed from one vault.').waitFor()
    expect((await boat.pocketOf(TOWN)) - before).toBe(due)
    await page.getByRole('link', { name: /^Boat/ }).click()
    await page.getByText('Let somebody else vote').click()
    await write(page, 'Who votes with my shares', 'no such name')
    await page.getByText('Neither an address').waitFor()
    await write(page, 'Who votes with my shares', MILL)
    await press(page, 'Delegate')
    await page.getByText('Nordmühle GmbH votes with your shares.').waitFor()
  })

  test('shares are sent, and what they earned stays', async () => {
    const page = await at(FOUNDER, `/vaults/${vault}`)
    const due = await figure(page, 'Yours to claim')
    await page.getByText('Send shares').click()
    await write(page, 'To whom', MILL)
    await write(page, 'How many', '99')
    await page.getByText('Only 8 are yours.').waitFor()
    await write(page, 'How many', '2')
    await press(page, 'Send')
    await page.getByText('Sent. What they earned before stays yours.').waitFor()
    await page.getByText('15%', { exact: true }).first().waitFor()
    expect(await figure(page, 'Yours to claim')).toBe(due)
    await page.getByText(/ beside your shares$/).waitFor()
    const before = await boat.pocketOf(FOUNDER)
    await press(page, 'Have it paid out')
    await page.getByText('Paid to your account.').waitFor()
    // The proceeds of the sale, and his fees.
    expect((await boat.pocketOf(FOUNDER)) - before).toBeGreaterThan(1_000n * EURO)
  })
})

describe('a sale that misses its goal', () => {
  test('is closed by anybody, and everybody gets his money back', async () => {
    const { asset } = boat.node.deployment
    const deadline = BigInt(Math.floor(boat.clock.nowMs() / 1000) + 3_600)
    const priceMinor = 50n * EURO
    const made = await createVault({
      ...boat.actionOf(FOUNDER),
      setup: {
        name: 'Raft',
        symbol: 'RAFT',
        asset: asset.address,
        operator: boat.addressOf(FOUNDER),
        machineIds: [],
        founderShares: 0n,
        sale: { priceMinor, cap: 10n, goal: 5n, deadline },
        waterfall: { reserveTarget: 0n, fees: [] },
      },
    })
    const raft = { vault: made.vault, asset: asset.address, priceMinor }
    await buyShares({ ...boat.actionOf(TOWN), ...raft, shares: 3n })
    boat.wait(2 * 3_600_000)
    const stranger = await at(CHARTERER, `/vaults/${made.vault}`)
    await press(stranger, 'Close the sale')
    await stranger.getByText('The sale missed its goal').waitFor({ timeout: 60_000 })
    const page = await at(TOWN, `/vaults/${made.vault}`)
    const before = await boat.pocketOf(TOWN)
    await press(page, 'Give back my shares')
    await page.getByText('Paid back to your account.').waitFor({ timeout: 60_000 })
    expect((await boat.pocketOf(TOWN)) - before).toBe(3n * priceMinor)
    await page.getByText('Nobody owns a share').waitFor({ timeout: 60_000 })
    await expectAccessible(page)
  })
})

describe('a buy-out', () => {
  test('an offer is refused, and the deposit comes back', async () => {
    const mill = await at(MILL, `/vaults/${vault}`)
    await write(mill, 'Price of a share in tEUR', '30')
    await mill.getByText('For 18 shares of the others you pay 540.00 tEUR now.').waitFor()
    await press(mill, 'Offer for all shares')
    await mill
      .getByText(/offers/)
      .first()
      .waitFor({ timeout: 60_000 })
    const town = await at(TOWN, `/vaults/${vault}`)
    await town.getByText('each share of the others', { exact: false }).waitFor()
    await expectAccessible(town)
    await keep(town, 'vault-buyout')
    await write(town, 'Refuse with so many shares', '12')
    await press(town, 'Refuse the offer')
    await town.getByText(/was refused/).waitFor({ timeout: 60_000 })
    await mill.getByText('540.00 tEUR beside your shares').waitFor({ timeout: 60_000 })
  })

  test('one that nobody refuses is completed, and the others are paid for their shares', async () => {
    const mill = await at(MILL, `/vaults/${vault}`)
    await write(mill, 'Price of a share in tEUR', '40')
    await press(mill, 'Offer for all shares')
    await mill.getByText('The time to refuse it ends').waitFor({ timeout: 60_000 })
    boat.wait(15 * DAY_MS)
    const later = await at(MILL, `/vaults/${vault}`)
    await press(later, 'Complete the buy-out')
    await later.getByText('bought out', { exact: true }).waitFor({ timeout: 60_000 })
    const town = await at(TOWN, `/vaults/${vault}`)
    const before = await boat.pocketOf(TOWN)
    await press(town, 'Give in my shares')
    await town.getByText('Paid to your account.').waitFor({ timeout: 60_000 })
    expect((await boat.pocketOf(TOWN)) - before).toBe(12n * 40n * EURO)
  })
})
