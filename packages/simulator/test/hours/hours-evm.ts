import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import { createEVM, type EVM } from '@ethereumjs/evm'
import { SimpleStateManager } from '@ethereumjs/statemanager'
import { bytesToHex, createAddressFromString, createZeroAddress } from '@ethereumjs/util'
import {
  machineRegistryAbi,
  machineRegistryBytecode,
  p256Sha256VerifierBytecode,
  testEuroAbi,
  testEuroBytecode,
  usageRightsAbi,
  usageRightsBytecode,
} from '@liquefy/abi'
import {
  type Abi,
  decodeErrorResult,
  decodeFunctionResult,
  encodeDeployData,
  encodeFunctionData,
  getAddress,
  type Hex,
  hexToBytes,
  zeroAddress,
} from 'viem'
import {
  CURVE_NUMBER,
  keyId,
  privateKeyFromBytes,
  registerDigest,
  signTypedDigest,
} from '@liquefy/protocol'
import type { Action } from './hours-model.ts'

const GAS = 15_000_000n
const CHAIN_ID = 1
const PRICE_PER_HOUR = 100n

/** The contracts in an EVM of this process, without blocks: each call is a transaction at a time that the caller says. */
export async function hoursEvm(options: {
  owner: Hex
  people: readonly Hex[]
  zone: string
  nowSeconds: number
  untilWeek: number
  openBits: bigint
}) {
  const common = new Common({ chain: Mainnet, hardfork: Hardfork.Osaka })
  const evm: EVM = await createEVM({ common, stateManager: new SimpleStateManager({ common }) })
  let now = options.nowSeconds

  async function run(by: Hex, to: Hex | undefined, data: Hex) {
    const result = await evm.runCall({
      caller: createAddressFromString(by),
      ...(to === undefined ? {} : { to: createAddressFromString(to) }),
      data: hexToBytes(data),
      gasLimit: GAS,
      skipBalance: true,
      block: blockAt(now),
    })
    evm.transientStorage.clear()
    await evm.journal.cleanup()
    return result
  }

  async function deploy(bytecode: Hex, abi: Abi = [], args: unknown[] = []): Promise<Hex> {
    const { createdAddress, execResult } = await run(
      options.owner,
      undefined,
      encodeDeployData({ abi, bytecode, args }),
    )
    if (!createdAddress || execResult.exceptionError) throw new Error('A contract was not created.')
    return getAddress(createdAddress.toString())
  }

  /** The name of the error, or `OK`. */
  async function call(
    by: Hex,
    to: Hex,
    abi: Abi,
    functionName: string,
    args: readonly unknown[],
  ): Promise<{ verdict: string; output: Hex }> {
    const { execResult } = await run(by, to, encodeFunctionData({ abi, functionName, args }))
    const output = bytesToHex(execResult.returnValue)
    if (!execResult.exceptionError) return { verdict: 'OK', output }
    if (output === '0x') return { verdict: String(execResult.exceptionError.error), output }
    return { verdict: decodeErrorResult({ abi, data: output }).errorName, output }
  }

  async function must(by: Hex, to: Hex, abi: Abi, functionName: string, args: readonly unknown[]) {
    const { verdict, output } = await call(by, to, abi, functionName, args)
    if (verdict !== 'OK') throw new Error(`${functionName}: ${verdict}`)
    return decodeFunctionResult({ abi, functionName, data: output })
  }

  const { owner, people } = options
  const verifier = await deploy(p256Sha256VerifierBytecode)
  const registry = await deploy(machineRegistryBytecode, machineRegistryAbi, [
    verifier,
    zeroAddress,
    '0x00000000000000000000000000000000000000aa',
  ])
  const rights = await deploy(usageRightsBytecode, usageRightsAbi, [registry])
  const euro = await deploy(testEuroBytecode, testEuroAbi)
  const key = privateKeyFromBytes('P-256', new Uint8Array(32).fill(5))
  const deadline = 2n ** 40n
  const id = keyId(key.publicKey)
  const digest = registerDigest({ chainId: CHAIN_ID, registry, owner, keyId: id, verifier, deadline })
  const { x, y } = key.publicKey
  const machineKey = { curve: CURVE_NUMBER['P-256'], verifier, x, y }
  await must(owner, registry, machineRegistryAbi, 'register', [
    owner,
    machineKey,
    deadline,
    signTypedDigest(key, digest),
  ])
  await must(owner, rights, usageRightsAbi, 'setZone', [1n, options.zone])
  await must(owner, rights, usageRightsAbi, 'offer', [
    1n,
    euro,
    PRICE_PER_HOUR,
    options.openBits,
    options.untilWeek,
  ])
  for (const person of people) {
    await must(person, euro, testEuroAbi, 'mint', [person, 2n ** 90n])
    await must(person, euro, testEuroAbi, 'approve', [rights, 2n ** 255n])
  }

  const errors = [...usageRightsAbi, ...testEuroAbi.filter(({ type }) => type === 'error')] as Abi

  return {
    pricePerHour: PRICE_PER_HOUR,
    /** Tries an action at a time of the ledger, in seconds: the name of the error, or `OK`. */
    async apply(action: Action, atSeconds: number): Promise<string> {
      now = atSeconds
      return (await call(action.by as Hex, rights, errors, action.kind, argsOf(action))).verdict
    },
    /** What the contract says of `count` weeks, at most 53. */
    async weeks(first: number, count: number) {
      const list = await must(owner, rights, usageRightsAbi, 'weeksOf', [1n, first, count])
      return list as readonly { occupied: bigint; promised: number }[]
    },
    async held(rightId: bigint, week: number) {
      return (await must(owner, rights, usageRightsAbi, 'hoursOf', [rightId, week])) as bigint
    },
    async ownerOf(rightId: bigint) {
      return (await must(owner, rights, usageRightsAbi, 'ownerOf', [rightId])) as Hex
    },
    async paid() {
      return (await must(owner, euro, testEuroAbi, 'balanceOf', [owner])) as bigint
    },
  }
}

const blockAt = (seconds: number) => ({
  header: {
    number: 1n,
    coinbase: createZeroAddress(),
    timestamp: BigInt(seconds),
    difficulty: 0n,
    prevRandao: new Uint8Array(32),
    gasLimit: GAS,
    getBlobGasPrice: () => undefined,
  },
})

function argsOf(action: Action): readonly unknown[] {
  switch (action.kind) {
    case 'issue':
      return [1n, action.firstWeek, action.weeksCount, action.bits, action.hoursPerWeek, action.to]
    case 'buy':
      return [1n, action.firstWeek, action.weeksCount, action.bits, action.maxTotal, action.to]
    case 'buyHours':
      return [1n, action.firstWeek, action.weeksCount, action.hoursPerWeek, action.maxTotal, action.to]
    case 'book':
    case 'cancel':
      return [BigInt(action.rightId), action.week, action.bits]
    case 'setUser':
      return [BigInt(action.rightId), action.user, BigInt(action.expires)]
    case 'transferFrom':
      return [action.by, action.to, BigInt(action.rightId)]
  }
}
