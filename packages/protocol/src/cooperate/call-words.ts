import {
  type Abi,
  type ContractFunctionArgs,
  type ContractFunctionName,
  decodeFunctionData,
  encodeFunctionData,
  type Hex,
} from 'viem'
import { formatDecimal } from '../units/decimal.ts'

/** What a call is about; `unknown`: nobody can say what it does. */
export type CallKind =
  | 'waterfall'
  | 'spend'
  | 'operator'
  | 'compliance'
  | 'buyout-rules'
  | 'income'
  | 'governance'
  | 'machine-state'
  | 'machine-transfer'
  | 'machine-key'
  | 'machine-policy'
  | 'agreement'
  | 'market'
  | 'right'
  | 'unknown'

/** One call in words. `grave`: it gives away, ends, or changes who decides. */
export interface CallEffect {
  kind: CallKind
  words: string
  severity: 'usual' | 'grave' | 'unknown'
}

/** A call as a proposal has it; `value` in smallest units of the ledger's coin. */
export interface VaultCall {
  target: Hex
  value: bigint
  data: Hex
}

/** What explaining needs to know. Addresses in any case; undefined where the ledger has no such contract. */
export interface CallContext {
  vault: Hex
  governor: Hex
  timelock: Hex
  /** The vault's. */
  asset: { address: Hex; symbol: string; decimals: number }
  registry: Hex
  clearingHouse: Hex
  usageRights?: Hex | undefined
  /** Seaport. */
  market?: Hex | undefined
  allowLists?: Hex | undefined
  /** What people and machines are called, by lower-case address; both stand behind the name in full. */
  names: ReadonlyMap<string, string>
  /** Machines by their own accounts' lower-case addresses. */
  accounts: ReadonlyMap<string, bigint>
  /** What machines are called, by id. */
  machineNames: ReadonlyMap<bigint, string>
}

/** A call of one of an ABI's functions with its arguments. */
export type Decoded<abi extends Abi> = {
  [name in ContractFunctionName<abi>]: {
    functionName: name
    args: ContractFunctionArgs<abi, 'nonpayable', name>
  }
}[ContractFunctionName<abi>]

/** Writes parts of an effect. */
export interface CallWords {
  isSame(address: Hex, other: Hex | undefined): boolean
  who(address: Hex): string
  money(minor: bigint): string
  machine(machineId: bigint): string
  time(seconds: bigint): string
  /** What the proposer wrote, in quotes, so that it cannot pass for what the call does. */
  said(text: string): string
}

/** Of what others wrote, so much is shown. */
const SAID_CHARACTERS = 200

/** Without anything that breaks a line, is not seen, or turns the direction of what stands behind it. */
const onOneLine = (text: string): string =>
  text
    .slice(0, SAID_CHARACTERS)
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()

export function callWords(context: CallContext): CallWords {
  const { asset, names, machineNames, vault, timelock } = context
  const isSame = (address: Hex, other: Hex | undefined) =>
    address.toLowerCase() === other?.toLowerCase()
  return {
    isSame,
    who(address) {
      if (isSame(address, vault)) return 'the vault'
      if (isSame(address, timelock)) return "the vault's timelock"
      const name = names.get(address.toLowerCase())
      return name ? `${name} (${address})` : address
    },
    money: (minor) =>
      `${formatDecimal(minor, asset.decimals, { grouping: true, trim: true })} ${asset.symbol}`,
    machine(machineId) {
      const name = machineNames.get(machineId)
      const shown = onOneLine((name ?? '').replace(/[()]/g, ''))
      return shown ? `machine ${machineId} (${shown})` : `machine ${machineId}`
    },
    said: (text) =>
      `“${onOneLine(text).replace(/[“”„]/g, '"')}${text.length > SAID_CHARACTERS ? '…' : ''}”`,
    time(seconds) {
      // The last millisecond that a date can name.
      const ms = Number(seconds) * 1_000
      return ms <= 8.64e15 ? `${new Date(ms).toISOString().slice(0, 16)} UTC` : 'for ever'
    },
  }
}

/** Reads bytes as a call of one of the functions; undefined if they are none, or say it in another way than it is usually said. */
export function decodeCall<const abi extends Abi>(abi: abi, data: Hex): Decoded<abi> | undefined {
  try {
    const decoded = decodeFunctionData({ abi, data }) as { functionName: string; args?: unknown[] }
    const call = { functionName: decoded.functionName, args: decoded.args ?? [] }
    // What is hidden behind the arguments, or between them, must not be passed over.
    if (encodeFunctionData({ abi: abi as Abi, ...call }) !== data.toLowerCase()) return undefined
    return call as unknown as Decoded<abi>
  } catch {
    return undefined
  }
}

export const usual = (kind: CallKind, words: string): CallEffect => ({
  kind,
  words,
  severity: 'usual',
})
export const grave = (kind: CallKind, words: string): CallEffect => ({
  kind,
  words,
  severity: 'grave',
})

/** A call of which nobody can say what it does. */
export function unknownCall(by: string, { target, value, data }: VaultCall): CallEffect {
  const bytes = (data.length - 2) / 2
  const called = bytes >= 4 ? `function ${data.slice(0, 10)}` : 'no function'
  const coin = value === 0n ? '' : `, with ${value} of the ledger's smallest coin`
  return {
    kind: 'unknown',
    words: `UNKNOWN: has ${by} call ${called} of ${target} (${bytes} bytes${coin}). Nobody here can say what that does: ask the proposer, and do not vote for it before you know.`,
    severity: 'unknown',
  }
}
