import { execFile, spawnSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Algorithms, Sign1 } from '@auth0/cose'
import { clearingHouseAbi, testEuroAbi } from '@liquefy/abi'
import {
  createKey,
  loadKey,
  openMachine,
  passwordToken,
  saveIdentity,
  writeEnvelopeFile,
} from '@liquefy/machine'
import type { CounterRule, Hex } from '@liquefy/protocol'
import { parseEther } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LiveNode, startLiveNode } from './live-node.ts'

const run = promisify(execFile)

const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '5000', perHour: '1000' },
}
/** 1.2345 smallest units a gram, floored once. */
const TARIFF = { price: 12_345n, scale: 4 }
const owed = (grams: bigint) => (grams * TARIFF.price) / 10n ** BigInt(TARIFF.scale)
const ESCROW = 1_000_000n

let live: LiveNode

/** A machine in a folder of its own, as `liquefy machine keygen` and `register` leave it, with an agreement. */
async function setUp(name: string) {
  const folder = join(live.folder, name)
  mkdirSync(folder)
  const key = createKey(folder)
  const machineId = await live.register(key)
  const { chainId, registry, clearingHouse, mqttUrl } = live.node.deployment
  const identity = { machineId, chainId, registry, clearingHouse, mqttUrl }
  saveIdentity(folder, identity)
  const agreementId = await live.open({
    machineId,
    rule: RULE,
    tariff: TARIFF,
    escrowMinor: ESCROW,
  })
  return { folder, identity, agreementId }
}

beforeAll(async () => {
  // The node relays nothing: whatever is settled here, others have settled.
  live = await startLiveNode({ settle: { minMinor: 2n ** 96n, maxAgeMs: 2 ** 31 - 1 } })
})

afterAll(() => live?.stop())

const MOSQUITTO = 'mosquitto_pub'
const hasMosquitto = spawnSync(MOSQUITTO, ['--help']).error === undefined
if (!hasMosquitto) {
  const words = `${MOSQUITTO} is not installed (Debian: mosquitto-clients)`
  if (process.env.CI) throw new Error(`${words}, and CI must have it.`)
  console.log(`${words}: that it can publish an envelope was NOT tested.`)
}

describe.skipIf(!hasMosquitto)(MOSQUITTO, () => {
  /** The line of packages/machine/README.md. */
  const publish = (id: bigint, token: string, file: string) => {
    const { hostname, port } = new URL(live.node.mqttUrl)
    const where = ['-h', hostname, '-p', port, '-V', '311', '-q', '1']
    const who = ['-i', `${id}`, '-u', `${id}`, '-P', token]
    return run(MOSQUITTO, [...where, ...who, '-t', `liquefy/v1/${id}/envelope`, '-f', file])
  }

  test('publishes files of the SDK: logged, priced, owed', async () => {
    const { folder, identity, agreementId } = await setUp('shell')
    const id = identity.machineId
    const key = loadKey(folder)
    let prev: Hex | undefined
    for (const [seq, value] of [
      [1n, 10_000n],
      [2n, 10_777n],
    ] as const) {
      const file = join(folder, `${seq}.cbor`)
      prev = writeEnvelopeFile(file, {
        key,
        identity,
        stream: 'weight',
        seq,
        ...(prev === undefined ? {} : { prev }),
        readings: [{ unit: 'g', value, timeMs: Date.now() }],
      })
      await publish(id, passwordToken(key, identity, Date.now()), file)
      // Its exit is the PUBACK, and that comes after the commit.
      const [newest] = await live.client.envelopes(`${id}`)
      expect(newest).toMatchObject({ digest: prev, seq: `${seq}` })
    }
    await live.node.idle()
    const codes = (await live.client.envelopes(`${id}`)).map(({ code }) => code)
    expect(codes).toEqual(['OK', 'OK'])
    expect(await live.client.agreement(agreementId)).toMatchObject({
      owedMinor: '959',
      periods: [{ registers: ['777'] }],
    })
  })

  test('is turned away with a token of another key', async () => {
    const { identity } = await setUp('shell-stranger')
    const other = createKey(join(live.folder, 'other'))
    const file = join(live.folder, 'stranger.cbor')
    writeEnvelopeFile(file, {
      key: other,
      identity,
      stream: 'weight',
      seq: 1n,
      readings: [{ unit: 'g', value: 1n, timeMs: Date.now() }],
    })
    const token = passwordToken(other, identity, Date.now())
    await expect(publish(identity.machineId, token, file)).rejects.toThrow(
      'bad user name or password',
    )
    await live.node.idle()
    const id = `${identity.machineId}`
    expect(await live.client.envelopes(id)).toEqual([])
    expect((await live.client.refusals(id)).map(({ code }) => code)).toEqual(['TOKEN_INVALID'])
  })
})

describe('a machine with the SDK, and nobody else of us', () => {
  let machineId: string
  let agreementId: Hex

  test('its signed meter value is accepted, and the node relays nothing', async () => {
    const silo = await setUp('silo')
    machineId = `${silo.identity.machineId}`
    agreementId = silo.agreementId
    const machine = await openMachine({ folder: silo.folder })
    for (const value of [50_000n, 50_500n, 53_211n]) {
      await machine.sample('weight', { unit: 'g', value })
    }
    await machine.flushed()
    await expect.poll(() => machine.agreements()).toHaveLength(1)
    const events = await machine.meterNow()
    expect(events).toContainEqual({
      kind: 'accepted',
      agreementId,
      period: 0,
      registers: [3_211n],
    })
    await machine.close()
  })

  test('@auth0/cose verifies each envelope read back, under the key that the API names', async () => {
    const { key } = await live.client.machine(machineId)
    if (!key) throw new Error('no key')
    const base64url = (hex: Hex) => Buffer.from(hex.slice(2), 'hex').toString('base64url')
    const jwk = { kty: 'EC', crv: key.curve, x: base64url(key.x), y: base64url(key.y) }
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
    const envelopes = await live.client.envelopes(machineId)
    expect(envelopes).toHaveLength(3)
    for (const { logIndex } of envelopes) {
      const raw = Buffer.from((await live.client.envelope(logIndex)).raw, 'base64')
      const theirs = Sign1.decode(raw)
      expect(theirs.alg).toBe(Algorithms.ES256)
      await expect(theirs.verify(publicKey)).resolves.toBeUndefined()
      const flipped = Buffer.from(raw)
      // Inside the payload, before the 64 bytes of signature and their header.
      flipped.writeUInt8(raw.readUInt8(raw.length - 70) ^ 1, raw.length - 70)
      await expect(Sign1.decode(flipped).verify(publicKey)).rejects.toThrow()
    }
  })

  test('a script with only viem and the ABI settles the meter value; the payee withdraws', async () => {
    const { node, payee } = live
    const { clearingHouse, asset } = node.deployment
    const house = { address: clearingHouse, abi: clearingHouseAbi } as const
    const ledger = node.chain.publicClient
    const tokenId = [agreementId] as const
    const money = async () => ({
      escrow: await ledger.readContract({ ...house, functionName: 'escrowOf', args: tokenId }),
      accrued: await ledger.readContract({ ...house, functionName: 'accruedOf', args: tokenId }),
    })
    const amount = owed(3_211n)
    expect(amount).toBe(3_963n)
    expect(await money()).toEqual({ escrow: ESCROW, accrued: 0n })

    // A stranger: no party, not the node; all that it has is gas.
    const strangerKey = generatePrivateKey()
    const stranger = privateKeyToAccount(strangerKey).address
    const included = async (sending: Promise<Hex>) => {
      const receipt = await ledger.waitForTransactionReceipt({
        hash: await sending,
        pollingInterval: 100,
      })
      expect(receipt.status).toBe('success')
    }
    const chain = null
    await included(payee.sendTransaction({ chain, to: stranger, value: parseEther('0.1') }))
    const settle = async () => {
      const script = fileURLToPath(new URL('./settle-with-viem.ts', import.meta.url))
      const env = { ...process.env, PRIVATE_KEY: strangerKey }
      const { stdout } = await run(process.execPath, [script, node.url, agreementId], { env })
      return JSON.parse(stdout)
    }
    expect(await settle()).toMatchObject({ status: 'success', from: stranger.toLowerCase() })
    expect(await money()).toEqual({ escrow: ESCROW - amount, accrued: amount })
    // INV-6: a repetition moves nothing.
    expect(await settle()).toMatchObject({ status: 'success' })
    expect(await money()).toEqual({ escrow: ESCROW - amount, accrued: amount })

    await node.idle()
    expect(await live.client.agreement(agreementId)).toMatchObject({
      owedMinor: `${amount}`,
      includedMinor: `${amount}`,
      escrowMinor: `${ESCROW - amount}`,
      position: { accruedMinor: `${amount}` },
      settlements: [{ registers: ['3211'], paidMinor: `${amount}` }],
    })

    // The node has seen it, and sends nothing of its own for it any more.
    const sentByNode = () => ledger.getTransactionCount({ address: node.keys.operator.address })
    const sent = await sentByNode()
    await node.settleNow()
    expect(await sentByNode()).toBe(sent)

    const held = () =>
      ledger.readContract({
        address: asset.address,
        abi: testEuroAbi,
        functionName: 'balanceOf',
        args: [payee.account.address],
      })
    const before = await held()
    const to = payee.account.address
    await included(
      payee.writeContract({ ...house, chain, functionName: 'credit', args: [tokenId] }),
    )
    const args = [asset.address, amount, to] as const
    await included(payee.writeContract({ ...house, chain, functionName: 'withdraw', args }))
    expect((await held()) - before).toBe(amount)
    await node.idle()
    expect(await node.checkMoney()).toMatchObject({ ok: true, differences: [] })
  })
})
