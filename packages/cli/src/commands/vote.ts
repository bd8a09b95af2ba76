import {
  callsOfProposal,
  cancelProposal,
  castVote,
  type Deployment,
  executeProposal,
  type Hex,
  type MarketOrder,
  marketOf,
  offersForVault,
  proposedCalls,
  proposeToOwners,
  queueProposal,
  replacedOrders,
  type SignedOrder,
  tradeProblem,
  type Vault,
  type VaultProposal,
  validatedSales,
} from '@liquefy/client'
import type { OrderJson } from '@liquefy/protocol'
import { Command } from 'commander'
import { type Acting, accountNamed, acting, namer } from '../acting.ts'
import { type Context, contextOf } from '../context.ts'
import { CliError } from '../failure.ts'
import { table } from '../output.ts'
import { momentText, vaultAction, vaultOf } from '../vault-action.ts'
import { readProposalFile } from '../vault-file.ts'

const SUPPORTS = ['for', 'against', 'abstain'] as const

/** `liquefy vote`: what owners of a vault decide. */
export function voteCommand(): Command {
  const command = new Command('vote').description('what the owners of a vault decide')
  for (const one of [propose(), list(), show(), cast(), post()]) command.addCommand(one)
  for (const [name, words, act, done] of [
    [
      'queue',
      'put what was voted into the timelock; for anyone',
      queueProposal,
      'It waits in the timelock.',
    ],
    [
      'execute',
      'do what was voted, once the timelock lets it; for anyone',
      executeProposal,
      'Done.',
    ],
    ['cancel', 'take your proposal back before votes begin', cancelProposal, 'Taken back.'],
  ] as const) {
    command.addCommand(
      acting(new Command(name))
        .description(words)
        .argument('<vault>')
        .argument('<proposal>', 'its id, or the beginning of it')
        .action(async (given: string, id: string, who: Acting, command: Command) => {
          const context = contextOf(command)
          const { shown, action } = await vaultAction(context, given, who)
          const told = await proposalOf(context, shown.vault, id)
          await act({ ...action, proposal: callsOfProposal(told) })
          context.out.result({ vault: shown.vault, proposalId: told.proposalId }, done)
        }),
    )
  }
  return command
}

function propose(): Command {
  return acting(new Command('propose'))
    .description('propose something to the owners, as a file says')
    .argument('<vault>')
    .argument('<file>', 'JSON: description, and actions by kind')
    .action(async (given: string, file: string, who: Acting, command: Command) => {
      const context = contextOf(command)
      const { shown, action } = await vaultAction(context, given, who)
      const { deployment } = action
      const { timestamp } = await action.publicClient.getBlock()
      const { description, actions } = await readProposalFile(file, {
        asset: shown.asset,
        allowLists: deployment.cooperation?.allowLists,
        accountOf: (name) => accountNamed(context, name),
        nowSeconds: timestamp,
        ...tradesOf(context, shown, deployment),
      })
      const nowMs = Number(timestamp) * 1_000
      for (const one of actions) {
        if (one.kind !== 'accept-offer' && one.kind !== 'sell-machine') continue
        const problem = tradeProblem(one, shown, { deployment, nowMs })
        if (problem) throw new CliError('TRADE_REFUSED', problem)
      }
      const calls = proposedCalls({ ...shown, deployment }, actions)
      const proposalId = await proposeToOwners({ ...action, calls, description })
      context.out.result(
        { vault: shown.vault, proposalId },
        `Proposed. See it in words: liquefy vote show ${shown.vault.slice(0, 10)} ${proposalId.slice(0, 12)}`,
      )
    })
}

/** What the market has of the vault's goods. */
function tradesOf(context: Context, vault: Vault, deployment: Deployment) {
  const client = context.node()
  return {
    async offerOf(orderId: Hex): Promise<SignedOrder> {
      const order = await client.marketOrder(orderId)
      const position =
        order.kind === 'receivable' ? (await client.agreement(order.tokenId as Hex)).position : null
      const positions = position?.owner === vault.vault ? [order.tokenId as Hex] : []
      if (offersForVault([order], vault, positions).length > 0) return order
      throw new CliError(
        'TRADE_REFUSED',
        `The order ${orderId} is no open offer for something that the vault holds. See \`liquefy market list --side offer\`.`,
      )
    },
    async salesOf(machineId: bigint): Promise<OrderJson[]> {
      const kind = 'machine'
      const { orders } = await client.marketOrders({
        maker: vault.vault,
        kind,
        all: true,
        limit: 50,
      })
      return replacedOrders(orders, marketOf(deployment), { kind, machineId })
    },
  }
}

function post(): Command {
  return acting(new Command('post'))
    .description('put a sale that was voted and executed into the market’s list; for anyone')
    .argument('<vault>')
    .argument('<proposal>', 'its id, or the beginning of it')
    .action(async (given: string, id: string, who: Acting, command: Command) => {
      const context = contextOf(command)
      const { shown, action } = await vaultAction(context, given, who)
      const told = await proposalOf(context, shown.vault, id)
      const sales = await validatedSales({ ...action, proposal: told })
      if (sales.length === 0 || told.state !== 'executed') {
        throw new CliError(
          'TRADE_REFUSED',
          'This proposal has put nothing up for sale: give one with `sell-machine` that was executed.',
        )
      }
      const posted: MarketOrder[] = []
      for (const one of sales) posted.push(await context.node().postOrder(one))
      context.out.result(posted, () =>
        posted.map(({ title, orderId }) => `${title}: for sale. Order ${orderId}`).join('\n'),
      )
    })
}

function list(): Command {
  return new Command('list')
    .description('proposals, newest first')
    .argument('<vault>')
    .action(async (given: string, _options: object, command: Command) => {
      const context = contextOf(command)
      const { vault } = await vaultOf(context, given)
      const page = await context.node().vaultProposals(vault)
      context.out.result(page, () =>
        page.proposals.length === 0
          ? 'Nothing was proposed yet.'
          : table([
              ['proposal', 'state', 'for', 'against', 'abstain', 'votes until', 'what'],
              ...page.proposals.map((one) => [
                one.proposalId.slice(0, 12),
                one.state,
                one.for,
                one.against,
                one.abstain,
                momentText(one.votesUntilMs),
                one.title,
              ]),
            ]),
      )
    })
}

function show(): Command {
  return new Command('show')
    .description('one proposal: what it does in words, and who voted how')
    .argument('<vault>')
    .argument('<proposal>', 'its id, or the beginning of it')
    .action(async (given: string, id: string, _options: object, command: Command) => {
      const context = contextOf(command)
      const { vault } = await vaultOf(context, given)
      const told = await proposalOf(context, vault, id)
      const name = namer(context)
      context.out.result(told, () =>
        [
          // Marked, so that it cannot pass for what stands below.
          told.description.replace(/^/gm, '| '),
          '',
          'If it is executed:',
          ...told.effects.map(
            ({ words, severity }) => `  ${severity === 'usual' ? '-' : '!'} ${words}`,
          ),
          '',
          table([
            ['proposal', told.proposalId],
            ['proposer', name(told.proposer)],
            ['state', told.state],
            ['votes', `${momentText(told.votesFromMs)} to ${momentText(told.votesUntilMs)}`],
            ['for', told.for],
            ['against', told.against],
            ['abstain', `${told.abstain} (for and abstaining must be ${told.quorum})`],
            ...(told.executableMs === null ? [] : [['from', momentText(told.executableMs)]]),
            ...told.votes.map(({ voter, support, weight, reason }) => [
              name(voter),
              `${support} with ${weight}${reason ? `: ${reason}` : ''}`,
            ]),
          ]),
        ].join('\n'),
      )
    })
}

function cast(): Command {
  return acting(new Command('cast'))
    .description('vote with all shares that you had when votes began')
    .argument('<vault>')
    .argument('<proposal>', 'its id, or the beginning of it')
    .argument('<vote>', SUPPORTS.join(', '))
    .option('--reason <words>', 'for everybody to read')
    .action(
      async (
        given: string,
        id: string,
        vote: string,
        options: Acting & { reason?: string },
        command: Command,
      ) => {
        const context = contextOf(command)
        const support = SUPPORTS.find((one) => one === vote)
        if (!support) {
          throw new CliError('VOTE_INVALID', `"${vote}" is no vote: ${SUPPORTS.join(', ')}.`)
        }
        const { shown, action } = await vaultAction(context, given, options)
        const { proposalId } = await proposalOf(context, shown.vault, id)
        await castVote({ ...action, proposalId, support, reason: options.reason })
        context.out.result({ vault: shown.vault, proposalId, support }, `Voted ${support}.`)
      },
    )
}

/** @throws CliError `PROPOSAL_UNKNOWN`. */
async function proposalOf(
  context: Context,
  vault: VaultProposal['vault'],
  given: string,
): Promise<VaultProposal> {
  const client = context.node()
  if (!/^\d{1,78}$/.test(given)) {
    throw new CliError('PROPOSAL_UNKNOWN', `${given} is no id of a proposal: a number.`)
  }
  const found: string[] = []
  let offset: number | null = 0
  while (offset !== null) {
    const page = await client.vaultProposals(vault, { offset, limit: 200 })
    found.push(
      ...page.proposals.map(({ proposalId }) => proposalId).filter((one) => one.startsWith(given)),
    )
    offset = page.nextOffset
  }
  const [first, second] = found
  if (first && !second) return client.vaultProposal(vault, first)
  throw new CliError(
    'PROPOSAL_UNKNOWN',
    first
      ? `More than one proposal begins with ${given}: give more digits.`
      : `No proposal to this vault begins with ${given}. See \`liquefy vote list\`.`,
  )
}
