import {
  linearTariffAbi,
  linearTariffBytecode,
  planTariffAbi,
  planTariffBytecode,
  tieredTariffAbi,
  tieredTariffBytecode,
} from '@liquefy/abi'
import fc from 'fast-check'
import {
  createPublicClient,
  createWalletClient,
  encodeFunctionData,
  type Hex,
  hexToBytes,
  http,
  type PublicClient,
} from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  encodeTariffData,
  isValidTariff,
  NO_MAXIMUM,
  owed,
  type PlanTariff,
  type Tariff,
  TariffError,
} from '../../src/index.ts'
import { type Anvil, startAnvil } from './anvil.ts'

const CASES = process.env.LIQUEFY_NIGHTLY ? 100_000 : 2_000
const PORTION = 500
/** Of `TariffCall`. */
const TARIFF_GAS = 100_000n

/** Small numbers, numbers near a border, and numbers of every length up to 256 bits. */
const magnitude = (bits: number) =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: 1000n }),
    fc.nat(bits).chain((length) => fc.bigInt({ min: 0n, max: 2n ** BigInt(length) - 1n })),
  )
const scale = fc.oneof(fc.nat(18), fc.nat(80))

const linear = fc.array(fc.tuple(magnitude(256), magnitude(256)), { maxLength: 5 }).chain((pairs) =>
  scale.map((places) => ({
    tariff: { kind: 'linear', prices: pairs.map(([price]) => price), scale: places } as Tariff,
    registers: pairs.map(([, register]) => register),
  })),
)
const tiered = fc
  .record({
    borders: fc.uniqueArray(fc.bigInt({ min: 1n, max: 10_000n }), { maxLength: 6 }),
    stretch: fc.constantFrom(1n, 1_000_003n, 2n ** 100n),
    prices: fc.array(magnitude(120), { minLength: 7, maxLength: 7 }),
    scale,
    register: magnitude(140),
    nearBorder: fc.option(fc.tuple(fc.nat(5), fc.integer({ min: -1, max: 1 }))),
  })
  .map(({ borders, stretch, prices, scale: places, register, nearBorder }) => {
    const upTo = borders.map((border) => border * stretch).sort((a, b) => (a < b ? -1 : 1))
    const border = nearBorder && upTo[nearBorder[0]]
    return {
      tariff: {
        kind: 'tiered',
        upTo,
        prices: prices.slice(0, upTo.length + 1),
        scale: places,
      } as Tariff,
      registers: [border ? border + BigInt(nearBorder[1]) : register],
    }
  })

const elapsed = fc.oneof(fc.bigInt({ min: 0n, max: 100_000n }), fc.bigInt(0n, 2n ** 64n - 1n))
const plan = fc
  .record({
    pairs: fc.array(fc.tuple(magnitude(160), magnitude(120)), { maxLength: 5 }),
    scale,
    fee: fc.oneof(fc.constant(0n), magnitude(140)),
    feeSeconds: fc.oneof(fc.constantFrom(0, 1, 3_600, 2 ** 32 - 1), fc.nat(2 ** 32 - 1)),
    bounds: fc.tuple(
      fc.oneof(fc.constant(0n), magnitude(200)),
      fc.oneof(fc.constant(NO_MAXIMUM), magnitude(200)),
    ),
    isOrdered: fc.integer({ min: 0, max: 9 }).map((dice) => dice > 0),
    elapsed,
  })
  .map(({ pairs, scale: places, fee, feeSeconds, bounds, isOrdered, elapsed: seconds }) => {
    const [less, more] = bounds[0] < bounds[1] ? bounds : [bounds[1], bounds[0]]
    return {
      tariff: {
        kind: 'plan',
        prices: pairs.map(([price]) => price),
        scale: places,
        fee,
        feeSeconds,
        minimum: isOrdered ? less : more,
        maximum: isOrdered ? more : less,
      } as Tariff,
      registers: pairs.map(([, register]) => register),
      elapsed: seconds,
    }
  })

type Case = { tariff: Tariff; registers: bigint[]; elapsed?: bigint }

const ABIS = { linear: linearTariffAbi, tiered: tieredTariffAbi, plan: planTariffAbi }

let anvil: Anvil
let client: PublicClient
const contracts: Partial<Record<Tariff['kind'], Hex>> = {}

beforeAll(async () => {
  anvil = await startAnvil()
  const transport = http(anvil.url, { batch: { batchSize: PORTION, wait: 1 }, retryCount: 0 })
  client = createPublicClient({ transport })
  const wallet = createWalletClient({ transport })
  const [account] = await wallet.getAddresses()
  const deploy = async (bytecode: Hex) => {
    if (!account) throw new Error('anvil has no account.')
    const hash = await wallet.sendTransaction({ account, chain: null, data: bytecode })
    const { contractAddress } = await client.waitForTransactionReceipt({
      hash,
      pollingInterval: 50,
    })
    if (!contractAddress) throw new Error('The tariff was not deployed.')
    return contractAddress
  }
  contracts.linear = await deploy(linearTariffBytecode)
  contracts.tiered = await deploy(tieredTariffBytecode)
  contracts.plan = await deploy(planTariffBytecode)
})
afterAll(() => anvil.stop())

const addressOf = (kind: Tariff['kind']): Hex => {
  const address = contracts[kind]
  if (!address) throw new Error(`No ${kind} tariff is deployed.`)
  return address
}

/** What the contract answers, or "reverts". */
const owedOnChain = ({
  tariff,
  registers,
  elapsed: seconds = 0n,
}: Case): Promise<bigint | 'reverts'> =>
  client
    .readContract({
      address: addressOf(tariff.kind),
      abi: ABIS[tariff.kind],
      functionName: 'owed',
      args: [encodeTariffData(tariff), registers, seconds],
    })
    .catch((error: Error) => {
      if (error.name !== 'ContractFunctionExecutionError') throw error
      return 'reverts' as const
    })

const validOnChain = ({ tariff }: Case, registerCount: number): Promise<boolean> =>
  client.readContract({
    address: addressOf(tariff.kind),
    abi: ABIS[tariff.kind],
    functionName: 'validate',
    args: [encodeTariffData(tariff), BigInt(registerCount)],
  })

const owedHere = ({ tariff, registers, elapsed: seconds = 0n }: Case): bigint | 'reverts' => {
  try {
    return owed(tariff, registers, seconds)
  } catch (error) {
    if (!(error instanceof TariffError)) throw error
    return 'reverts'
  }
}

const free: PlanTariff = {
  kind: 'plan',
  prices: [],
  scale: 0,
  fee: 0n,
  feeSeconds: 1,
  minimum: 0n,
  maximum: NO_MAXIMUM,
}

const tiersOf = (borders: number): Tariff => ({
  kind: 'tiered',
  upTo: Array.from({ length: borders }, (_, tier) => BigInt(tier + 1)),
  prices: Array.from({ length: borders + 1 }, () => 2n ** 90n),
  scale: 6,
})

/** What a transaction costs before its first instruction. */
const baseGas = (data: Hex): bigint =>
  hexToBytes(data).reduce((sum, byte) => sum + (byte === 0 ? 4n : 16n), 21_000n)

test('the largest tariff that each contract accepts fits the gas that a tariff gets', async () => {
  const registers = Array.from({ length: 32 }, () => 2n ** 90n)
  const most = { prices: registers, scale: 18 }
  const largest: Case[] = [
    { tariff: { kind: 'linear', ...most }, registers },
    { tariff: { ...free, ...most, fee: 2n ** 90n, feeSeconds: 3_600 }, registers },
    { tariff: tiersOf(64), registers: [2n ** 90n] },
  ]
  for (const { tariff, registers: have } of largest) {
    expect(isValidTariff(tariff, have.length)).toBe(true)
    const data = encodeFunctionData({
      abi: ABIS[tariff.kind],
      functionName: 'owed',
      args: [encodeTariffData(tariff), have, 86_400n],
    })
    const gas = TARIFF_GAS + baseGas(data)
    const { data: answer } = await client.call({ to: addressOf(tariff.kind), data, gas })
    expect(BigInt(answer ?? 0)).toBe(owed(tariff, have, 86_400n))
  }
})

describe.each([
  ['linear', linear],
  ['tiered', tiered],
  ['plan', plan],
] as const)('%s tariff', (kind, arbitrary) => {
  test(`owes the same in TypeScript and in the EVM, in ${CASES} cases`, async () => {
    let paid = 0
    for (let done = 0; done < CASES; done += PORTION) {
      const cases = fc.sample(arbitrary, { numRuns: PORTION, seed: 7919 + done }) as Case[]
      const onChain = await Promise.all(cases.map(owedOnChain))
      const here = cases.map(owedHere)
      for (const [index, one] of cases.entries()) {
        expect({ ...one, owed: here[index] }).toEqual({ ...one, owed: onChain[index] })
      }
      paid += onChain.filter((amount) => amount !== 'reverts' && amount > 0n).length
    }
    expect(paid).toBeGreaterThan(CASES / 4)
  }, 3_600_000)

  test('never falls in the EVM when a register or the time rises', async () => {
    const cases = fc.sample(arbitrary, { numRuns: PORTION, seed: 15_485_863 }) as Case[]
    const raised = cases.map((one, index): Case => {
      const at = one.registers.length === 0 ? 0 : index % one.registers.length
      const registers = one.registers.map((register, which) => register + BigInt(which === at))
      return { ...one, registers, elapsed: (one.elapsed ?? 0n) / 2n + 1n }
    })
    const base = cases.map((one): Case => ({ ...one, elapsed: (one.elapsed ?? 0n) / 2n }))
    const before = await Promise.all(base.map(owedOnChain))
    const after = await Promise.all(raised.map(owedOnChain))
    let compared = 0
    for (const [index, amount] of before.entries()) {
      const higher = after[index]
      if (amount === 'reverts' || higher === 'reverts' || higher === undefined) continue
      compared += 1
      expect(higher, JSON.stringify(raised[index], String)).toBeGreaterThanOrEqual(amount)
    }
    expect(compared).toBeGreaterThan(PORTION / 4)
  })

  test('is accepted by the same rule', async () => {
    const cases = fc.sample(arbitrary, { numRuns: 100, seed: 104_729 }) as Case[]
    const [first] = cases
    const odd: Case[] =
      kind === 'tiered'
        ? [
            { tariff: { kind, upTo: [5n, 5n], prices: [1n, 2n, 3n], scale: 0 }, registers: [1n] },
            { tariff: { kind, upTo: [0n], prices: [1n, 2n], scale: 0 }, registers: [1n] },
            { tariff: { kind, upTo: [5n], prices: [1n], scale: 0 }, registers: [1n] },
            { tariff: tiersOf(64), registers: [1n] },
            { tariff: tiersOf(65), registers: [1n] },
          ]
        : kind === 'plan'
          ? [
              { tariff: { ...free, prices: [1n], feeSeconds: 0 }, registers: [1n] },
              { tariff: { ...free, prices: [1n], scale: 61 }, registers: [1n] },
              { tariff: { ...free, prices: [1n], minimum: 2n, maximum: 1n }, registers: [1n] },
            ]
          : []
    expect(first).toBeDefined()
    for (const one of [...cases, ...odd]) {
      for (const count of [one.registers.length, one.registers.length + 1]) {
        expect(isValidTariff(one.tariff, count)).toBe(await validOnChain(one, count))
      }
    }
  })
})
