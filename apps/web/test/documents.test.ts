import { readFileSync } from 'node:fs'
import { createClient } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  ruleFaults,
  schemaFaults,
} from '../../../packages/node/test/documents/outside-validators.ts'
import { type Demo, startBrowser, startDemo } from './harness.ts'
import {
  account,
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
}, 180_000)

afterAll(async () => {
  await browser?.close()
  await demo?.stop()
}, 300_000)

const visit = (
  path: string,
  look: (page: Page) => Promise<void>,
  options?: BrowserContextOptions,
) => visitIn(browser, new URL(path, demo.url), look, options)

/** What a button downloads: its name and its bytes. */
const downloaded = async (page: Page, button: string) => {
  const coming = page.waitForEvent('download')
  await page.getByRole('button', { name: button }).click()
  const download = await coming
  return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) }
}

/** Fills in the form as it stands, and keeps it. */
const fillDetails = async (page: Page, details: Record<string, string>) => {
  for (const [label, text] of Object.entries(details)) {
    await page.getByRole('textbox', { name: label, exact: true }).fill(text)
  }
  await page.getByLabel('Country').selectOption({ label: 'Germany' })
  await page.getByRole('button', { name: 'Keep my details' }).click()
  await page.getByText('Kept.').waitFor()
}

test('both say who they are, and file statement and e-invoice', async () => {
  const { agreementId } = await firstAgreementAt(demo.url)
  const agreement = `/agreements/${agreementId}`
  // Under a cent there is nothing to invoice.
  await vi.waitFor(
    async () => {
      const { includedMinor } = await createClient({ url: demo.url }).agreement(agreementId)
      expect(BigInt(includedMinor)).toBeGreaterThan(10_000n)
    },
    { timeout: 60_000, interval: 500 },
  )
  await visit(agreement, async (page) => {
    await page.getByText('Sign in as Nordmühle GmbH or Silowerk AG to get it.').waitFor()
    const csv = await downloaded(page, 'Statement as CSV')
    expect(csv.name).toBe(`statement-${agreementId.slice(2, 14)}.csv`)
    expect(csv.bytes.toString()).toContain(agreementId)
    const pdf = await downloaded(page, 'Statement as PDF')
    expect(pdf.name).toMatch(/\.pdf$/)
    expect(pdf.bytes.subarray(0, 5).toString()).toBe('%PDF-')

    await signInAs(page, 'Nordmühle GmbH')
    await page.getByRole('button', { name: 'E-invoice as XML' }).click()
    await page.getByText(/needs name, address and VAT of its seller, Silowerk AG/).waitFor()
    await expectAccessible(page)
    await account(page, 'Nordmühle GmbH').click()
    await page.getByRole('dialog').getByRole('link', { name: 'My details' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).waitFor()
    await fillDetails(page, {
      Name: 'Nordmühle GmbH',
      'Street and number': 'Mühlenweg 3',
      Postcode: '24103',
      City: 'Kiel',
      'VAT id': 'DE987654321',
      'Rate in percent': '7',
    })
    await expectAccessible(page)
    await keepAll(page, 'my-details')
  })
  await visit(
    '/me',
    async (page) => {
      await page.getByText('Sign in first').waitFor()
      await signInAs(page, 'Silowerk AG')
      await fillDetails(page, {
        Name: 'Silowerk AG',
        'Street and number': 'Am Hafen 1',
        Postcode: '20457',
        City: 'Hamburg',
        'VAT id': 'DE123456789',
        'Rate in percent': '19',
      })
      await page.getByRole('textbox', { name: 'VAT id', exact: true }).fill('123')
      await page.getByRole('button', { name: 'Keep my details' }).click()
      await page.getByText(/is no VAT id: it begins with two letters/).waitFor()
      expect(await overflowOf(page)).toBe(0)
      await keep(page, 'my-details-problem')
    },
    { ...phone, colorScheme: 'dark' },
  )
  await visit(
    agreement,
    async (page) => {
      await signInAs(page, 'Silowerk AG')
      const invoice = await downloaded(page, 'E-invoice as XML')
      await page.getByText(`${invoice.name} is saved.`).waitFor()
      expect(invoice.name).toMatch(/^LQ-[0-9A-F]{12}-\d+-PROFORMA\.xml$/)
      const xml = invoice.bytes.toString()
      expect(xml).toContain('<ram:Name>Nordmühle GmbH</ram:Name>')
      expect(await schemaFaults(xml)).toEqual([])
      expect(await ruleFaults(xml)).toEqual([])
      await keep(page, 'documents-dark')
    },
    { colorScheme: 'dark', viewport: { width: 1200, height: 900 }, locale: 'en-GB' },
  )
})

test('on a phone a stranger is told for whom the invoice is', async () => {
  const { agreementId } = await firstAgreementAt(demo.url)
  await visit(
    `/agreements/${agreementId}`,
    async (page) => {
      await signInAs(page, 'City council')
      await page.getByText(/^Sign in as Nordmühle GmbH or Silowerk AG/).waitFor()
      expect(await page.getByRole('button', { name: 'E-invoice as XML' }).count()).toBe(0)
      expect(await overflowOf(page)).toBe(0)
      await keep(page, 'documents-phone')
    },
    phone,
  )
})
