import { conduitControllerBytecode, seaportAbi, seaportBytecode } from '@liquefy/abi'
import fc from 'fast-check'
import {
  createPublicClient,
  createWalletClient,
  type Hex,
  http,
  keccak256,
  numberToHex,
  publicActions,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { anvil } from 'viem/chains'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Good,
  type Market,
  type Order,
  type OrderJson,
  orderComponents,
  orderDigest,
  orderId,
  orderPart,
  orderParts,
  orderToJson,
  parseOrder,
  recoverAccount,
} from '../../src/index.ts'
import { type Anvil, startAnvil } from '../transact/anvil.ts'

const address = (byte: string): Hex => `0x${byte.repeat(20)}`

const market: Market = {
  chainId: 31_337,
  market: address('5e'),
  asset: address('e0'),
  registry: address('01'),
  clearingHouse: address('02'),
  usageRights: address('03'),
}

const sale: Order = {
  side: 'sale',
  maker: address('aa'),
  good: { kind: 'machine', machineId: 7n },
  priceMinor: 5_000_000n,
  startTime: 1_800_000_000n,
  endTime: 1_800_086_400n,
  salt: 9n,
  counter: 0n,
}

const shares: Order = {
  ...sale,
  good: { kind: 'share', token: address('04'), amount: 300n },
  priceMinor: 4_500n,
}

const amounts = fc.bigInt({ min: 1n, max: 2n ** 120n - 1n })
const ids = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })
const goods: fc.Arbitrary<Good> = fc.oneof(
  ids.map((machineId): Good => ({ kind: 'machine', machineId })),
  ids.map((id): Good => ({ kind: 'receivable', agreementId: numberToHex(id, { size: 32 }) })),
  ids.map((rightId): Good => ({ kind: 'right', rightId })),
  amounts.map((amount): Good => ({ kind: 'share', token: address('04'), amount })),
)
const times = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const orders: fc.Arbitrary<Order> = fc.record({
  side: fc.constantFrom('sale' as const, 'offer' as const),
  maker: fc.constantFrom(address('aa'), address('bb')),
  good: goods,
  priceMinor: amounts,
  startTime: times,
  endTime: times,
  salt: ids,
  counter: ids,
})

describe('what an order may look like', () => {
  test('every order of ours is read again as it was written', () => {
    fc.assert(
      fc.property(orders, (order) => {
        const json = JSON.parse(JSON.stringify(orderToJson(market, order)))
        expect(parseOrder(market, json)).toEqual({ ok: true, order })
      }),
    )
  })

  const json = orderToJson(market, sale)
  const [paid] = json.consideration
  const [given] = json.offer
  if (!paid || !given) throw new Error('A sale has two items.')
  const thief = address('66')
  const refusals: [string, Partial<OrderJson>, string][] = [
    [
      'another recipient',
      { consideration: [{ ...paid, recipient: thief }] },
      'ORDER_RECIPIENT_REFUSED',
    ],
    [
      'a fee to somebody',
      {
        consideration: [paid, { ...paid, recipient: thief }],
        totalOriginalConsiderationItems: 2,
      },
      'ORDER_SHAPE_REFUSED',
    ],
    ['a second thing given', { offer: [given, given] }, 'ORDER_SHAPE_REFUSED'],
    ['nothing given', { offer: [] }, 'ORDER_SHAPE_REFUSED'],
    ['another asset', { consideration: [{ ...paid, token: thief }] }, 'ORDER_ASSET_REFUSED'],
    ['coin of the ledger', { consideration: [{ ...paid, itemType: 0 }] }, 'ORDER_ASSET_REFUSED'],
    [
      'no price',
      { consideration: [{ ...paid, startAmount: '0', endAmount: '0' }] },
      'ORDER_PRICE_REFUSED',
    ],
    ['a price that falls', { consideration: [{ ...paid, endAmount: '1' }] }, 'ORDER_SHAPE_REFUSED'],
    [
      'a price beyond what Seaport counts',
      {
        consideration: [
          { ...paid, startAmount: String(2n ** 120n), endAmount: String(2n ** 120n) },
        ],
      },
      'ORDER_PRICE_REFUSED',
    ],
    [
      'a price of 2^256',
      { consideration: [{ ...paid, startAmount: String(2n ** 256n) }] },
      'ORDER_INVALID',
    ],
    ['a price in words', { consideration: [{ ...paid, startAmount: '1e3' }] }, 'ORDER_INVALID'],
    ['a token of strangers', { offer: [{ ...given, token: thief }] }, 'ORDER_GOOD_UNKNOWN'],
    ['any machine at all', { offer: [{ ...given, itemType: 4 }] }, 'ORDER_GOOD_UNKNOWN'],
    [
      'a machine twice',
      { offer: [{ ...given, startAmount: '2', endAmount: '2' }] },
      'ORDER_GOOD_UNKNOWN',
    ],
    ['a zone', { zone: thief }, 'ORDER_SHAPE_REFUSED'],
    ['a conduit', { conduitKey: `0x${'01'.repeat(32)}` }, 'ORDER_SHAPE_REFUSED'],
    ['a restricted order', { orderType: 2 }, 'ORDER_SHAPE_REFUSED'],
    ['a machine in parts', { orderType: 1 }, 'ORDER_SHAPE_REFUSED'],
    ['a hash for a zone', { zoneHash: `0x${'01'.repeat(32)}` }, 'ORDER_SHAPE_REFUSED'],
    ['another count of what is wanted', { totalOriginalConsiderationItems: 0 }, 'ORDER_INVALID'],
    ['a field more', { tip: '1' } as Partial<OrderJson>, 'FIELD_FORBIDDEN'],
  ]
  test.each(refusals)('%s is refused', (_, changed, code) => {
    expect(parseOrder(market, { ...json, ...changed })).toMatchObject({ ok: false, code })
  })

  test('the asset is no share, and nothing is a usage right where there are none', () => {
    const of = (good: Good) => orderToJson(market, { ...sale, good })
    const asset = of({ kind: 'share', token: market.asset, amount: 5n })
    expect(parseOrder(market, asset)).toMatchObject({ ok: false, code: 'ORDER_GOOD_UNKNOWN' })
    const right = of({ kind: 'right', rightId: 1n })
    const without = { ...market, usageRights: undefined }
    expect(parseOrder(without, right)).toMatchObject({ ok: false, code: 'ORDER_GOOD_UNKNOWN' })
    expect(() => orderToJson(without, { ...sale, good: { kind: 'right', rightId: 1n } })).toThrow(
      RangeError,
    )
    expect(parseOrder(market, null)).toMatchObject({ ok: false, code: 'ORDER_INVALID' })
  })
})

describe('parts of an order for shares', () => {
  test('a part has its exact share of the price, and parts sum to the whole', () => {
    expect(orderParts(shares)).toBe(300n)
    expect(orderPart(shares, 20n)).toEqual({ numerator: 20n, denominator: 300n, priceMinor: 300n })
    const uneven = { ...shares, priceMinor: 4_600n }
    expect(orderParts(uneven)).toBe(100n)
    expect(orderPart(uneven, 20n)).toBeUndefined()
    expect(orderPart(uneven, 21n)).toMatchObject({ priceMinor: 322n })
    for (const amount of [0n, -3n, 301n]) expect(orderPart(shares, amount)).toBeUndefined()
    expect(orderPart(sale, 1n)).toBeUndefined()
  })

  test('the price of a part never rounds', () => {
    fc.assert(
      fc.property(amounts, amounts, fc.nat(), (amount, priceMinor, nth) => {
        const order: Order = {
          ...shares,
          good: { kind: 'share', token: address('04'), amount },
          priceMinor,
        }
        const parts = orderParts(order)
        const taken = (amount / parts) * ((BigInt(nth) % parts) + 1n)
        const part = orderPart(order, taken)
        expect(part && part.priceMinor * amount).toBe(priceMinor * taken)
      }),
    )
  })
})

describe('against Seaport', () => {
  let chain: Anvil
  let onChain: Market
  const account = privateKeyToAccount(`0x${'a7'.repeat(32)}`)
  const wallet = () =>
    createWalletClient({
      account,
      chain: anvil,
      transport: http(chain.url),
      pollingInterval: 50,
    }).extend(publicActions)

  beforeAll(async () => {
    chain = await startAnvil()
    const client = wallet()
    await client.request({
      method: 'anvil_setBalance',
      params: [account.address, numberToHex(10n ** 20n)],
    } as never)
    const deployed = async (hash: Hex): Promise<Hex> => {
      const { contractAddress } = await client.waitForTransactionReceipt({ hash })
      if (!contractAddress) throw new Error('Nothing was deployed.')
      return contractAddress.toLowerCase() as Hex
    }
    const controller = await deployed(
      await client.sendTransaction({ data: conduitControllerBytecode }),
    )
    const seaport = await deployed(
      await client.deployContract({
        abi: seaportAbi,
        bytecode: seaportBytecode,
        args: [controller],
      }),
    )
    onChain = { ...market, market: seaport }
  }, 60_000)
  afterAll(() => chain.stop())

  test('id and digest are those of the contract, whatever the order', async () => {
    const client = wallet()
    const [version, separator] = await client.readContract({
      address: onChain.market,
      abi: seaportAbi,
      functionName: 'information',
    })
    expect(version).toBe('1.6')
    await fc.assert(
      fc.asyncProperty(orders, async (order) => {
        const components = orderComponents(onChain, order)
        const hash = await client.readContract({
          address: onChain.market,
          abi: seaportAbi,
          functionName: 'getOrderHash',
          args: [components],
        })
        expect(orderId(onChain, order)).toBe(hash)
        expect(orderDigest(onChain, order)).toBe(
          keccak256(`0x1901${separator.slice(2)}${hash.slice(2)}`),
        )
      }),
      { numRuns: 25 },
    )
  }, 60_000)

  test('INV-8: a signature is good on its chain and for its market alone', async () => {
    const order = { ...sale, maker: account.address.toLowerCase() as Hex }
    const signature = await account.sign({ hash: orderDigest(onChain, order) })
    const signer = (where: Market) => recoverAccount(orderDigest(where, order), signature)
    expect(signer(onChain)).toBe(order.maker)
    expect(signer({ ...onChain, chainId: 1 })).not.toBe(order.maker)
    expect(signer({ ...onChain, market: market.market })).not.toBe(order.maker)
    const { counter, ...parameters } = orderComponents(onChain, order)
    // The maker himself may validate his order unsigned: who asks here is nobody.
    const stranger = createPublicClient({ chain: anvil, transport: http(chain.url) })
    const validate = (signed: Hex) =>
      stranger.readContract({
        address: onChain.market,
        abi: seaportAbi,
        functionName: 'validate',
        args: [
          [
            {
              parameters: { ...parameters, totalOriginalConsiderationItems: 1n },
              signature: signed,
            },
          ],
        ],
      } as never)
    expect(counter).toBe(0n)
    expect(await validate(signature)).toBe(true)
    await expect(validate(`${signature.slice(0, -2)}1d` as Hex)).rejects.toThrow()
    await expect(
      validate(await account.sign({ hash: orderDigest({ ...onChain, chainId: 1 }, order) })),
    ).rejects.toThrow(/InvalidSigner/)
  }, 60_000)
})
