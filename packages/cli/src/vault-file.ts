import { readFileSync } from 'node:fs'
import {
  type BuyoutRules,
  type GovernanceSetup,
  type ProposedAction,
  type ShareSale,
  type SignedOrder,
  USUAL_GOVERNANCE,
  type VaultSetup,
  type Waterfall,
} from '@liquefy/client'
import { type Hex, type OrderJson, parseUnsigned } from '@liquefy/protocol'
import { isAddress, isHex } from 'viem'
import { CliError } from './failure.ts'

/** What reading a file needs to know of its ledger. */
export interface FileContext {
  asset: Hex
  /** Where lists of who may hold shares are kept; undefined on a ledger without vaults. */
  allowLists: Hex | undefined
  accountOf(name: string): Hex
  /** The ledger's time. */
  nowSeconds: bigint
}

/** What reading a proposal needs to know beside that. */
export interface ProposalContext extends FileContext {
  /** The offer of that id, for what the vault holds. */
  offerOf(orderId: Hex): Promise<SignedOrder>
  /** The vault's sales of a machine that still stand. */
  salesOf(machineId: bigint): Promise<OrderJson[]>
}

type Json = Record<string, unknown>

/** Reads fields of one object of a file, and in the end refuses those that nobody asked for. */
class FileFields {
  readonly #json: Json
  readonly #at: string
  readonly #context: FileContext
  readonly #read = new Set<string>()

  constructor(json: unknown, at: string, context: FileContext) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw invalid(`${at} must be an object`)
    }
    this.#json = json as Json
    this.#at = at
    this.#context = context
  }

  #value(name: string): unknown {
    this.#read.add(name)
    return this.#json[name]
  }

  has(name: string): boolean {
    return this.#json[name] !== undefined
  }

  text(name: string, otherwise?: string): string {
    const value = this.#value(name) ?? otherwise
    if (typeof value === 'string') return value
    throw invalid(`${this.#at}.${name} must be a text`)
  }

  /** Whole numbers as text, like "1000". */
  amount(name: string, otherwise?: bigint): bigint {
    const value = this.#value(name)
    if (value === undefined && otherwise !== undefined) return otherwise
    const amount = parseUnsigned(value)
    if (amount === undefined) {
      throw invalid(`${this.#at}.${name} must be a whole number as text, like "1000"`)
    }
    return amount
  }

  count(name: string, otherwise?: number): number {
    const value = this.#value(name) ?? otherwise
    if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value)
    throw invalid(`${this.#at}.${name} must be a whole number, like 86400`)
  }

  account(name: string): Hex {
    const value = this.text(name)
    return isAddress(value, { strict: false }) ? value : this.#context.accountOf(value)
  }

  hex(name: string): Hex {
    const value = this.text(name)
    if (isHex(value)) return value
    throw invalid(`${this.#at}.${name} must be bytes, like 0x12ab`)
  }

  list(name: string): unknown[] {
    const value = this.#value(name) ?? []
    if (Array.isArray(value)) return value
    throw invalid(`${this.#at}.${name} must be a list`)
  }

  part(name: string): FileFields {
    return new FileFields(this.#value(name), `${this.#at}.${name}`, this.#context)
  }

  partOf(json: unknown, name: string): FileFields {
    return new FileFields(json, `${this.#at}.${name}`, this.#context)
  }

  end(): void {
    const stranger = Object.keys(this.#json).find((name) => !this.#read.has(name))
    if (stranger) throw invalid(`${this.#at}.${stranger} is no field that is known`)
  }
}

const invalid = (message: string) =>
  new CliError(
    'VAULT_FILE_INVALID',
    `The file cannot be used: ${message}. The README of packages/cli has examples.`,
  )

function openFile(path: string, context: FileContext): FileFields {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new CliError('VAULT_FILE_INVALID', `${path} cannot be read as JSON.`, { cause })
  }
  return new FileFields(json, 'file', context)
}

/**
 * Reads what a vault begins with. People by name or address, amounts in smallest units as text, `days` from now for the sale's deadline.
 *
 * @throws CliError `VAULT_FILE_INVALID`.
 */
export function readVaultFile(
  path: string,
  context: FileContext,
): { setup: VaultSetup; governance: GovernanceSetup } {
  const file = openFile(path, context)
  const compliance = file.has('compliance') ? complianceOf(file, context) : undefined
  const setup: VaultSetup = {
    name: file.text('name'),
    symbol: file.text('symbol'),
    asset: context.asset,
    operator: file.account('operator'),
    compliance: compliance ?? undefined,
    machineIds: file.list('machines').map((id) => {
      const machineId = parseUnsigned(id)
      if (machineId === undefined) throw invalid('file.machines must be ids as text, like "7"')
      return machineId
    }),
    founderShares: file.amount('founderShares', 0n),
    sale: file.has('sale') ? saleOf(file.part('sale'), context) : undefined,
    buyout: file.has('buyout') ? buyoutOf(file.part('buyout')) : undefined,
    waterfall: file.has('waterfall')
      ? waterfallOf(file.part('waterfall'))
      : { reserveTarget: 0n, fees: [] },
  }
  const governance = file.has('governance')
    ? { ...USUAL_GOVERNANCE, ...governanceOf(file.part('governance')) }
    : USUAL_GOVERNANCE
  file.end()
  return { setup, governance }
}

/**
 * Reads what owners are to vote on: a description and actions, by the kinds of the client's `ProposedAction`.
 *
 * @throws CliError `VAULT_FILE_INVALID`.
 */
export async function readProposalFile(
  path: string,
  context: ProposalContext,
): Promise<{ description: string; actions: ProposedAction[] }> {
  const file = openFile(path, context)
  const description = file.text('description')
  const actions: ProposedAction[] = []
  for (const [index, json] of file.list('actions').entries()) {
    const fields = file.partOf(json, `actions[${index}]`)
    actions.push(await actionOf(fields, context))
    fields.end()
  }
  file.end()
  if (actions.length === 0) throw invalid('file.actions is empty: nothing would be done')
  return { description, actions }
}

async function actionOf(fields: FileFields, context: ProposalContext): Promise<ProposedAction> {
  const kind = fields.text('kind')
  switch (kind) {
    case 'spend':
      return {
        kind,
        to: fields.account('to'),
        amountMinor: fields.amount('amountMinor'),
        purpose: fields.text('purpose'),
      }
    case 'waterfall':
      return { kind, waterfall: waterfallOf(fields.part('waterfall')) }
    case 'operator':
      return { kind, operator: fields.account('operator') }
    case 'compliance':
      return { kind, contract: complianceOf(fields, context) }
    case 'buyout-rules':
      return { kind, rules: fields.has('rules') ? buyoutOf(fields.part('rules')) : null }
    case 'governance':
      return { kind, change: governanceOf(fields.part('change')) }
    case 'suspend':
      return {
        kind,
        machineId: fields.amount('machineId'),
        reason: fields.has('reason') ? fields.text('reason') : undefined,
      }
    case 'resume':
    case 'decommission':
    case 'revoke-key':
      return { kind, machineId: fields.amount('machineId') }
    case 'transfer-machine':
      return { kind, machineId: fields.amount('machineId'), to: fields.account('to') }
    case 'close-agreement':
      return { kind, agreementId: fields.hex('agreementId') }
    case 'refund':
      return {
        kind,
        agreementId: fields.hex('agreementId'),
        period: fields.count('period'),
        amountMinor: fields.amount('amountMinor'),
      }
    case 'machine-pause':
      return {
        kind,
        account: fields.account('account'),
        paused: fields.text('paused') === 'yes',
      }
    case 'machine-policy': {
      const policy = fields.part('policy')
      const read = {
        perPayment: policy.amount('perPayment'),
        perDay: policy.amount('perDay'),
        expiry: policy.amount('expirySeconds'),
        counterparties: policy.list('counterparties').map((one) => accountIn(one, context)),
      }
      policy.end()
      return { kind, account: fields.account('account'), asset: context.asset, policy: read }
    }
    case 'accept-offer':
      return { kind, offer: await context.offerOf(fields.hex('order')) }
    case 'sell-machine': {
      const machineId = fields.amount('machineId')
      return {
        kind,
        machineId,
        priceMinor: fields.amount('priceMinor'),
        until: untilOf(fields, 'until', context),
        replaced: await context.salesOf(machineId),
      }
    }
    case 'call':
      return {
        kind,
        target: fields.account('target'),
        value: fields.amount('value', 0n),
        data: fields.hex('data'),
      }
    default:
      throw invalid(`"${kind}" is no kind of action`)
  }
}

function accountIn(json: unknown, context: FileContext): Hex {
  if (typeof json !== 'string') throw invalid('accounts are names or addresses')
  return isAddress(json, { strict: false }) ? json : context.accountOf(json)
}

/** `open`, `allow-list`, or the address of a contract. */
function complianceOf(fields: FileFields, { allowLists }: FileContext): Hex | null {
  const value = fields.text('compliance')
  if (value === 'open') return null
  if (value === 'allow-list' && allowLists) return allowLists
  if (isAddress(value, { strict: false })) return value
  throw invalid('"compliance" is "open", "allow-list", or the address of a contract')
}

function saleOf(sale: FileFields, context: FileContext): ShareSale {
  const read = {
    priceMinor: sale.amount('priceMinor'),
    cap: sale.amount('cap'),
    goal: sale.amount('goal', 0n),
    deadline: untilOf(sale, 'deadline', context),
  }
  sale.end()
  return read
}

/** Seconds since 1970, or `days` from now. */
function untilOf(fields: FileFields, name: string, { nowSeconds }: FileContext): bigint {
  return fields.has(name) ? fields.amount(name) : nowSeconds + BigInt(fields.count('days') * 86_400)
}

function buyoutOf(rules: FileFields): BuyoutRules {
  const read = {
    minBps: rules.count('minBps'),
    refusalBps: rules.count('refusalBps'),
    delaySeconds: rules.count('delaySeconds'),
  }
  rules.end()
  return read
}

function waterfallOf(waterfall: FileFields): Waterfall {
  const read: Waterfall = {
    reserveTarget: waterfall.amount('reserveTargetMinor', 0n),
    lender: waterfall.has('lender') ? lenderOf(waterfall.part('lender')) : undefined,
    fees: waterfall.list('fees').map((json, index) => {
      const fee = waterfall.partOf(json, `fees[${index}]`)
      const one = { to: fee.account('to'), bps: fee.count('bps') }
      fee.end()
      return one
    }),
  }
  waterfall.end()
  return read
}

function lenderOf(lender: FileFields): Waterfall['lender'] {
  const read = {
    account: lender.account('account'),
    outstanding: lender.amount('outstandingMinor'),
  }
  lender.end()
  return read
}

function governanceOf(fields: FileFields): Partial<GovernanceSetup> {
  const seconds = ['votingDelaySeconds', 'votingPeriodSeconds', 'timelockSeconds'] as const
  const change: Partial<GovernanceSetup> = {}
  for (const name of seconds) if (fields.has(name)) change[name] = fields.count(name)
  if (fields.has('quorumPercent')) change.quorumPercent = fields.count('quorumPercent')
  if (fields.has('proposalThreshold')) {
    change.proposalThreshold = fields.amount('proposalThreshold')
  }
  fields.end()
  return change
}
