import { type Agreement, createClient, type Hex, type Notice } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
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

const firstAgreement = () => firstAgreementAt(demo.url)

describe('overview', () => {
  test('shows the machines, and money that moves without a reload', async () => {
    await visit('/', async (page) => {
      await page.locator('.machine-card').nth(2).waitFor()
      expect(await page.locator('.machine-card strong').allTextContents()).toEqual([
        'Silo 1 wheat',
        'Silo 2 rye',
        'Silo 3 bran',
      ])
      await page.getByText('Live', { exact: true }).waitFor()
      const before = await amountOf(page, 'Settled on the ledger')
      await expect
        .poll(() => amountOf(page, 'Settled on the ledger'), { timeout: 90_000 })
        .toBeGreaterThan(before)
      await page.locator('.feed .plus').first().waitFor()
      await keepAll(page, 'overview')
    })
  })

  test('fits a phone, and the dark theme', async () => {
    await visit(
      '/',
      async (page) => {
        await page.locator('.machine-card').first().waitFor()
        expect(await overflowOf(page)).toBe(0)
        const background = await page.evaluate(
          () => getComputedStyle(document.body).backgroundColor,
        )
        expect(background).toBe('rgb(14, 20, 19)')
        await keep(page, 'overview-phone-dark')
      },
      { ...phone, colorScheme: 'dark' },
    )
  })

  test('is reached and left by keyboard alone', async () => {
    await visit('/', async (page) => {
      await page.locator('.machine-card').first().waitFor()
      const tabTo = async (selector: string) => {
        for (let tabs = 0; tabs < 12; tabs += 1) {
          await page.keyboard.press('Tab')
          if (await page.evaluate((to) => document.activeElement?.matches(to), selector)) return
        }
        throw new Error(`twelve tabs do not reach ${selector}`)
      }
      await tabTo('.machine-card')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { level: 1, name: /Silo 1 wheat/ }).waitFor()
      await tabTo('.crumb a')
      await page.keyboard.press('Enter')
      await page.locator('.machine-card').first().waitFor()
    })
  })
})

describe('machine', () => {
  test('shows its readings, registers in kilograms and its life', async () => {
    await visit('/machines/1', async (page) => {
      await page.locator('.time-chart canvas').waitFor()
      await page
        .getByText(/\d kg$/)
        .first()
        .waitFor()
      await page.getByText('Registered on the ledger').waitFor()
      await page.getByLabel('temperature').check({ force: true })
      await page.getByRole('img', { name: /temperature/ }).waitFor()
      await keepAll(page, 'machine')
    })
  })

  test('says who it is: maker, DID, account and policy, replaced parts, and whether its evidence is whole', async () => {
    await firstAgreement()
    const client = createClient({ url: demo.url })
    const [life, account] = [await client.life('1'), await client.machineAccount('1')]
    const maker = {
      manufacturer: 'Pumpwerk AG',
      model: 'P 7',
      serial: 'SN-7',
      issuer: 'did:key:zDn',
      issuerName: 'Pumpwerk AG',
      state: 'revoked',
      words: 'Its maker has taken it back.',
    }
    const replacement = {
      stream: 'level',
      atMs: Date.UTC(2026, 0, 1),
      oldPart: 'SN 1',
      newPart: 'SN 2',
      last: '120.5',
      first: '3',
      seq: '1',
      logIndex: '1',
    }
    const policy = {
      perPaymentMinor: '30000000',
      perDayMinor: '100000000',
      expiryMs: Date.UTC(2099, 0, 1),
      counterparties: [account.account],
    }
    await visit('/machines/1', async (page) => {
      const card = page.locator('section').filter({ hasText: 'Who it is' })
      await card.getByText(account.did).waitFor()
      await card.getByText('No number of any stream is missing.').waitFor()
      await card.getByText('Its owner lets its key spend nothing.').waitFor()
      await page.context().route(/\/machines\/1\/life/, (route) =>
        route.fulfill({
          json: {
            ...life,
            credential: maker,
            replacements: [replacement],
            evidenceComplete: false,
          },
        }),
      )
      await page.context().route(/\/machines\/1\/account/, (route) =>
        route.fulfill({
          json: {
            ...account,
            policy,
            paused: true,
            sellsUntilMs: Date.UTC(2099, 0, 1),
            atHouseMinor: '9000000',
          },
        }),
      )
      await page.reload()
      await card.getByText('Pumpwerk AG P 7, serial number SN-7').waitFor()
      await card.getByText('not good at present').waitFor()
      await card.getByText(/Paused by its owner.*at once.*a day/).waitFor()
      await card.getByText(/may accept agreements that pay the machine itself, until/).waitFor()
      await card.getByText(/9\.00 tEUR wait for it at the clearing house/).waitFor()
      await card.getByText(/level: SN 1 by SN 2/).waitFor()
      await card.getByText('Not complete.').waitFor()
      await page.setViewportSize(phone.viewport)
      expect(await overflowOf(page)).toBe(0)
      await keep(page, 'machine-identity-phone')
    })
  })

  test('that is payer or payee itself is named so in its agreements', async () => {
    const first = await firstAgreement()
    const client = createClient({ url: demo.url })
    const [list, agreement] = [await client.agreements(), await client.agreement(first.agreementId)]
    const machines = {
      payerMachine: { machineId: '7', owner: first.payer },
      payeeMachine: { machineId: first.machineId, owner: first.payee },
    }
    const words = `machine 7 (its own account) pays machine ${first.machineId} (its own account)`
    await visit('/agreements', async (page) => {
      await page.context().route(/\/v1\/agreements$/, (route) =>
        route.fulfill({
          json: list.map((one) =>
            one.agreementId === first.agreementId ? { ...one, ...machines } : one,
          ),
        }),
      )
      await page
        .context()
        .route(new RegExp(`/v1/agreements/${first.agreementId}$`), (route) =>
          route.fulfill({ json: { ...agreement, ...machines } }),
        )
      await page.reload()
      await page.getByText(words).click()
      await page.getByRole('heading', { level: 1, name: words }).waitFor()
      expect(await overflowOf(page)).toBe(0)
    })
  })

  test('says who vouches for a sensor, until when and how closely', async () => {
    // The demo is set up while the first pages are looked at.
    await firstAgreement()
    const machine = await vi.waitFor(
      async () => {
        const found = await createClient({ url: demo.url }).machine('1')
        expect(found.streams).not.toEqual([])
        return found
      },
      { timeout: 60_000, interval: 200 },
    )
    const calibration = {
      digest: `0x${'ab'.repeat(32)}`,
      calibrationLaboratory: 'Prüfstelle Bern',
      laboratory: `0x${'cd'.repeat(32)}`,
      unit: 'g',
      validFromMs: Date.UTC(2026, 0, 1),
      validUntilMs: Date.UTC(2099, 0, 1),
      expandedUncertaintyPpm: 2_500,
      uniqueIdentifier: 'PB-2026-0017',
      item: 'SN-4711',
      documentDigest: null,
    }
    const json = {
      ...machine,
      streams: machine.streams.map((stream) => ({ ...stream, calibration })),
    }
    await visit('/machines/1', async (page) => {
      await page.context().route(/\/v1\/machines\/1(\?|$)/, (route) => route.fulfill({ json }))
      await page.reload()
      await page.getByText(/Calibrated by Prüfstelle Bern.*within 0\.25 %/).waitFor()
      await page
        .getByText(/certificate PB-2026-0017, sensor SN-4711\. Unit \S+ \(UCUM \S+\)/)
        .waitFor()
      await page.setViewportSize(phone.viewport)
      expect(await overflowOf(page)).toBe(0)
    })
  })

  test('draws its chart where the browser names a language that is none', async () => {
    await visit('/', async (page) => {
      await page.addInitScript(() => {
        Object.defineProperty(navigator, 'language', { value: 'en-US@posix', configurable: true })
      })
      await page.goto(new URL('/machines/1', demo.url).href)
      await page.locator('.time-chart canvas').waitFor()
    })
  })
})

describe('agreement', () => {
  test('says the tariff in words, and the browser checks the bill to the unit', async () => {
    const { agreementId } = await firstAgreement()
    await visit(`/agreements/${agreementId}`, async (page) => {
      await page.getByText('0.42 tEUR per kg').waitFor()
      await page.getByText('Nordmühle GmbH pays Silowerk AG').waitFor()
      await page.getByRole('button', { name: 'Check this bill' }).click()
      await page.getByText('Every reading, every proof and every unit of money fits.').waitFor()
      expect(await amountOf(page, 'Difference')).toBe(0)
      expect(await amountOf(page, 'Paid on the ledger')).toBeGreaterThan(0)
      await keepAll(page, 'agreement')
    })
  })

  test('INV-23: one flipped bit in what the node hands out is found and named', async () => {
    const { agreementId } = await firstAgreement()
    await visit(`/agreements/${agreementId}`, async (page) => {
      await page.context().route('**/bundle', async (route) => {
        const response = await route.fetch()
        await route.fulfill({ response, body: withOneBitFlipped(await response.text()) })
      })
      await page.getByRole('button', { name: 'Check this bill' }).click()
      const verdict = page.getByTestId('audit')
      await verdict.waitFor()
      expect(await verdict.textContent()).toMatch(/Does not fit.*SIGNATURE_INVALID level, seq 2/s)
    })
  })
})

/** Makes the page believe in a change of what the node says of an agreement. */
const changing = async (page: Page, agreementId: Hex, change: Partial<Agreement>) => {
  const json = { ...(await createClient({ url: demo.url }).agreement(agreementId)), ...change }
  await page.context().route(`**/v1/agreements/${agreementId}`, (route) => route.fulfill({ json }))
  await page.reload()
}

describe('an agreement that has seen more', () => {
  const txHash = `0x${'ab'.repeat(32)}` as const
  const period = {
    period: 0,
    startMs: Date.UTC(2026, 0, 1),
    endMs: Date.UTC(2026, 1, 1),
    asOf: '1769904000',
    registers: ['1200000', '300000'],
    owedMinor: '10000000',
    costMinor: '11200000',
    signedMinor: '10000000',
    sentMinor: '0',
    includedMinor: '10500000',
    finalMinor: '10500000',
    arrearsMinor: '700000',
    adjustedMinor: '1200000',
    refundedMinor: '250000',
    heads: [],
    band: { lowerMinor: '9950000', upperMinor: '10050000', uncertaintyPpm: 5_000 },
  }
  const kinds = ['settled', 'collected', 'adjusted', 'refunded']
  const settlement = (kind: Agreement['settlements'][number]['kind'], paidMinor: string) => ({
    kind,
    period: 0,
    asOf: '1769904000',
    registers: [],
    paidMinor,
    txHash,
    place: `7-${kinds.indexOf(kind)}`,
    block: 7,
    final: true,
    atMs: Date.UTC(2026, 1, 2),
  })
  const more: Partial<Agreement> = {
    registerUnits: ['Wh', 'Wh'],
    rulesInWords: ['Counts up in Wh.', 'Counts up in Wh.'],
    owedMinor: '20000000',
    costMinor: '21700000',
    adjustedMinor: '1200000',
    refundedMinor: '250000',
    arrearsMinor: '700000',
    periodCount: 2,
    periods: [
      period,
      {
        ...period,
        period: 1,
        costMinor: '10500000',
        arrearsMinor: '0',
        adjustedMinor: '0',
        refundedMinor: '0',
        band: null,
      },
    ],
    settlements: [
      settlement('refunded', '250000'),
      settlement('adjusted', '500000'),
      settlement('collected', '2000000'),
      settlement('settled', '8000000'),
    ],
  }

  test('names arrears, late evidence and refunds by period, and the kind of each payment', async () => {
    const { agreementId } = await firstAgreement()
    await visit(`/agreements/${agreementId}`, async (page) => {
      await changing(page, agreementId, more)
      for (const words of [
        /\+1\.20 tEUR for late evidence/,
        /0\.70 tEUR in arrears/,
        /−0\.25 tEUR refunded/,
        /^9\.95 tEUR to 10\.05 tEUR, within 0\.5 %$/,
      ]) {
        await page.locator('td').getByText(words).waitFor()
      }
      for (const words of [
        'refunded to the payer',
        'adjusted for late evidence',
        'arrears collected',
      ]) {
        await page.locator('td').getByText(words, { exact: true }).waitFor()
      }
      expect(await page.getByText('Counts up in Wh.').count()).toBe(1)
      expect(await amountOf(page, 'Owed')).toBe(21_700_000)
      await keep(page, 'agreement-more')
      await page.setViewportSize(phone.viewport)
      expect(await overflowOf(page)).toBe(0)
      await keep(page, 'agreement-more-phone')
    })
  })

  test('links what it belongs to and what belongs to it; without a machine it is told by its parties', async () => {
    const { agreementId } = await firstAgreement()
    const other = `0x${'cd'.repeat(32)}` as const
    await visit(`/agreements/${agreementId}`, async (page) => {
      await changing(page, agreementId, {
        machineId: '0',
        machineName: 'no machine',
        linkedTo: other,
        linkedFrom: [`0x${'ef'.repeat(32)}`],
        registerUnits: [],
        rulesInWords: [],
        periods: [{ ...period, registers: [] }],
      })
      await page.getByText('by time alone').waitFor()
      await page.getByText(/With it goes agreement 0xefefef/).waitFor()
      await keep(page, 'agreement-without-machine')
      await page
        .getByText(/Belongs to/)
        .getByRole('link')
        .click()
      await page.waitForURL(`**/agreements/${other}`)
    })
  })
})

describe('low escrow', () => {
  const lowOn = async (page: Page, notice: Pick<Notice, 'agreementId' | 'party' | 'kind'>) => {
    const amounts = { escrowMinor: '4200000', unpaidMinor: '3900000', fundedMinor: '50000000' }
    await page.context().route('**/v1/notices', (route) =>
      route.fulfill({
        json: (['payer', 'payee'] as const).map((role) => ({ ...notice, ...amounts, role })),
      }),
    )
    await page.reload()
  }

  test('the overview warns and leads to the agreement, which warns too', async () => {
    const { agreementId, payer } = await firstAgreement()
    await visit('/', async (page) => {
      await lowOn(page, { agreementId, party: payer, kind: 'escrow-low' })
      const banner = page.getByRole('region', { name: 'An agreement is low on escrow' })
      await banner.getByText(/4\.20 tEUR left in escrow, 3\.90 tEUR owed/).waitFor()
      await banner.getByText(/Nordmühle GmbH should top it up/).waitFor()
      await keep(page, 'overview-low')
      await page.setViewportSize(phone.viewport)
      expect(await overflowOf(page)).toBe(0)
      await keep(page, 'overview-low-phone')
      await banner.getByRole('link').click()
      await page.getByRole('heading', { name: 'Escrow runs low' }).waitFor()
      await keep(page, 'agreement-low-phone')
    })
  })
})

/** Flips the last bit of the signature of the second envelope. */
const withOneBitFlipped = (bundle: string): string => {
  let envelopes = 0
  return bundle
    .split('\n')
    .map((line) => {
      if (!line.includes('"type":"envelope"')) return line
      envelopes += 1
      if (envelopes !== 2) return line
      const parsed = JSON.parse(line)
      const raw = Buffer.from(parsed.raw, 'base64')
      raw.writeUInt8(raw.readUInt8(raw.length - 1) ^ 1, raw.length - 1)
      return JSON.stringify({ ...parsed, raw: raw.toString('base64') })
    })
    .join('\n')
}

describe.each(['light', 'dark'] as const)('axe, %s', (colorScheme) => {
  test('finds nothing serious on overview, machine and agreement', async () => {
    const { agreementId, machineId } = await firstAgreement()
    for (const path of ['/', `/machines/${machineId}`, `/agreements/${agreementId}`, '/nowhere']) {
      const options = { ...desktop, colorScheme, reducedMotion: 'reduce' } as const
      const look = async (page: Page) => {
        await page.locator('.card, .empty').first().waitFor()
        await page.getByText('Live', { exact: true }).waitFor()
        await expectAccessible(page)
      }
      await visit(path, look, options)
    }
  })
})

test('a machine and an agreement fit a phone', async () => {
  const { agreementId, machineId } = await firstAgreement()
  for (const path of [`/machines/${machineId}`, `/agreements/${agreementId}`]) {
    await visit(
      path,
      async (page) => {
        await page.locator('.card').nth(2).waitFor()
        await page.locator('table, .timeline').first().waitFor()
        expect(await overflowOf(page)).toBe(0)
      },
      phone,
    )
  }
})
