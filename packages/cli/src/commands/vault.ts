import { writeFileSync } from 'node:fs'
import {
  closeSale,
  collectIncome,
  completeBuyout,
  cooperationOf,
  createVault,
  offerBuyout,
  redeemShares,
  refuseBuyout,
  setAllowed,
  type Vault,
} from '@liquefy/client'
import { Command } from 'commander'
import { type Acting, accountNamed, acting, askedAccount, namer, senderOn } from '../acting.ts'
import { type Context, contextOf } from '../context.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { momentText, percentText, vaultAction, vaultOf } from '../vault-action.ts'
import { readVaultFile } from '../vault-file.ts'
import { wholeNumber } from '../whole-number.ts'

/** `liquefy vault`: machines that many own. */
export function vaultCommand(): Command {
  const command = new Command('vault').description(
    'machines that many own: shares, income, buy-out',
  )
  for (const one of [
    create(),
    list(),
    show(),
    owners(),
    income(),
    collect(),
    statement(),
    endSale(),
    allow(),
    buyout(),
  ]) {
    command.addCommand(one)
  }
  return command
}

function create(): Command {
  return acting(new Command('create'))
    .description('make a vault of machines that you own, as a file says')
    .argument('<file>', 'JSON: name, symbol, machines, operator, founderShares, sale, waterfall, …')
    .action(async (file: string, who: Acting, command: Command) => {
      const context = contextOf(command)
      const sender = await senderOn(context, who)
      const { timestamp } = await sender.publicClient.getBlock()
      const { allowLists } = cooperationOf(sender.deployment)
      const { setup, governance } = readVaultFile(file, {
        asset: sender.deployment.asset.address,
        allowLists,
        accountOf: (name) => accountNamed(context, name),
        nowSeconds: timestamp,
      })
      const made = await createVault({ ...sender, setup, governance })
      context.out.result(
        made,
        `Vault ${made.vault} owns ${setup.machineIds.length} machine(s) now.\nSee it: liquefy vault show ${made.vault.slice(0, 10)}`,
      )
    })
}

function list(): Command {
  return new Command('list')
    .description('all vaults, newest first')
    .option('--machine <id>', 'only those of one machine')
    .option('--offset <n>', 'begin there', '0')
    .action(async (options: { machine?: string; offset: string }, command: Command) => {
      const context = contextOf(command)
      const client = context.node()
      const offset = Number(wholeNumber('--offset', options.offset))
      const query = options.machine ? { machineId: options.machine } : {}
      const [page, { asset }] = await Promise.all([
        client.vaults({ ...query, offset }),
        client.deployment(),
      ])
      const money = moneyText(asset)
      context.out.result(page, () =>
        page.vaults.length === 0
          ? 'No vaults yet. Make one: liquefy vault create <file>'
          : [
              table([
                ['vault', 'name', 'phase', 'machines', 'shares', 'owners', 'income'],
                ...page.vaults.map((one) => [
                  one.vault,
                  one.name,
                  one.phase,
                  one.machines.map(({ machineName }) => machineName).join(', '),
                  one.supply,
                  String(one.ownerCount),
                  money(one.incomeMinor),
                ]),
              ]),
              ...(page.nextOffset === null
                ? []
                : [`More: liquefy vault list --offset ${page.nextOffset}`]),
            ].join('\n'),
      )
    })
}

function show(): Command {
  return new Command('show')
    .description('one vault: shares, sale, waterfall, governance, buy-out')
    .argument('<vault>', 'address or its beginning, name or symbol')
    .action(async (given: string, _options: object, command: Command) => {
      const context = contextOf(command)
      const [vault, { asset }] = await Promise.all([
        vaultOf(context, given),
        context.node().deployment(),
      ])
      context.out.result(vault, () => table(vaultRows(context, vault, moneyText(asset))))
    })
}

function vaultRows(context: Context, vault: Vault, money: (minor: string) => string): string[][] {
  const name = namer(context)
  const { sale, waterfall, governance, buyout } = vault
  const steps = [
    ...(waterfall.reserveTargetMinor === '0'
      ? []
      : [`reserve to ${money(waterfall.reserveTargetMinor)}`]),
    ...(waterfall.lender
      ? [`${name(waterfall.lender)} until ${money(waterfall.outstandingMinor)} are repaid`]
      : []),
    ...waterfall.fees.map(({ to, bps }) => `${bps / 100}% to ${name(to)}`),
    'owners',
  ]
  return [
    ['vault', vault.vault],
    ['name', `${vault.name} (${vault.symbol})`],
    ['phase', vault.phase],
    [
      'machines',
      vault.machines
        .map(({ machineName, held }) => (held ? machineName : `${machineName} (gone)`))
        .join(', '),
    ],
    ['founder', name(vault.founder)],
    ['operator', name(vault.operator)],
    ['shares', `${vault.supply} of ${vault.ownerCount} owners`],
    ...(sale
      ? [
          [
            'sale',
            `${sale.state}: ${sale.sold} of ${sale.cap} sold at ${money(sale.priceMinor)}, goal ${sale.goal}, until ${momentText(sale.deadlineMs)}`,
          ],
        ]
      : []),
    ['income goes to', steps.join(', then ')],
    ['income so far', `${money(vault.incomeMinor)}, of it owners' ${money(vault.ownersMinor)}`],
    ['reserve', money(vault.reserveMinor)],
    ['owners may claim', money(vault.claimableMinor)],
    ...vault.credits.map(({ account, minor }) => ['credit', `${name(account)}: ${money(minor)}`]),
    ['to be distributed', money(vault.undistributedMinor)],
    ['to be collected', money(vault.collectable.minor)],
    ['who may hold shares', vault.compliance.contract ?? 'everybody'],
    [
      'votes',
      `begin after ${governance.votingDelaySeconds} s, last ${governance.votingPeriodSeconds} s, wait ${governance.timelockSeconds} s; ${governance.quorumPercent}% take part; ${governance.proposalThreshold} shares to propose`,
    ],
    ['open proposals', String(vault.openProposals)],
    ...(buyout
      ? [
          [
            'buy-out',
            `${buyout.state}: ${name(buyout.offerer)} offers ${money(buyout.priceMinor)} a share; refused by ${buyout.refused}, more than ${buyout.refusalLimit} end it; until ${momentText(buyout.refuseByMs)}`,
          ],
        ]
      : []),
  ]
}

function owners(): Command {
  return new Command('owners')
    .description('who owns shares, the largest first')
    .argument('<vault>')
    .option('--offset <n>', 'begin there', '0')
    .action(async (given: string, options: { offset: string }, command: Command) => {
      const context = contextOf(command)
      const { vault } = await vaultOf(context, given)
      const client = context.node()
      const offset = Number(wholeNumber('--offset', options.offset))
      const [page, { asset }] = await Promise.all([
        client.vaultOwners(vault, { offset }),
        client.deployment(),
      ])
      const [money, name] = [moneyText(asset), namer(context)]
      context.out.result(page, () =>
        table([
          ['owner', 'shares', 'part', 'claimed', 'may claim'],
          ...page.owners.map((one) => [
            name(one.account),
            one.shares,
            percentText(one.sharePpm),
            money(one.claimedMinor),
            money(one.claimableMinor),
          ]),
        ]),
      )
    })
}

function income(): Command {
  return new Command('income')
    .description('incomes and what became of each, newest first')
    .argument('<vault>')
    .option('--months', 'by month instead, the oldest first')
    .option('--before <place>', 'those before this one')
    .action(
      async (given: string, options: { months?: boolean; before?: string }, command: Command) => {
        const context = contextOf(command)
        const { vault } = await vaultOf(context, given)
        const client = context.node()
        const { asset } = await client.deployment()
        const money = moneyText(asset)
        const heads = ['income', 'reserve', 'lender', 'fees', 'owners']
        const parts = (one: {
          minor: string
          reserveMinor: string
          lenderMinor: string
          feesMinor: string
          ownersMinor: string
        }) =>
          [one.minor, one.reserveMinor, one.lenderMinor, one.feesMinor, one.ownersMinor].map(money)
        if (options.months) {
          const months = await client.vaultMonths(vault)
          context.out.result(months, () =>
            table([['month', ...heads], ...months.map((one) => [one.month, ...parts(one)])]),
          )
          return
        }
        const page = await client.vaultIncome(
          vault,
          options.before ? { before: options.before } : {},
        )
        context.out.result(page, () =>
          page.incomes.length === 0
            ? 'No income yet. Bring what agreements earned: liquefy vault collect <vault>'
            : [
                table([
                  ['time', ...heads, 'place'],
                  ...page.incomes.map((one) => [momentText(one.atMs), ...parts(one), one.place]),
                ]),
                ...(page.before === null ? [] : [`More: --before ${page.before}`]),
              ].join('\n'),
        )
      },
    )
}

function collect(): Command {
  return acting(new Command('collect'))
    .description('take what agreements earned, and send it through the waterfall; for anyone')
    .argument('<vault>')
    .action(async (given: string, who: Acting, command: Command) => {
      const context = contextOf(command)
      const { shown, action } = await vaultAction(context, given, who)
      const { agreementIds, minor } = shown.collectable
      await collectIncome({ ...action, agreementIds })
      const collectedMinor = String(BigInt(minor) + BigInt(shown.undistributedMinor))
      const money = moneyText(action.deployment.asset)
      context.out.result(
        { vault: shown.vault, agreementIds, collectedMinor },
        `${money(collectedMinor)} went through the waterfall of ${shown.name}.`,
      )
    })
}

function statement(): Command {
  return acting(new Command('statement'))
    .description('all that a vault owed and paid an owner, the oldest first')
    .argument('<vault>')
    .option('--of <account>', 'another owner: person or address')
    .option('--out <file>', 'as CSV into a file')
    .action(
      async (given: string, options: Acting & { of?: string; out?: string }, command: Command) => {
        const context = contextOf(command)
        const { vault } = await vaultOf(context, given)
        const account = askedAccount(context, options)
        const client = context.node()
        if (options.out) {
          const file = await client.ownerStatementCsv(vault, account)
          writeFileSync(options.out, Buffer.from(await file.arrayBuffer()))
          context.out.result({ vault, account, file: options.out }, `Written: ${options.out}`)
          return
        }
        const told = await client.ownerStatement(vault, account, { limit: 1_000 })
        const [money, name] = [moneyText(told.asset), namer(context)]
        context.out.result(told, () =>
          [
            table([
              ['time', 'what', 'shares', 'of', 'change', 'balance', 'paid beside', 'other'],
              ...told.lines.map((line) => [
                momentText(line.atMs),
                line.kind,
                line.shares,
                line.kind === 'income' ? line.supply : '',
                money(line.minor),
                money(line.balanceMinor),
                line.paidMinor === null ? '' : money(line.paidMinor),
                line.other ? name(line.other) : '',
              ]),
            ]),
            `${name(account)} has ${told.shares} shares, earned ${money(told.earnedMinor)}, was paid ${money(told.claimedMinor)}, and may claim ${money(told.balanceMinor)}.`,
            ...(told.nextOffset === null ? [] : ['There is more: --out writes all of it.']),
          ].join('\n'),
        )
      },
    )
}

function endSale(): Command {
  return acting(new Command('close-sale'))
    .description('end a sale whose deadline has passed; for anyone')
    .argument('<vault>')
    .action(async (given: string, who: Acting, command: Command) => {
      const context = contextOf(command)
      const { shown, action } = await vaultAction(context, given, who)
      await closeSale(action)
      context.out.result({ vault: shown.vault }, `The sale of ${shown.name} is over.`)
    })
}

function allow(): Command {
  return acting(new Command('allow'))
    .description('who may hold shares, where a list says so; for the operator')
    .argument('<vault>')
    .argument('<accounts...>', 'people or addresses')
    .option('--off', 'takes them off the list')
    .action(
      async (
        given: string,
        names: string[],
        options: Acting & { off?: boolean },
        command: Command,
      ) => {
        const context = contextOf(command)
        const { shown, action } = await vaultAction(context, given, options)
        const accounts = names.map((name) => accountNamed(context, name))
        const allowed = !options.off
        await setAllowed({ ...action, accounts, allowed })
        context.out.result(
          { vault: shown.vault, accounts, allowed },
          `${accounts.length} account(s) ${allowed ? 'may' : 'may no longer'} get shares of ${shown.name}.`,
        )
      },
    )
}

function buyout(): Command {
  const command = new Command('buyout').description(
    'one owner buys the others out, unless they refuse',
  )
  command.addCommand(
    acting(new Command('offer'))
      .description('offer a price for each share of the others, and pay for all of them')
      .argument('<vault>')
      .requiredOption('--price <minor>', 'smallest units a share')
      .action(async (given: string, options: Acting & { price: string }, command: Command) => {
        const context = contextOf(command)
        const { shown, action } = await vaultAction(context, given, options)
        const priceMinor = wholeNumber('--price', options.price)
        await offerBuyout({ ...action, asset: shown.asset, priceMinor })
        context.out.result(
          { vault: shown.vault, priceMinor: String(priceMinor) },
          `Offered. The others have ${shown.buyoutRules?.delaySeconds ?? 0} s to refuse.`,
        )
      }),
  )
  command.addCommand(
    acting(new Command('refuse'))
      .description('refuse the offer that stands, with some of your shares')
      .argument('<vault>')
      .requiredOption('--shares <n>', 'they do not move while the offer stands')
      .action(async (given: string, options: Acting & { shares: string }, command: Command) => {
        const context = contextOf(command)
        const { shown, action } = await vaultAction(context, given, options)
        const shares = wholeNumber('--shares', options.shares)
        await refuseBuyout({ ...action, shares })
        context.out.result(
          { vault: shown.vault, shares: String(shares) },
          `Refused with ${shares} shares.`,
        )
      }),
  )
  command.addCommand(
    acting(new Command('complete'))
      .description('complete an offer that was not refused in time; for anyone')
      .argument('<vault>')
      .action(async (given: string, who: Acting, command: Command) => {
        const context = contextOf(command)
        const { shown, action } = await vaultAction(context, given, who)
        await completeBuyout(action)
        context.out.result({ vault: shown.vault }, `${shown.name} belongs to who offered.`)
      }),
  )
  command.addCommand(
    acting(new Command('redeem'))
      .description('be paid for your shares after a buy-out')
      .argument('<vault>')
      .action(async (given: string, who: Acting, command: Command) => {
        const context = contextOf(command)
        const { shown, action } = await vaultAction(context, given, who)
        await redeemShares(action)
        context.out.result({ vault: shown.vault }, 'Paid.')
      }),
  )
  return command
}
