import { createClient } from '@liquefy/client'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Demo, startBrowser, startDemo } from './harness.ts'
import {
  account,
  amountOf,
  expectAccessible,
  firstAgreementAt,
  keep,
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

const firstAgreement = () => firstAgreementAt(demo.url)

describe('sign-in', () => {
  test('as one of the people: what one sees follows from the address, and stays after a reload', async () => {
    await visit('/', async (page) => {
      await account(page, 'Sign in').click()
      await page.getByRole('button', { name: 'Nordmühle GmbH' }).waitFor()
      await expectAccessible(page)
      await keep(page, 'sign-in')
      await page.keyboard.press('Escape')
      await signInAs(page, 'Nordmühle GmbH')
      await page.getByText('You owe').waitFor()
      expect(await amountOf(page, 'Left in escrow')).toBeGreaterThan(0)
      expect(await page.getByText('Yours to withdraw').count()).toBe(0)
      await expectAccessible(page)
      await keep(page, 'overview-mine')
      await page.reload()
      await page.getByText('You owe').waitFor()
      await page.getByLabel('All').check({ force: true })
      await page.getByText('Settled on the ledger').waitFor()
      await account(page, 'Nordmühle GmbH').click()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await account(page, 'Sign in').waitFor()
    })
  })

  test('who has no machine is told so', async () => {
    await visit(
      '/',
      async (page) => {
        await signInAs(page, 'City council')
        await page.getByText('No machine is yours').waitFor()
        expect(await overflowOf(page)).toBe(0)
        await keep(page, 'overview-nothing-mine-phone')
      },
      { ...phone, colorScheme: 'dark' },
    )
  })

  test('a session that the node has ended is forgotten', async () => {
    await visit('/', async (page) => {
      await signInAs(page, 'Silowerk AG')
      const token = await page.evaluate(
        () => JSON.parse(localStorage.getItem('liquefy.session') ?? '{}').token,
      )
      await createClient({ url: demo.url, token: () => token }).signOut()
      await page.reload()
      await account(page, 'Sign in').waitFor()
    })
  })
})

/** A wallet as a browser extension puts it into a page (EIP-1193), with a key of the test's own. */
const withWallet = async (
  page: Page,
  answers: { chainId?: number; refuses?: boolean } = {},
): Promise<string> => {
  const own = privateKeyToAccount(`0x${'42'.repeat(32)}`)
  const { chainId } = await createClient({ url: demo.url }).deployment()
  await page.exposeFunction('signByKey', (raw: `0x${string}`) =>
    own.signMessage({ message: { raw } }),
  )
  await page.addInitScript(
    ({ address, chain, refuses }) => {
      const refused = (code: number, message: string) => Object.assign(new Error(message), { code })
      const request = async ({ method, params }: { method: string; params?: string[] }) => {
        if (method === 'eth_requestAccounts' || method === 'eth_accounts') return [address]
        if (method === 'eth_chainId') return `0x${chain.toString(16)}`
        if (method === 'personal_sign') {
          if (refuses) throw refused(4001, 'User rejected the request.')
          return (window as never as { signByKey(raw: unknown): Promise<string> }).signByKey(
            params?.[0],
          )
        }
        throw refused(4200, `${method} is not here`)
      }
      const ethereum = { request, on: () => undefined, removeListener: () => undefined }
      Object.assign(window, { ethereum })
    },
    {
      address: own.address,
      chain: answers.chainId ?? chainId,
      refuses: answers.refuses ?? false,
    },
  )
  await page.reload()
  return own.address
}

describe('a wallet of the reader', () => {
  const choose = async (page: Page) => {
    await account(page, 'Sign in').click()
    await page.getByRole('button', { name: 'Wallet in this browser' }).click()
  }
  const problem = (page: Page) => page.getByRole('alert')

  test('signs in', async () => {
    await visit('/', async (page) => {
      const address = await withWallet(page)
      await choose(page)
      await account(page, address.toLowerCase().slice(0, 8)).waitFor()
    })
  })

  test('a rejected signature: says that nothing happened, and what to do', async () => {
    await visit('/', async (page) => {
      await withWallet(page, { refuses: true })
      await choose(page)
      await problem(page).getByText('You refused it in the wallet: nothing was signed').waitFor()
      await keep(page, 'sign-in-refused')
    })
  })

  test('a wrong network: says which one is right', async () => {
    await visit('/', async (page) => {
      await withWallet(page, { chainId: 1 })
      await choose(page)
      await problem(page)
        .getByText(/on another network. Switch it to chain 1819371129/)
        .waitFor()
    })
  })

  test('none in the browser: says so', async () => {
    await visit('/', async (page) => {
      await choose(page)
      await problem(page).getByText('There is no wallet in this browser.').waitFor()
    })
  })
})

describe('money of an agreement', () => {
  test('its payer tops up escrow; what cannot be read is refused beforehand', async () => {
    const { agreementId } = await firstAgreement()
    await visit(`/agreements/${agreementId}`, async (page) => {
      await page.getByText('Escrow left').waitFor()
      expect(await page.getByText('Top up escrow').count()).toBe(0)
      await signInAs(page, 'Nordmühle GmbH')
      const amount = page.getByLabel('Amount in tEUR')
      const put = page.getByRole('button', { name: 'Put into escrow' })
      for (const [text, words] of [
        ['ten', /is no plain decimal|cannot be read|"ten"/],
        ['1.2345678', /more than 6 decimal places/],
        ['0', /more than nothing/],
      ] as const) {
        await amount.fill(text)
        await page.getByText(words).waitFor()
        expect(await put.isDisabled()).toBe(true)
      }
      const client = createClient({ url: demo.url })
      const fundedOf = async () => {
        const one = await client.agreement(agreementId)
        return BigInt(one.escrowMinor) + BigInt(one.includedMinor)
      }
      const before = await fundedOf()
      await amount.fill('12.34')
      await put.click()
      await page.getByText('12.34 tEUR more in escrow.').waitFor()
      await expect.poll(fundedOf).toBe(before + 12_340_000n)
      await expectAccessible(page)
      await keep(page, 'agreement-payer')
    })
  })

  test('the payee withdraws what was earned', async () => {
    const { agreementId } = await firstAgreement()
    const client = createClient({ url: demo.url })
    await expect
      .poll(async () => (await client.agreement(agreementId)).position.accruedMinor, {
        timeout: 60_000,
      })
      .not.toBe('0')
    await visit(`/agreements/${agreementId}`, async (page) => {
      await signInAs(page, 'Silowerk AG')
      await page.getByRole('button', { name: 'Withdraw' }).click()
      await page.getByText(/tEUR paid out to your account/).waitFor()
      const words = await page.getByText(/tEUR paid out to your account/).textContent()
      expect(Number(words?.replaceAll(/[^\d]/g, ''))).toBeGreaterThan(0)
      await keep(page, 'agreement-payee')
    })
  })
})
