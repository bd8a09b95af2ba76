import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type Hex } from '@liquefy/client'
import { ethers } from 'ethers'
import pino from 'pino'
import { createSiweMessage } from 'viem/siwe'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'

const HOUR_MS = 3_600_000
const person = ethers.Wallet.createRandom()

let dataDir: string
let node: RunningNode
let aheadMs = 0

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-sessions-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    clock: { nowMs: () => Date.now() + aheadMs },
    logger: pino({ level: 'silent' }),
  })
}, 300_000)

afterAll(async () => {
  await node.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const client = (token?: string) => createClient({ url: node.url, token: () => token })

type Fields = Parameters<typeof createSiweMessage>[0]

async function messageOf(change: Partial<Fields> = {}): Promise<string> {
  const { nonce } = await client().signInNonce()
  return createSiweMessage({
    address: ethers.getAddress(person.address) as Hex,
    chainId: node.deployment.chainId,
    domain: new URL(node.url).host,
    uri: node.url,
    version: '1',
    nonce,
    ...change,
  })
}

const sign = async (message: string, by: { signMessage(text: string): Promise<string> } = person) =>
  ({ message, signature: (await by.signMessage(message)) as Hex }) as const

describe('Sign-In with Ethereum', () => {
  test('a message signed by ethers opens a session, which ends when told', async () => {
    const { token, address } = await client().signIn(await sign(await messageOf()))
    expect(address).toBe(person.address.toLowerCase())
    expect(await client(token).session()).toMatchObject({ address })
    await client(token).signOut()
    await expect(client(token).session()).rejects.toMatchObject({
      status: 401,
      code: 'SESSION_INVALID',
    })
  })

  test('ATK a session ends after twelve hours', async () => {
    const { token } = await client().signIn(await sign(await messageOf()))
    aheadMs = 12 * HOUR_MS - 60_000
    await client(token).session()
    aheadMs = 12 * HOUR_MS + 60_000
    await expect(client(token).session()).rejects.toMatchObject({ code: 'SESSION_INVALID' })
    aheadMs = 0
  })

  test('ATK the same signed message signs in once', async () => {
    const signed = await sign(await messageOf())
    await client().signIn(signed)
    await expect(client().signIn(signed)).rejects.toMatchObject({
      status: 401,
      code: 'SIGN_IN_EXPIRED',
    })
  })

  test.each<[string, Partial<Fields>, string]>([
    ['for another site', { domain: 'evil.example' }, 'SIGN_IN_ELSEWHERE'],
    ['that leads elsewhere', { uri: 'https://evil.example/' }, 'SIGN_IN_ELSEWHERE'],
    ['for another chain', { chainId: 1 }, 'SIGN_IN_NETWORK'],
    ['with a nonce of its own', { nonce: 'ab'.repeat(32) }, 'SIGN_IN_EXPIRED'],
    ['that has expired', { expirationTime: new Date(Date.now() - 1_000) }, 'SIGN_IN_EXPIRED'],
    ['of another account', { address: `0x${'11'.repeat(20)}` }, 'SIGNATURE_INVALID'],
  ])('ATK a message %s is refused', async (_, change, code) => {
    const signed = await sign(await messageOf(change))
    await expect(client().signIn(signed)).rejects.toMatchObject({ status: 401, code })
  })

  test('ATK a nonce is good for ten minutes, and not when it was changed', async () => {
    const message = await messageOf()
    const signed = await sign(message)
    aheadMs = 11 * 60_000
    await expect(client().signIn(signed)).rejects.toMatchObject({ code: 'SIGN_IN_EXPIRED' })
    aheadMs = 0
    const later = message.replace(/Nonce: ../, 'Nonce: ff')
    await expect(client().signIn(await sign(later))).rejects.toMatchObject({
      code: 'SIGN_IN_EXPIRED',
    })
  })

  test('what is no message, no token: refused with what to do', async () => {
    await expect(client().signIn(await sign('Let me in'))).rejects.toMatchObject({
      code: 'SIGN_IN_INVALID',
    })
    await expect(client().session()).rejects.toMatchObject({ code: 'SESSION_MISSING' })
    await expect(client('short').session()).rejects.toMatchObject({ code: 'SESSION_MISSING' })
  })
})

describe("demo people's wallets", () => {
  const plant = () => {
    const [one] = node.deployment.people
    if (!one) throw new Error('no people')
    return one.address
  }

  test('sign what ethers verifies, and sign in', async () => {
    expect(node.deployment.actAsPeople).toBe(true)
    const message = await messageOf({ address: ethers.getAddress(plant()) as Hex })
    const params = [ethers.hexlify(ethers.toUtf8Bytes(message)), plant()]
    const signature = await client().walletRequest(plant(), { method: 'personal_sign', params })
    expect(ethers.verifyMessage(message, signature)).toBe(ethers.getAddress(plant()))
    expect(await client().signIn({ message, signature })).toMatchObject({
      address: plant().toLowerCase(),
    })
    const types = { Reading: [{ name: 'value', type: 'uint256' }] }
    const domain = { name: 'Test', chainId: node.deployment.chainId }
    const typed = { domain, types, primaryType: 'Reading', message: { value: '7' } }
    const typedSignature = await client().walletRequest(plant(), {
      method: 'eth_signTypedData_v4',
      params: [plant(), JSON.stringify(typed)],
    })
    expect(ethers.verifyTypedData(domain, types, typed.message, typedSignature)).toBe(
      ethers.getAddress(plant()),
    )
  })

  test('send what the ledger takes', async () => {
    const to = ethers.Wallet.createRandom().address as Hex
    const hash = await client().walletRequest(plant(), {
      method: 'eth_sendTransaction',
      params: [{ from: plant(), to, value: '0x5' }],
    })
    await node.chain.publicClient.waitForTransactionReceipt({ hash })
    expect(await node.chain.publicClient.getBalance({ address: to })).toBe(5n)
  })

  test('ATK they do nothing else, for nobody else', async () => {
    const ask = (address: Hex, method: string, params: unknown[]) =>
      client().walletRequest(address, { method, params })
    await expect(ask(node.deployment.log, 'personal_sign', ['0x00'])).rejects.toMatchObject({
      status: 422,
      code: 'PERSON_UNKNOWN',
    })
    await expect(ask(plant(), 'eth_sign', [plant(), '0x00'])).rejects.toMatchObject({
      code: 'WALLET_METHOD_UNKNOWN',
    })
    for (const params of [[], ['text'], [{ to: 'nobody' }]]) {
      await expect(ask(plant(), 'eth_sendTransaction', params)).rejects.toMatchObject({
        code: 'WALLET_REQUEST_INVALID',
      })
    }
    const huge = `0x${(10n ** 30n).toString(16)}`
    await expect(
      ask(plant(), 'eth_sendTransaction', [{ to: plant(), value: huge }]),
    ).rejects.toMatchObject({ status: 409, code: 'LEDGER_REFUSED' })
  })

  test("ATK a stranger's page cannot make a browser ask them", async () => {
    const url = new URL(`/v1/people/${plant()}/wallet`, node.url)
    const body = JSON.stringify({ method: 'personal_sign', params: ['0x00'] })
    const simple = { method: 'POST', body, headers: { 'content-type': 'text/plain' } }
    expect((await fetch(url, simple)).status).toBe(400)
    const asked = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    })
    expect(asked.headers.get('access-control-allow-origin')).toBeNull()
    expect(asked.ok).toBe(false)
  })
})
