import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import { openMachine } from '@liquefy/machine'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Demo, runCommand, startBrowser, startDemo } from './harness.ts'
import { expectAccessible, keepAll, overflowOf, phone, signInAs, visitIn } from './visit.ts'

let demo: Demo
let browser: Browser
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liquefy-device-'))
  browser = await startBrowser()
  demo = await startDemo()
}, 180_000)

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
  rmSync(folder, { recursive: true, force: true })
}, 300_000)

const visit = (
  path: string,
  look: (page: Page) => Promise<void>,
  options?: BrowserContextOptions,
) => visitIn(browser, new URL(path, demo.url), look, options)

const addressOf = async (name: string) => {
  const { people } = await createClient({ url: demo.url }).deployment()
  const person = people.find((one) => one.name === name)
  if (!person) throw new Error(`nobody is called ${name}`)
  return person.address
}

test('who is not signed in is told why he must be', async () => {
  await visit(
    '/machines/new',
    async (page) => {
      await page.getByText('Sign in first').waitFor()
      expect(await overflowOf(page)).toBe(0)
    },
    { ...phone, colorScheme: 'dark' },
  )
})

test('a device of a stranger becomes a machine that is seen measuring, by its own commands and the page', async () => {
  const device = join(folder, 'pump')
  const owner = await addressOf('Collector Ltd')
  await runCommand(demo, ['machine', 'keygen', device])
  const proofFor = (address: string) =>
    runCommand(demo, ['machine', 'prove', device, '--owner', address])
  const request = (await proofFor(owner)).trim()
  const forOther = (await proofFor(await addressOf('City council'))).trim()
  await visit('/machines/new', async (page) => {
    await signInAs(page, 'Collector Ltd')
    const line = page.getByLabel('The line that the second command printed')
    const register = page.getByRole('button', { name: 'Register and make active' })
    for (const [text, words] of [
      ['hello', /It is no JSON/],
      ['{"curve":"P-256"}', /is not what `liquefy machine prove` printed/],
      [request.replace(/"proof":"0x../, '"proof":"0x00'), /was not signed by this key/],
    ] as const) {
      await line.fill(text)
      await page.getByText(words).waitFor()
      expect(await register.count()).toBe(0)
    }
    await line.fill(forOther)
    await register.click()
    await page.getByText(/The device has signed for the owner/).waitFor()
    await line.fill(request)
    await page.getByText('the device has proved that it holds it').waitFor()
    await expectAccessible(page)
    await register.click()
    const done = page.getByText(/Machine \d+ is registered and active/)
    await done.waitFor()
    const machineId = /Machine (\d+)/.exec((await done.textContent()) ?? '')?.[1] ?? ''
    await page.getByLabel('What people call it').fill('Pump in hall 2')
    await page.getByRole('button', { name: 'Keep the name' }).click()
    await page.getByText('Kept.').waitFor()
    await page.getByText(/Waiting for/).waitFor()
    const stream = page.getByLabel('Name of the stream')
    await stream.fill('Volume of Hall 2')
    await page.getByText(/A small letter first/).waitFor()
    await page.getByLabel('What it measures').selectOption('A volume that adds up, in litres')
    await page.getByText(/sample\('volume', \{ unit: 'l'/).waitFor()
    await expectAccessible(page)

    expect(await runCommand(demo, ['machine', 'adopt', device, machineId])).toContain('active')
    const machine = await openMachine({ folder: device })
    await machine.sample('volume', { unit: 'l', value: 12n })
    await machine.flushed()
    await machine.close()
    await page.getByText(/^volume, number 1: /).waitFor()
    await keepAll(page, 'onboarding')
    await page.getByRole('link', { name: 'Propose an agreement, so that it earns' }).click()
    await page.getByText('0.42').or(page.getByLabel('What is metered')).first().waitFor()
    expect(await page.getByLabel('What is metered').inputValue()).toBe('volume')
    expect(await page.getByLabel('What counts').inputValue()).toBe('counter')
    await page.goto(new URL(`/machines/${machineId}`, demo.url).href)
    await page.getByRole('heading', { level: 1, name: /Pump in hall 2/ }).waitFor()
    expect(await createClient({ url: demo.url }).machine(machineId)).toMatchObject({
      owner: owner.toLowerCase(),
      state: 'active',
      name: 'Pump in hall 2',
    })
  })
})

test('ATK nobody but its owner names a machine', async () => {
  await visit('/', async (page) => {
    await signInAs(page, 'City council')
    const token = await page.evaluate(
      () => JSON.parse(localStorage.getItem('liquefy.session') ?? '{}').token,
    )
    const council = createClient({ url: demo.url, token: () => token })
    await expect(council.nameMachine('1', 'Mine')).rejects.toMatchObject({ code: 'NOT_OWNER' })
    const nobody = createClient({ url: demo.url })
    await expect(nobody.nameMachine('1', 'Mine')).rejects.toMatchObject({ code: 'SESSION_MISSING' })
  })
})
