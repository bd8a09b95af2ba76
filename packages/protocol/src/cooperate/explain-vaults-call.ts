import { type Hex, parseAbi, toHex } from 'viem'
import {
  type CallContext,
  type CallEffect,
  callWords,
  decodeCall,
  grave,
  unknownCall,
  usual,
  type VaultCall,
} from './call-words.ts'
import { explainMarketCall } from './explain-market-call.ts'
import { countHours } from './hour-bits.ts'

const TOKEN = [
  'function approve(address to, uint256 id)',
  'function setApprovalForAll(address operator, bool approved)',
  'function transferFrom(address from, address to, uint256 id)',
  'function safeTransferFrom(address from, address to, uint256 id)',
] as const

const REGISTRY = parseAbi([
  ...TOKEN,
  'function activate(uint256 machineId)',
  'function suspend(uint256 machineId)',
  'function suspendWithReason(uint256 machineId, string reason)',
  'function resume(uint256 machineId)',
  'function decommission(uint256 machineId)',
  'function revoke(uint256 machineId)',
  'struct Key { uint8 curve; address verifier; bytes32 x; bytes32 y; }',
  'function rekey(uint256 machineId, Key newKey, uint256 deadline, bytes proof)',
])

const HOUSE = parseAbi([
  ...TOKEN,
  'function close(bytes32 agreementId)',
  'function refund(bytes32 agreementId, uint32 period, uint256 amount)',
  'function collect(bytes32 agreementId, uint32[] periods)',
  'function credit(bytes32[] agreementIds)',
])

const ACCOUNT = parseAbi([
  'struct Policy { uint128 perPayment; uint128 perDay; uint64 expiry; address[] counterparties; }',
  'function setPolicy(address asset, Policy policy)',
  'function setPaused(bool paused)',
  'function setSelling(address asset, uint64 until)',
  'function execute(address to, uint256 value, bytes data, uint8 operation)',
])

const ERC20 = parseAbi(['function transfer(address to, uint256 amount)'])

const RIGHTS = parseAbi([
  ...TOKEN,
  'function setZone(uint256 machineId, string zone)',
  'function offer(uint256 machineId, address asset, uint96 pricePerHour, uint168 openBits, uint32 untilWeek)',
  'function issue(uint256 machineId, uint32 firstWeek, uint8 weeksCount, uint168 bits, uint8 hoursPerWeek, address to)',
])

const ALLOW_LISTS = parseAbi([
  'function setAllowed(address vault, address[] accounts, bool allowed)',
])

/** A call that the vault makes in its own name, in words; undefined if nobody can say what it does. */
export function explainVaultsCall(call: VaultCall, context: CallContext): CallEffect | undefined {
  const { isSame } = callWords(context)
  const { target } = call
  const account = context.accounts.get(target.toLowerCase())
  if (isSame(target, context.market)) return explainMarketCall(call, context)
  if (call.value !== 0n) return undefined
  if (isSame(target, context.registry)) return registryCall(call, context)
  if (isSame(target, context.clearingHouse)) return houseCall(call, context)
  if (account !== undefined) return accountCall(call, account, context)
  if (isSame(target, context.usageRights)) return rightsCall(call, context)
  if (isSame(target, context.allowLists)) return allowListCall(call, context)
  return undefined
}

const idText = (id: bigint): Hex => toHex(id, { size: 32 })

/** Giving away, or letting give away, what a token stands for; `thing` names one. */
function tokenCall(
  decoded: { functionName: string; args: readonly unknown[] },
  context: CallContext,
  thing: (id: bigint) => string,
  things: string,
): CallEffect | undefined {
  const { who, isSame } = callWords(context)
  const by = (account: Hex) =>
    isSame(account, context.market) ? `the market (${account})` : who(account)
  const kind = 'machine-transfer'
  switch (decoded.functionName) {
    case 'approve': {
      const [to, id] = decoded.args as [Hex, bigint]
      return grave(kind, `Lets ${by(to)} take ${thing(id)} away from the vault.`)
    }
    case 'setApprovalForAll': {
      const [operator, approved] = decoded.args as [Hex, boolean]
      return approved
        ? grave(
            kind,
            `Lets ${by(operator)} take any of the vault's ${things} away from it, from now on.`,
          )
        : usual(kind, `Ends that ${by(operator)} may take the vault's ${things}.`)
    }
    case 'transferFrom':
    case 'safeTransferFrom': {
      const [from, to, id] = decoded.args as [Hex, Hex, bigint]
      return grave(kind, `Gives ${thing(id)} from ${who(from)} to ${who(to)}, for nothing.`)
    }
    default:
      return undefined
  }
}

function registryCall({ data }: VaultCall, context: CallContext): CallEffect | undefined {
  const decoded = decodeCall(REGISTRY, data)
  if (!decoded) return undefined
  const { machine, said } = callWords(context)
  const state = (words: string) => usual('machine-state', words)
  switch (decoded.functionName) {
    case 'activate':
      return state(`Puts ${machine(decoded.args[0])} into service.`)
    case 'suspend':
      return state(
        `Suspends ${machine(decoded.args[0])}: what it measures is neither priced nor paid until it is resumed.`,
      )
    case 'suspendWithReason':
      return state(
        `Suspends ${machine(decoded.args[0])}, since: ${said(decoded.args[1])}. What it measures is neither priced nor paid until it is resumed.`,
      )
    case 'resume':
      return state(`Resumes ${machine(decoded.args[0])}.`)
    case 'decommission':
      return grave('machine-state', `Decommissions ${machine(decoded.args[0])}, for ever.`)
    case 'revoke':
      return grave(
        'machine-key',
        `Revokes the key of ${machine(decoded.args[0])}: it signs nothing until it is given a new one.`,
      )
    case 'rekey':
      return grave('machine-key', `Gives ${machine(decoded.args[0])} another key.`)
    default:
      return tokenCall(decoded, context, machine, 'machines')
  }
}

function houseCall({ data }: VaultCall, context: CallContext): CallEffect | undefined {
  const decoded = decodeCall(HOUSE, data)
  if (!decoded) return undefined
  const { money } = callWords(context)
  switch (decoded.functionName) {
    case 'close':
      return grave(
        'agreement',
        `Ends agreement ${decoded.args[0]}; what is left in its escrow goes back to its payer.`,
      )
    case 'refund': {
      const [agreementId, period, amount] = decoded.args
      return grave(
        'agreement',
        `Gives ${money(amount)} of period ${period} of agreement ${agreementId} back to its payer.`,
      )
    }
    case 'collect':
      return usual(
        'agreement',
        `Has arrears of agreement ${decoded.args[0]} paid, as far as its escrow goes.`,
      )
    case 'credit':
      return usual(
        'agreement',
        `Credits what ${decoded.args[0].length === 1 ? 'an agreement has' : `${decoded.args[0].length} agreements have`} earned.`,
      )
    default:
      return tokenCall(
        decoded,
        context,
        (id) => `what agreement ${idText(id)} will earn`,
        'agreements',
      )
  }
}

function accountCall(
  { data }: VaultCall,
  machineId: bigint,
  context: CallContext,
): CallEffect | undefined {
  const decoded = decodeCall(ACCOUNT, data)
  if (!decoded) return undefined
  const words = callWords(context)
  const whose = words.machine(machineId)
  switch (decoded.functionName) {
    case 'setPaused':
      return usual(
        'machine-policy',
        decoded.args[0]
          ? `Stops all spending by the key of ${whose}.`
          : `Lets the key of ${whose} spend again.`,
      )
    case 'setSelling': {
      const [asset, until] = decoded.args
      const token = words.isSame(asset, context.asset.address) ? '' : ` in the token ${asset}`
      return until === 0n
        ? usual(
            'machine-policy',
            `Lets the key of ${whose} accept no more agreements that pay its account${token}.`,
          )
        : grave(
            'machine-policy',
            `Lets the key of ${whose} accept agreements that pay its account${token}, whatever their price, until ${words.time(until)}.`,
          )
    }
    case 'setPolicy': {
      const [asset, { perPayment, perDay, expiry, counterparties }] = decoded.args
      const amount = amountOf(asset, context)
      const to =
        counterparties.length === 0
          ? 'to nobody'
          : `to ${counterparties.map((one) => words.who(one)).join(', ')}`
      return grave(
        'machine-policy',
        `Lets the key of ${whose} spend up to ${amount(perPayment)} at once and ${amount(perDay)} a day out of its account, ${to}, until ${words.time(expiry)}.`,
      )
    }
    case 'execute': {
      const [to, value, inner, operation] = decoded.args
      const paid = value === 0n && operation === 0 ? decodeCall(ERC20, inner) : undefined
      if (!paid || !words.isSame(to, context.asset.address)) {
        return unknownCall(`the account of ${whose}`, { target: to, value, data: inner })
      }
      const [receiver, amount] = paid.args
      return grave(
        'machine-policy',
        `Pays ${words.money(amount)} out of the account of ${whose} to ${words.who(receiver)}.`,
      )
    }
  }
}

function amountOf(asset: Hex, context: CallContext): (minor: bigint) => string {
  const { isSame, money } = callWords(context)
  return isSame(asset, context.asset.address)
    ? money
    : (minor) => `${minor} smallest units of the token ${asset}`
}

function rightsCall({ data }: VaultCall, context: CallContext): CallEffect | undefined {
  const decoded = decodeCall(RIGHTS, data)
  if (!decoded) return undefined
  const { machine, who, said } = callWords(context)
  switch (decoded.functionName) {
    case 'setZone':
      return usual(
        'right',
        `Counts the weeks of ${machine(decoded.args[0])} in the time zone ${said(decoded.args[1])}.`,
      )
    case 'offer': {
      const [machineId, asset, pricePerHour, openBits] = decoded.args
      return pricePerHour === 0n
        ? usual('right', `Takes the hours of ${machine(machineId)} off sale.`)
        : usual(
            'right',
            `Sells hours of ${machine(machineId)} for ${amountOf(asset, context)(pricePerHour)} each, ${countHours(openBits)} of a week's 168 as fixed slots.`,
          )
    }
    case 'issue': {
      const [machineId, , weeks, bits, hoursPerWeek, to] = decoded.args
      const hours = hoursPerWeek === 0 ? countHours(bits) : hoursPerWeek
      return usual(
        'right',
        `Gives ${who(to)} ${hours} ${hours === 1 ? 'hour' : 'hours'} a week of ${machine(machineId)} for ${weeks} ${weeks === 1 ? 'week' : 'weeks'}, for nothing.`,
      )
    }
    default:
      return tokenCall(decoded, context, (id) => `usage right ${id}`, 'usage rights')
  }
}

function allowListCall({ data }: VaultCall, context: CallContext): CallEffect | undefined {
  const decoded = decodeCall(ALLOW_LISTS, data)
  if (!decoded) return undefined
  const [vault, accounts, allowed] = decoded.args
  const { who } = callWords(context)
  const whom = accounts.map((account) => who(account)).join(', ')
  return usual(
    'compliance',
    allowed
      ? `Lets ${whom} get shares of ${who(vault)}.`
      : `Lets ${whom} get no more shares of ${who(vault)}.`,
  )
}
