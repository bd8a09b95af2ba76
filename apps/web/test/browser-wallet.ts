import { createClient, type Hex } from '@liquefy/client'
import type { Page } from 'playwright-core'
import { privateKeyToAccount } from 'viem/accounts'

/** What a wallet does when it is asked; may be changed while the page is open. */
interface Mood {
  /** Methods that its owner refuses. */
  refuses: string[]
  /** Transactions that it sends before its owner refuses another one. */
  sends: number
  /** The network that it is on. */
  chainId: number
}

/** A wallet as a browser extension puts it into a page (EIP-1193). */
export interface BrowserWallet {
  address: Hex
  change(mood: Partial<Mood>): void
}

const SIGNING = ['personal_sign', 'eth_sendTransaction', 'eth_signTypedData_v4']

/** The wallet of one of the demo's people, whose key the node has: what it signs and sends is real. */
export const withWalletOf = async (
  page: Page,
  nodeUrl: string,
  name: string,
): Promise<BrowserWallet> => {
  const client = createClient({ url: nodeUrl })
  const { people } = await client.deployment()
  const person = people.find((one) => one.name === name)
  if (!person) throw new Error(`nobody is called ${name}`)
  const { address } = person
  return install(page, nodeUrl, address, (method, params) =>
    client.walletRequest(address, { method, params }),
  )
}

/** A wallet with a key of its own, which has nothing on this ledger. */
export const withPennilessWallet = (page: Page, nodeUrl: string): Promise<BrowserWallet> => {
  const own = privateKeyToAccount(`0x${'43'.repeat(32)}`)
  return install(page, nodeUrl, own.address, (method, [message]) => {
    if (method !== 'personal_sign') throw new Error(`${method} is not here`)
    return own.signMessage({ message: { raw: message as Hex } })
  })
}

const install = async (
  page: Page,
  nodeUrl: string,
  address: Hex,
  sign: (method: string, params: unknown[]) => Promise<Hex>,
): Promise<BrowserWallet> => {
  const { chainId, rpcUrl } = await createClient({ url: nodeUrl }).deployment()
  const mood: Mood = { refuses: [], sends: Number.POSITIVE_INFINITY, chainId }
  const ask = async (method: string, params: unknown[]) => {
    if (SIGNING.includes(method)) return sign(method, params)
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    const headers = { 'content-type': 'application/json' }
    const answer = await (await fetch(rpcUrl, { method: 'POST', headers, body })).json()
    return (answer as { result: unknown }).result
  }
  await page.exposeFunction('askWallet', ask)
  await page.exposeFunction('moodOfWallet', (method: string) => {
    const { chainId: at, refuses } = mood
    if (method !== 'eth_sendTransaction') return { at, isRefused: refuses.includes(method) }
    const isRefused = refuses.includes(method) || mood.sends === 0
    if (!isRefused) mood.sends -= 1
    return { at, isRefused }
  })
  await page.addInitScript((own) => {
    const outside = window as never as {
      askWallet(method: string, params: unknown[]): Promise<unknown>
      moodOfWallet(method: string): Promise<{ at: number; isRefused: boolean }>
    }
    const request = async ({ method, params }: { method: string; params?: unknown[] }) => {
      const { at, isRefused } = await outside.moodOfWallet(method)
      if (isRefused) {
        throw Object.assign(new Error('User rejected the request.'), { code: 4001 })
      }
      if (method === 'eth_requestAccounts' || method === 'eth_accounts') return [own]
      if (method === 'eth_chainId') return `0x${at.toString(16)}`
      return outside.askWallet(method, params ?? [])
    }
    const ethereum = { request, on: () => undefined, removeListener: () => undefined }
    Object.assign(window, { ethereum })
  }, address)
  await page.reload()
  return {
    address,
    change: (wanted) => {
      Object.assign(mood, wanted)
    },
  }
}
