import type { CooperationContracts } from '@liquefy/client'
import { LiquefyError } from '@liquefy/protocol'
import { type Hex, isAddress } from 'viem'

/** Where the contracts are. Written to `<dataDir>/deployment.json`; for an outside chain named by LIQUEFY_DEPLOYMENT. */
export interface ContractDeployment {
  chainId: number
  /** First block that can hold an event of these contracts. */
  fromBlock: number
  p256Sha256Verifier: Hex
  p256RawVerifier: Hex
  registry: Hex
  clearingHouse: Hex
  evidenceAnchor: Hex
  linearTariff: Hex
  tieredTariff: Hex
  planTariff: Hex
  /** What the machines' accounts and DIDs need; undefined on a ledger whose contracts an earlier version deployed: its machines have none. */
  accounts: AccountContracts | undefined
  /** What machines are shared and traded by; undefined on a ledger whose contracts an earlier version deployed. */
  cooperation: CooperationContracts | undefined
  asset: Asset
}

/** The registry of ERC-6551, the code of the accounts, and the registry of ERC-1056 that keeps their DIDs. */
interface AccountContracts {
  erc6551Registry: Hex
  machineAccount: Hex
  didRegistry: Hex
}

/** The token that agreements are paid in. */
export interface Asset {
  address: Hex
  symbol: string
  decimals: number
}

export class DeploymentError extends LiquefyError {
  constructor(message: string, options?: ErrorOptions) {
    super('DEPLOYMENT_INVALID', message, options)
    this.name = 'DeploymentError'
  }
}

const CONTRACTS = [
  'p256Sha256Verifier',
  'p256RawVerifier',
  'registry',
  'clearingHouse',
  'evidenceAnchor',
  'linearTariff',
  'tieredTariff',
  'planTariff',
] as const

/** The addresses of a deployment that must have code. */
export function contractAddresses(deployment: ContractDeployment): Record<string, Hex> {
  const named = CONTRACTS.map((name): [string, Hex] => [name, deployment[name]])
  const accounts = Object.entries(deployment.accounts ?? {})
  const cooperation = Object.entries(deployment.cooperation ?? {})
  return Object.fromEntries([
    ...named,
    ...accounts,
    ...cooperation,
    ['asset', deployment.asset.address],
  ])
}

function address(json: Record<string, unknown>, name: string): Hex {
  const value = json[name]
  if (typeof value !== 'string' || !isAddress(value, { strict: false })) {
    throw new DeploymentError(`The deployment lacks the address "${name}".`)
  }
  return value.toLowerCase() as Hex
}

function accountContracts(json: Record<string, unknown>): AccountContracts | undefined {
  if (json.accounts === undefined) return undefined
  const accounts = json.accounts as Record<string, unknown>
  return {
    erc6551Registry: address(accounts, 'erc6551Registry'),
    machineAccount: address(accounts, 'machineAccount'),
    didRegistry: address(accounts, 'didRegistry'),
  }
}

function cooperationContracts(json: Record<string, unknown>): CooperationContracts | undefined {
  if (json.cooperation === undefined) return undefined
  const cooperation = json.cooperation as Record<string, unknown>
  return {
    vaultFactory: address(cooperation, 'vaultFactory'),
    machineVault: address(cooperation, 'machineVault'),
    machineGovernor: address(cooperation, 'machineGovernor'),
    vaultTimelock: address(cooperation, 'vaultTimelock'),
    allowLists: address(cooperation, 'allowLists'),
    usageRights: address(cooperation, 'usageRights'),
    conduitController: address(cooperation, 'conduitController'),
    market: address(cooperation, 'market'),
  }
}

function wholeNumber(json: Record<string, unknown>, name: string): number {
  const value = json[name]
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw new DeploymentError(`The deployment lacks the number "${name}".`)
  }
  return value as number
}

/** Reads a deployment file's text. Throws {@link DeploymentError} naming what is missing. */
export function parseDeployment(text: string): ContractDeployment {
  let json: Record<string, unknown>
  try {
    json = JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    throw new DeploymentError('The deployment file is no JSON.', { cause })
  }
  const asset = (json.asset ?? {}) as Record<string, unknown>
  return {
    chainId: wholeNumber(json, 'chainId'),
    fromBlock: wholeNumber(json, 'fromBlock'),
    p256Sha256Verifier: address(json, 'p256Sha256Verifier'),
    p256RawVerifier: address(json, 'p256RawVerifier'),
    registry: address(json, 'registry'),
    clearingHouse: address(json, 'clearingHouse'),
    evidenceAnchor: address(json, 'evidenceAnchor'),
    linearTariff: address(json, 'linearTariff'),
    tieredTariff: address(json, 'tieredTariff'),
    planTariff: address(json, 'planTariff'),
    accounts: accountContracts(json),
    cooperation: cooperationContracts(json),
    asset: {
      address: address(asset, 'address'),
      symbol: typeof asset.symbol === 'string' ? asset.symbol : '',
      decimals: wholeNumber(asset, 'decimals'),
    },
  }
}
