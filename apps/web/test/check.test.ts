import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Demo, runCommand, startBrowser, startDemo } from './harness.ts'
import { expectAccessible, firstAgreementAt, keepAll, overflowOf, phone, visitIn } from './visit.ts'

let demo: Demo
let browser: Browser
let folder: string
/** One agreement's evidence with at least one payment in it. */
let bundle: string[]
let agreementId: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liquefy-check-'))
  browser = await startBrowser()
  demo = await startDemo()
  const client = createClient({ url: demo.url })
  const agreement = await firstAgreementAt(demo.url)
  agreementId = agreement.agreementId
  bundle = await vi.waitFor(
    async () => {
      const { settlements } = await client.agreement(agreement.agreementId)
      const lines = []
      for await (const line of client.bundle(agreement.agreementId)) lines.push(line)
      envelopeAt(lines, 2)
      if (settlements.length === 0) throw new Error('nothing was paid yet')
      return lines
    },
    { timeout: 120_000, interval: 500 },
  )
}, 240_000)

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await browser?.close()
  await demo?.stop()
}, 300_000)

const visit = (
  path: string,
  look: (page: Page) => Promise<void>,
  options?: BrowserContextOptions,
) => visitIn(browser, new URL(path, demo.url), look, options)

const envelopeAt = (lines: string[], nth: number): number => {
  const places = lines.flatMap((line, at) => (line.startsWith('{"type":"envelope"') ? [at] : []))
  const at = places[nth]
  if (at === undefined) throw new Error(`the bundle has ${places.length} envelopes`)
  return at
}

const changed = (nth: number, change: (envelope: Record<string, unknown>) => object): string[] => {
  const lines = [...bundle]
  const at = envelopeAt(lines, nth)
  lines[at] = JSON.stringify({
    ...JSON.parse(lines[at] ?? ''),
    ...change(JSON.parse(lines[at] ?? '')),
  })
  return lines
}

const flipped = (text: unknown, fromEnd: number): string => {
  const bytes = Buffer.from(String(text), 'base64')
  const at = bytes.length - fromEnd
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  return bytes.toString('base64')
}

const TAMPERINGS: [string, () => string[], string | null][] = [
  ['untouched', () => bundle, null],
  [
    'a bit of a signature',
    () => changed(1, ({ raw }) => ({ raw: flipped(raw, 1) })),
    'SIGNATURE_INVALID',
  ],
  ['a bit of what was signed', () => changed(1, ({ raw }) => ({ raw: flipped(raw, 80) })), 'ANY'],
  ['an envelope left out', () => bundle.filter((_, at) => at !== envelopeAt(bundle, 1)), 'ANY'],
  [
    'two envelopes the other way round',
    () => {
      const lines = [...bundle]
      const [one, two] = [envelopeAt(lines, 1), envelopeAt(lines, 2)]
      const kept = lines[one] ?? ''
      lines[one] = lines[two] ?? ''
      lines[two] = kept
      return lines
    },
    'ANY',
  ],
  [
    'a proof of another place',
    () => {
      const other: { proof: unknown } = JSON.parse(bundle[envelopeAt(bundle, 2)] ?? '')
      return changed(1, () => ({ proof: other.proof }))
    },
    'PROOF_INVALID',
  ],
  [
    'a higher price',
    () =>
      bundle.map((line) =>
        line.startsWith('{"type":"header"')
          ? line.replace(/"capMinor":"\d/, '"capMinor":"9')
          : line,
      ),
    'ANY',
  ],
  [
    'a claim of more',
    () =>
      bundle.map((line) =>
        line.startsWith('{"type":"claim"')
          ? line.replace(/"owedMinor":"\d+/, '"owedMinor":"1')
          : line,
      ),
    'ANY',
  ],
  ['its end cut off', () => bundle.slice(0, -1), 'BUNDLE_MALFORMED'],
  ['no bundle at all', () => ['Dear Sir or Madam'], 'BUNDLE_MALFORMED'],
]

interface Verdict {
  firstFault: { code: string; message: string } | null
  differenceMinor: string
}

describe('the check of a file in the browser', () => {
  test.each(TAMPERINGS)('%s: the same verdict as the command line', async (name, tamper, code) => {
    const path = join(folder, `${name.replaceAll(' ', '-')}.jsonl`)
    writeFileSync(path, `${tamper().join('\n')}\n`)
    const printed = await runCommand(demo, ['audit', agreementId, '--bundle', path, '--json'])
    const report = JSON.parse(printed.trim().split('\n').at(-1) ?? '') as Verdict
    const { firstFault, differenceMinor } = report
    if (code === null)
      expect({ firstFault, differenceMinor }).toEqual({ firstFault: null, differenceMinor: '0' })
    else expect(firstFault?.code).toEqual(code === 'ANY' ? expect.any(String) : code)
    await visit('/check', async (page) => {
      await page.locator('input[type=file]').setInputFiles(path)
      const verdict = page.getByTestId('audit')
      await verdict.waitFor()
      if (firstFault === null) {
        await verdict.getByText(/^Every reading/).waitFor()
      } else {
        expect(await verdict.locator('.verdict-words').textContent()).toBe(
          `Does not fit: ${firstFault.message}`,
        )
        expect(await verdict.locator('code').first().textContent()).toBe(firstFault.code)
      }
      if (firstFault === null) await keepAll(page, 'check')
    })
  })

  test('axe finds nothing serious; it fits a phone', async () => {
    await visit(
      '/check',
      async (page) => {
        await page.locator('input[type=file]').waitFor()
        await expectAccessible(page)
        expect(await overflowOf(page)).toBe(0)
      },
      { ...phone, colorScheme: 'dark' },
    )
  })

  test('the evidence is kept from the page of its agreement, and is whole', async () => {
    await visit(`/agreements/${agreementId}`, async (page) => {
      const arrives = page.waitForEvent('download')
      await page.getByRole('link', { name: 'keep the evidence' }).click()
      const path = await (await arrives).path()
      await page.getByRole('link', { name: 'check the file' }).click()
      await page.locator('input[type=file]').setInputFiles(path)
      await page
        .getByTestId('audit')
        .getByText(/^Every reading/)
        .waitFor()
    })
  })
})

describe('the proof of one envelope', () => {
  test('is reached from its machine, checked in the browser and drawn as a tree', async () => {
    await visit('/machines/1', async (page) => {
      await page.locator('a[href^="/evidence/"]').last().click()
      const checks = page.getByTestId('checks')
      await checks.getByText('its leaf leads to the root').waitFor()
      await expect
        .poll(() => checks.locator('.badge').allTextContents())
        .toEqual(['holds', 'holds', 'holds'])
      expect(await page.getByRole('img', { name: /A path of \d+ steps/ }).count()).toBe(1)
      await expectAccessible(page)
      await keepAll(page, 'evidence')
    })
  })

  test.each([
    [
      'a bit of its signature',
      'Signature',
      (json: { raw: string }) => ({ ...json, raw: flipped(json.raw, 1) }),
    ],
    [
      'its time in the log',
      'Log',
      (json: { loggedAtMs: number }) => ({ ...json, loggedAtMs: json.loggedAtMs + 1 }),
    ],
  ])('%s changed by the node: does not hold', async (_, name, change) => {
    await visit('/', async (page) => {
      await page.context().route('**/v1/envelopes/1', async (route) => {
        const response = await route.fetch()
        await route.fulfill({ response, json: change(await response.json()) })
      })
      await page.goto(new URL('/evidence/1', demo.url).href)
      const row = page.getByTestId('checks').locator('li').filter({ hasText: name }).first()
      await expect.poll(() => row.locator('.badge').textContent()).toBe('does not hold')
    })
  })

  test('one that is not there: says so', async () => {
    await visit('/evidence/999999999', async (page) => {
      await page.getByText('Could not load this envelope').waitFor()
    })
  })
})
