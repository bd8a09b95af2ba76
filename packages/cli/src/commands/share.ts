import {
  buyShares,
  claimIncome,
  claimIncomeTo,
  delegateVotes,
  payCredit,
  refundShares,
  transferShares,
} from '@liquefy/client'
import { Command } from 'commander'
import { type Acting, accountNamed, acting, askedAccount, namer } from '../acting.ts'
import { contextOf } from '../context.ts'
import { CliError } from '../failure.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { percentText, vaultAction } from '../vault-action.ts'
import { wholeNumber } from '../whole-number.ts'

/** `liquefy share`: shares of a vault, and what they earn. */
export function shareCommand(): Command {
  const command = new Command('share').description('shares of a vault, and what they earn')
  for (const one of [list(), buy(), transfer(), claim(), credit(), delegate(), refund()]) {
    command.addCommand(one)
  }
  return command
}

function list(): Command {
  return acting(new Command('list'))
    .description('what somebody has: shares, what he may claim, votes that wait for him')
    .option('--of <account>', 'another one: person or address')
    .action(async (options: Acting & { of?: string }, command: Command) => {
      const context = contextOf(command)
      const client = context.node()
      const [portfolio, { asset }] = await Promise.all([
        client.portfolio(askedAccount(context, options)),
        client.deployment(),
      ])
      const [money, name] = [moneyText(asset), namer(context)]
      context.out.result(portfolio, () =>
        portfolio.holdings.length === 0
          ? `${name(portfolio.account)} has no shares. See \`liquefy vault list\`.`
          : [
              table([
                ['vault', 'shares', 'part', 'may claim', 'claimed', 'credit', 'votes'],
                ...portfolio.holdings.map((one) => [
                  one.name,
                  one.shares,
                  percentText(one.sharePpm),
                  money(one.claimableMinor),
                  money(one.claimedMinor),
                  money(one.creditMinor),
                  one.votes,
                ]),
              ]),
              ...portfolio.waitingVotes.map(
                ({ vaultName, title, proposalId }) =>
                  `${vaultName} votes on "${title}": liquefy vote show ${vaultName} ${proposalId}`,
              ),
            ].join('\n'),
      )
    })
}

function buy(): Command {
  return acting(new Command('buy'))
    .description('buy shares while they are sold')
    .argument('<vault>')
    .requiredOption('--shares <n>', 'how many')
    .option('--to <account>', 'for another one')
    .action(
      async (
        given: string,
        options: Acting & { shares: string; to?: string },
        command: Command,
      ) => {
        const context = contextOf(command)
        const { shown, action } = await vaultAction(context, given, options)
        const { sale, asset } = shown
        if (!sale) throw new CliError('SALE_MISSING', `${shown.name} never sold shares.`)
        const shares = wholeNumber('--shares', options.shares)
        const priceMinor = BigInt(sale.priceMinor)
        const to = options.to ? accountNamed(context, options.to) : undefined
        await buyShares({ ...action, asset, shares, priceMinor, to })
        const paidMinor = String(shares * priceMinor)
        context.out.result(
          { vault: shown.vault, shares: String(shares), paidMinor },
          `${shares} shares of ${shown.name} for ${moneyText(action.deployment.asset)(paidMinor)}.`,
        )
      },
    )
}

function transfer(): Command {
  return acting(new Command('transfer'))
    .description('give shares to somebody; what they earned until now stays yours')
    .argument('<vault>')
    .requiredOption('--to <account>', 'person or address')
    .requiredOption('--shares <n>', 'how many')
    .action(
      async (given: string, options: Acting & { to: string; shares: string }, command: Command) => {
        const context = contextOf(command)
        const { shown, action } = await vaultAction(context, given, options)
        const to = accountNamed(context, options.to)
        const shares = wholeNumber('--shares', options.shares)
        await transferShares({ ...action, to, shares })
        context.out.result(
          { vault: shown.vault, to, shares: String(shares) },
          `${shares} shares of ${shown.name} belong to ${to}.`,
        )
      },
    )
}

function claim(): Command {
  return acting(new Command('claim'))
    .description('be paid what your shares have earned')
    .argument('<vault>')
    .option('--to <account>', 'pay it to another account')
    .action(async (given: string, options: Acting & { to?: string }, command: Command) => {
      const context = contextOf(command)
      const { shown, action } = await vaultAction(context, given, options)
      const { address } = action.wallet.account
      const { balanceMinor } = await context.node().ownerStatement(shown.vault, address)
      if (options.to) await claimIncomeTo({ ...action, to: accountNamed(context, options.to) })
      else await claimIncome(action)
      context.out.result(
        { vault: shown.vault, claimedMinor: balanceMinor },
        `${moneyText(action.deployment.asset)(balanceMinor)} claimed.`,
      )
    })
}

function credit(): Command {
  return acting(new Command('credit'))
    .description('be paid what you got beside shares: a loan, a fee, proceeds of the sale')
    .argument('<vault>')
    .action(async (given: string, who: Acting, command: Command) => {
      const context = contextOf(command)
      const { shown, action } = await vaultAction(context, given, who)
      await payCredit(action)
      context.out.result({ vault: shown.vault }, 'Paid.')
    })
}

function delegate(): Command {
  return acting(new Command('delegate'))
    .description('let another account vote with your shares, or take that back with your own')
    .argument('<vault>')
    .requiredOption('--to <account>', 'person or address')
    .action(async (given: string, options: Acting & { to: string }, command: Command) => {
      const context = contextOf(command)
      const { shown, action } = await vaultAction(context, given, options)
      const to = accountNamed(context, options.to)
      await delegateVotes({ ...action, to })
      context.out.result(
        { vault: shown.vault, to },
        `${to} votes with your shares of ${shown.name}.`,
      )
    })
}

function refund(): Command {
  return acting(new Command('refund'))
    .description('get your money back after a sale that missed its goal')
    .argument('<vault>')
    .action(async (given: string, who: Acting, command: Command) => {
      const context = contextOf(command)
      const { shown, action } = await vaultAction(context, given, who)
      await refundShares(action)
      context.out.result({ vault: shown.vault }, 'Refunded.')
    })
}
