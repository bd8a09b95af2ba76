import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import { type Machine, openMachine } from '@liquefy/machine'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Demo, demoIsSetUp, runCommand, startBrowser, startDemo } from './harness.ts'
import { desktop, expectAccessible, keep, keepAll, overflowOf, phone, signInAs } from './visit.ts'

/** Two people at two computers, who look at the same node. */
let demo: Demo
let browser: Browser
let folder: string
let pump: Machine
let machineId: string
let plant: Page
let mill: Page
const contexts: BrowserContext[] = []
const crashes: string[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liquefy-proposals-'))
  browser = await startBrowser()
  demo = await startDemo()
  await demoIsSetUp(demo)
  const device = join(folder, 'pump')
  await runCommand(demo, ['machine', 'keygen', device])
  const said = await runCommand(demo, ['machine', 'register', device, '--as', 'Silowerk AG'])
  machineId = /machine (\d+)/i.exec(said)?.[1] ?? ''
  pump = await openMachine({ folder: device })
  await pump.sample('volume', { unit: 'l', value: 12n })
  await pump.flushed()
  plant = await personAt('Silowerk AG')
  mill = await personAt('Nordmühle GmbH')
  const token = await plant.evaluate(
    () => JSON.parse(localStorage.getItem('liquefy.session') ?? '{}').token,
  )
  const client = createClient({ url: demo.url, token: () => token })
  await client.nameMachine(machineId, 'Pump in hall 2')
}, 300_000)

afterAll(async () => {
  await pump?.close()
  for (const context of contexts) await context.close()
  await browser?.close()
  await demo?.stop()
  rmSync(folder, { recursive: true, force: true })
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

const choose = (page: Page, label: string, option: string) =>
  page.getByLabel(label, { exact: true }).selectOption({ label: option })

const write = (page: Page, label: string | RegExp, text: string) =>
  page.getByLabel(label).fill(text)

describe('the form of an offer', () => {
  test('who is not signed in is told why he must be', async () => {
    const context = await browser.newContext(phone)
    const page = await context.newPage()
    await go(page, '/agreements/new')
    await page.getByText('Sign in first').waitFor()
    await go(page, '/agreements')
    await page.getByText('Sign in to see what you were proposed').waitFor()
    expect(await overflowOf(page)).toBe(0)
    await context.close()
  })

  test('what cannot stand is told in a sentence of its own, and nothing is proposed', async () => {
    await go(plant, `/agreements/new`)
    await plant.getByRole('heading', { level: 1, name: 'Propose an agreement' }).waitFor()
    await plant.getByRole('button', { name: 'Sign and propose' }).click()
    await plant.getByText('Choose the machine that it is about.').first().waitFor()
    await plant
      .getByText(/Choose the other party, or write its address/)
      .first()
      .waitFor()
    await choose(plant, 'Machine', 'Pump in hall 2')
    await choose(plant, 'The other party', 'Nordmühle GmbH')
    await choose(plant, 'What is metered', 'volume, in l')
    const price = /^Price in tEUR per l/
    for (const [text, words] of [
      ['ten', /"ten" is not a plain decimal number/],
      ['-1', /must not be below zero|more than nothing/],
      ['0.1234567', /has more than 6 decimal places/],
      ['0', /It must be more than nothing/],
    ] as const) {
      await write(plant, price, text)
      await plant.locator('.field-problem').getByText(words).waitFor()
    }
    await plant.getByRole('button', { name: 'Sign and propose' }).click()
    await plant
      .getByRole('alert')
      .getByText(/Not proposed yet/)
      .waitFor()
    await expectAccessible(plant)
    await keepAll(plant, 'offer-wrong')
  })

  test('the example bill follows what is typed', async () => {
    await write(plant, /^Price in tEUR per l/, '0.5')
    await write(plant, 'Counted in one period, in l', '250')
    const owed = plant.locator('.example-owed .money')
    await expect.poll(() => owed.getAttribute('title')).toBe('125.000000 tEUR')
    await write(plant, /^Price in tEUR per l/, '0.4')
    await expect.poll(() => owed.getAttribute('title')).toBe('100.000000 tEUR')
    await write(plant, 'Counted in one period, in l', '1000000')
    await plant.getByText('the most that a period may cost').waitFor()
    await plant.getByLabel('Counted in one period, by slider').press('Home')
    await expect.poll(() => owed.getAttribute('title')).toBe('0.000000 tEUR')
    await plant.getByText('In tiers', { exact: true }).click()
    await write(plant, 'Tier 1, up to l', '100')
    await write(plant, /^Above that/, '0.2')
    await write(plant, 'Counted in one period, in l', '150')
    await expect.poll(() => owed.getAttribute('title')).toBe('50.000000 tEUR')
    await plant.getByText(/the first 100 l at 0.4, above that 0.2 tEUR per l/).waitFor()
    await plant.getByText('A plan', { exact: true }).click()
    await write(plant, 'Fee in tEUR', '30')
    await expect.poll(() => owed.getAttribute('title')).toBe('90.000000 tEUR')
    await keepAll(plant, 'offer-plan')
  })
})

describe('two parties', () => {
  test('offer, counter, accept, fund, measure: and it is paid', async () => {
    await go(mill, '/agreements')
    await mill.getByText('None waits for an answer').waitFor()
    await go(plant, `/machines/${machineId}`)
    await plant.getByRole('link', { name: 'Propose an agreement' }).click()
    await choose(plant, 'The other party', 'Nordmühle GmbH')
    await choose(plant, 'What is metered', 'volume, in l')
    await write(plant, /^Price in tEUR per l/, '0.5')
    await write(plant, /^A word to/, 'For the pump in hall 2.')
    await plant.getByText(/Nordmühle GmbH pays Silowerk AG for what .*machine/).waitFor()
    await expectAccessible(plant)
    await keepAll(plant, 'offer')
    await plant.getByRole('button', { name: 'Sign and propose' }).click()
    await plant.getByText('waits for the other').waitFor()
    await plant.getByText(/sees it and can accept it/).waitFor()

    // The page of the other one shows it by itself.
    await mill.getByText('Waiting for you').waitFor()
    await expectAccessible(mill)
    await keepAll(mill, 'agreements')
    await mill.getByRole('link', { name: /Pump in hall 2 from Silowerk AG/ }).click()
    await mill.getByText('For the pump in hall 2.').waitFor()
    await expectAccessible(mill)
    await keepAll(mill, 'proposal')
    await mill.getByRole('link', { name: 'Make a counter-offer' }).click()
    const price = mill.getByLabel(/^Price in tEUR per l/)
    expect(await price.inputValue()).toBe('0.5')
    await price.fill('0.4')
    await write(mill, /^A word to/, 'We take much of it.')
    await mill.getByRole('button', { name: 'Sign and propose' }).click()
    await mill.getByText('waits for the other').waitFor()

    await plant.getByText('We take much of it.').waitFor()
    const change = plant.locator('.changes').getByText('0.4 tEUR per l')
    await change.waitFor()
    expect(await plant.locator('.changes dt').allTextContents()).toEqual(['Price'])
    await expectAccessible(plant)
    await keepAll(plant, 'proposal-counter')
    await plant.getByRole('button', { name: 'Accept' }).click()
    await plant.getByText('The agreement is open.').waitFor()
    await plant.getByText(/Nordmühle GmbH puts money into escrow next/).waitFor()

    await mill.getByText('Put money into escrow, so that it can pay.').waitFor()
    expect(await mill.getByLabel('Amount in tEUR').inputValue()).toBe('100')
    await keepAll(mill, 'proposal-accepted')
    await mill.getByRole('button', { name: 'Put into escrow' }).click()
    await mill.getByText(/100.00 tEUR in escrow/).waitFor()

    for (const value of [20n, 30n, 45n]) await pump.sample('volume', { unit: 'l', value })
    await pump.flushed()
    await pump.meterNow()
    // The first reading is where counting begins: 25 l at 0.40.
    await mill.getByText(/10.00 tEUR paid/).waitFor({ timeout: 60_000 })
    await mill.getByRole('link', { name: 'See the agreement' }).click()
    await mill.getByText('0.4 tEUR per l').waitFor()
    await go(plant, '/agreements')
    await plant.getByLabel('Search by machine, party or id').fill('hall 2')
    await plant.getByText(/^1 of /).waitFor()
    await plant
      .getByRole('link', { name: /Pump in hall 2/ })
      .last()
      .waitFor()
    await keep(plant, 'agreements-found')
  })

  test('one is declined with words, another one withdrawn; a stranger sees neither', async () => {
    const offerTime = async (fee: string) => {
      await go(plant, `/agreements/new?machine=${machineId}`)
      await choose(plant, 'The other party', 'Nordmühle GmbH')
      await choose(plant, 'What is metered', 'Nothing: time alone counts')
      await write(plant, 'Fee in tEUR', fee)
      await plant.getByRole('button', { name: 'Sign and propose' }).click()
      await plant.getByText('waits for the other').waitFor()
    }
    await offerTime('30')
    const url = plant.url()
    await go(mill, '/')
    await mill.getByText('Silowerk AG proposes an agreement to you').waitFor()
    await keep(mill, 'overview-proposal')
    await mill.getByRole('link', { name: 'Look at it and answer' }).click()
    await mill.getByText('Decline it').click()
    await write(mill, 'Why (may be empty)', 'Too dear for us.')
    await mill.getByRole('button', { name: 'Decline' }).click()
    await mill.getByText('You have declined it.').waitFor()
    await plant.getByText('Nordmühle GmbH has declined it.').waitFor()
    await plant.getByText('Too dear for us.').waitFor()
    await keep(plant, 'proposal-declined')

    await offerTime('20')
    await mill.goto(plant.url())
    await mill.getByRole('button', { name: 'Accept' }).waitFor()
    await plant.getByText('Withdraw it').click()
    await plant.getByRole('button', { name: 'Withdraw' }).click()
    await plant.getByText('You have withdrawn it.').waitFor()
    await mill.getByText('Silowerk AG has withdrawn it.').waitFor()
    expect(await mill.getByRole('button', { name: 'Accept' }).count()).toBe(0)

    const stranger = await personAt('City council')
    await stranger.goto(url)
    await stranger.getByText('No proposal of this id was made by you or to you').waitFor()
    await keep(stranger, 'proposal-stranger')
  })

  test('nothing of it failed on the way', () => {
    expect(crashes).toEqual([])
  })
})
