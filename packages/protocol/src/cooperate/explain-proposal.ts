import { parseAbi, zeroAddress } from 'viem'
import { durationWords } from '../units/duration.ts'
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
import { explainVaultsCall } from './explain-vaults-call.ts'

const VAULT = parseAbi([
  'struct Fee { address to; uint16 bps; }',
  'struct Waterfall { uint128 reserveTarget; address lender; uint128 outstanding; Fee[] fees; }',
  'struct BuyoutRules { uint16 minBps; uint16 refusalBps; uint32 delaySeconds; }',
  'function execute(address target, uint256 value, bytes data)',
  'function spend(address to, uint256 amount, string purpose)',
  'function setWaterfall(Waterfall waterfall)',
  'function setOperator(address operator)',
  'function setCompliance(address compliance)',
  'function setBuyoutRules(BuyoutRules buyout)',
  'function collect(bytes32[] agreementIds)',
  'function distribute()',
  'function claim(address owner)',
  'function payCredit(address account)',
  'function completeBuyout()',
])

const GOVERNOR = parseAbi([
  'function setVotingDelay(uint48 seconds)',
  'function setVotingPeriod(uint32 seconds)',
  'function setProposalThreshold(uint256 shares)',
  'function updateQuorumNumerator(uint256 percent)',
])

const TIMELOCK = parseAbi(['function updateDelay(uint256 seconds)'])

/**
 * What a vault's timelock does if a proposal is executed: each call in a sentence, decoded from its bytes and from nothing that the proposer says.
 */
export function explainProposal(calls: readonly VaultCall[], context: CallContext): CallEffect[] {
  return calls.map((call) => explainOne(call, context))
}

function explainOne(call: VaultCall, context: CallContext): CallEffect {
  const { isSame } = callWords(context)
  const known =
    call.value !== 0n
      ? undefined
      : isSame(call.target, context.vault)
        ? vaultCall(call, context)
        : isSame(call.target, context.governor)
          ? governorCall(call)
          : isSame(call.target, context.timelock)
            ? timelockCall(call)
            : undefined
  return known ?? unknownCall("the vault's timelock", call)
}

function vaultCall(call: VaultCall, context: CallContext): CallEffect | undefined {
  const decoded = decodeCall(VAULT, call.data)
  if (!decoded) return undefined
  const { who, money, isSame, said } = callWords(context)
  switch (decoded.functionName) {
    case 'execute': {
      const [target, value, data] = decoded.args
      const executed = { target, value, data }
      return explainVaultsCall(executed, context) ?? unknownCall('the vault', executed)
    }
    case 'spend': {
      const [to, amount, purpose] = decoded.args
      return usual(
        'spend',
        `Pays ${money(amount)} out of the reserve to ${who(to)}, for: ${purpose ? said(purpose) : 'nothing that is said'}.`,
      )
    }
    case 'setWaterfall': {
      const [{ reserveTarget, lender, outstanding, fees }] = decoded.args
      const steps = [
        ...(reserveTarget > 0n ? [`the reserve until it has ${money(reserveTarget)}`] : []),
        ...(outstanding > 0n ? [`${who(lender)} until ${money(outstanding)} are repaid`] : []),
        ...fees.map(({ to, bps }) => `${bps / 100}% of the rest to ${who(to)}`),
      ]
      const first = steps.length > 0 ? `first ${steps.join(', then ')}; what is left` : 'all of it'
      const isOthers = fees.length > 0 || outstanding > 0n
      return (isOthers ? grave : usual)(
        'waterfall',
        `Uses income so from now on: ${first} goes to the owners.`,
      )
    }
    case 'setOperator': {
      const [operator] = decoded.args
      return isSame(operator, zeroAddress)
        ? grave(
            'operator',
            'Takes the operator away: nobody opens agreements or issues rights for the vault.',
          )
        : usual(
            'operator',
            `Makes ${who(operator)} the operator, who opens agreements that pay the vault, issues usage rights, and keeps the list of who may hold shares.`,
          )
    }
    case 'setCompliance': {
      const [contract] = decoded.args
      if (isSame(contract, zeroAddress)) return usual('compliance', 'Lets everybody hold shares.')
      return isSame(contract, context.allowLists)
        ? usual('compliance', "Lets only those get shares who are on the operator's list.")
        : grave(
            'compliance',
            `Lets only those get shares whom the contract ${contract} lets. It could refuse everybody.`,
          )
    }
    case 'setBuyoutRules': {
      const [{ minBps, refusalBps, delaySeconds }] = decoded.args
      return minBps === 0
        ? usual('buyout-rules', 'Lets nobody buy the others out.')
        : grave(
            'buyout-rules',
            `Lets whoever holds ${minBps / 100}% of the shares offer to buy the others out; they have ${durationWords(delaySeconds)} to refuse, with more than ${refusalBps / 100}% of their shares.`,
          )
    }
    case 'collect':
      return usual(
        'income',
        'Takes what agreements have earned out of the clearing house, and sends it through the waterfall.',
      )
    case 'distribute':
      return usual('income', "Sends what lies on the vault and is nobody's through the waterfall.")
    case 'claim':
      return usual('income', `Pays ${who(decoded.args[0])} what his shares have earned.`)
    case 'payCredit':
      return usual('income', `Pays ${who(decoded.args[0])} his credit.`)
    case 'completeBuyout':
      return grave(
        'buyout-rules',
        'Completes the buy-out: who offered owns everything, the others are paid for their shares.',
      )
  }
}

function governorCall({ data }: VaultCall): CallEffect | undefined {
  const decoded = decodeCall(GOVERNOR, data)
  if (!decoded) return undefined
  const [value] = decoded.args
  const governance = (words: string) => grave('governance', words)
  switch (decoded.functionName) {
    case 'setVotingDelay':
      return governance(`Has votes begin ${durationWords(Number(value))} after a proposal.`)
    case 'setVotingPeriod':
      return governance(`Has voting last ${durationWords(Number(value))}.`)
    case 'setProposalThreshold':
      return governance(`Lets only those propose who have ${value} votes.`)
    case 'updateQuorumNumerator':
      return governance(`Asks that ${value}% of all shares take part in a vote.`)
  }
}

function timelockCall({ data }: VaultCall): CallEffect | undefined {
  const decoded = decodeCall(TIMELOCK, data)
  if (!decoded) return undefined
  const words = durationWords(Number(decoded.args[0]))
  return grave('governance', `Has what was voted wait ${words} before it is done.`)
}
