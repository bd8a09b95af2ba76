import { clearingHouseAbi, testEuroAbi } from '@liquefy/abi'
import {
  type AgreementAction,
  approve,
  balanceOf,
  closeAgreement,
  collect,
  credit,
  fund,
  fundWithAuthorization,
  fundWithPermit,
  refund,
  signAuthorization,
  withdraw,
} from '@liquefy/client'
import { type Hex, termsFromJson } from '@liquefy/protocol'
import { Command } from 'commander'
import { parseEventLogs } from 'viem'
import { type Acting, acting } from '../acting.ts'
import { agreementIdOf } from '../agreement-id.ts'
import { type Context, contextOf } from '../context.ts'
import { ledgerOf } from '../contracts.ts'
import { CliError } from '../failure.ts'
import { moneyText } from '../money.ts'
import { senderOf } from '../transactions.ts'
import { walletOf } from '../wallet.ts'
import { wholeNumber } from '../whole-number.ts'

/** `Status.Open` of the clearing house. */
const STATUS_OPEN = 1
const MOST_PERIOD = 2n ** 32n - 1n
const WAYS = ['approve', 'permit', 'authorization'] as const

/** `liquefy agreement fund`: puts money into escrow. */
export function fundCommand(): Command {
  return acting(new Command('fund'))
    .description('put money into an agreement’s escrow, or top it up')
    .argument('<agreement>', 'agreement id, or its beginning')
    .requiredOption('--amount <minor>', 'smallest units of the asset')
    .option(
      '--with <way>',
      `${WAYS.join(', ')}: approve and fund, an EIP-2612 permit, or an ERC-3009 authorization`,
      'approve',
    )
    .action(
      async (
        given: string,
        options: Acting & { amount: string; with: string },
        command: Command,
      ) => {
        const context = contextOf(command)
        const amountMinor = wholeNumber('--amount', options.amount)
        const way = WAYS.find((one) => one === options.with)
        if (!way) {
          throw new CliError(
            'WAY_UNKNOWN',
            `--with ${options.with} is no way to fund: ${WAYS.join(', ')}.`,
          )
        }
        const { action, asset, money, agreementId } = await actionOf(context, given, options)
        const payment = { ...action, agreementId, amountMinor, asset: asset.address }
        // An approval that no funding follows would stay behind.
        await requireFundable(payment)
        if (way === 'approve') {
          await approve(payment)
          await fund(payment)
        } else if (way === 'permit') {
          await fundWithPermit(payment)
        } else {
          await fundWithAuthorization({
            ...action,
            authorization: await signAuthorization(payment),
          })
        }
        context.out.result(
          { agreementId, fundedMinor: amountMinor.toString(), with: way },
          `${money(amountMinor.toString())} more in the escrow of ${agreementId}.`,
        )
      },
    )
}

/** `liquefy agreement collect`: pays arrears after a top-up. */
export function collectCommand(): Command {
  return acting(new Command('collect'))
    .description('pay arrears, as far as escrow goes; for anyone')
    .argument('<agreement>', 'agreement id, or its beginning')
    .option('--period <n...>', 'these periods; all in arrears unless told')
    .action(async (given: string, options: Acting & { period?: string[] }, command: Command) => {
      const context = contextOf(command)
      const { action, money, agreementId } = await actionOf(context, given, options)
      const periods = options.period
        ? await knownPeriods(context, agreementId, options.period.map(periodOf))
        : await periodsInArrears(context, agreementId)
      if (periods.length === 0) {
        context.out.result({ agreementId, periods, collectedMinor: '0' }, 'Nothing is in arrears.')
        return
      }
      const { logs } = await collect({ ...action, agreementId, periods })
      const events = parseEventLogs({ abi: clearingHouseAbi, eventName: 'Collected', logs })
      const collectedMinor = String(events.reduce((sum, { args }) => sum + args.paid, 0n))
      context.out.result(
        { agreementId, periods, collectedMinor },
        `${money(collectedMinor)} collected for period ${periods.join(', ')}, as far as escrow goes.`,
      )
    })
}

/** `liquefy agreement refund`: the payee gives money of a period back. */
export function refundCommand(): Command {
  return acting(new Command('refund'))
    .description('give money of a period back to the payer; for who owns the position')
    .argument('<agreement>', 'agreement id, or its beginning')
    .requiredOption('--period <n>', 'of which period')
    .requiredOption('--amount <minor>', 'smallest units of the asset')
    .action(
      async (
        given: string,
        options: Acting & { period: string; amount: string },
        command: Command,
      ) => {
        const context = contextOf(command)
        const amountMinor = wholeNumber('--amount', options.amount)
        const period = periodOf(options.period)
        const { action, money, agreementId } = await actionOf(context, given, options)
        await refund({ ...action, agreementId, period, amountMinor })
        context.out.result(
          { agreementId, period, refundedMinor: amountMinor.toString() },
          `${money(amountMinor.toString())} of period ${period} given back to the payer's balance.`,
        )
      },
    )
}

/** `liquefy agreement close`: ends it, and sends escrow home. */
export function closeCommand(): Command {
  return acting(new Command('close'))
    .description('end an agreement; what is left in escrow goes to the payer’s balance')
    .argument('<agreement>', 'agreement id, or its beginning')
    .action(async (given: string, options: Acting, command: Command) => {
      const context = contextOf(command)
      const { action, agreementId } = await actionOf(context, given, options)
      await closeAgreement({ ...action, agreementId })
      context.out.result({ agreementId }, `Agreement ${agreementId} is closed.`)
    })
}

/** `liquefy agreement withdraw`: money out of the clearing house, to the account that acts. */
export function withdrawCommand(): Command {
  return acting(new Command('withdraw'))
    .description('pay out what the agreement has earned, and all else that the account holds there')
    .argument('<agreement>', 'agreement id, or its beginning')
    .action(async (given: string, options: Acting, command: Command) => {
      const context = contextOf(command)
      const { action, asset, money, agreementId } = await actionOf(context, given, options)
      const account = action.wallet.account.address
      await credit({ ...action, agreementIds: [agreementId] })
      const amountMinor = await balanceOf({ ...action, account, asset: asset.address })
      if (amountMinor > 0n) await withdraw({ ...action, asset: asset.address, amountMinor })
      const withdrawnMinor = amountMinor.toString()
      context.out.result(
        { agreementId, account, withdrawnMinor },
        `${money(withdrawnMinor)} paid out to ${account}.`,
      )
    })
}

/** @throws CliError `AGREEMENT_CLOSED` or `FUNDS_MISSING`. */
async function requireFundable(
  payment: AgreementAction & { agreementId: Hex; asset: Hex; amountMinor: bigint },
) {
  const { publicClient, deployment, wallet, agreementId, asset, amountMinor } = payment
  const [status, held] = await Promise.all([
    publicClient.readContract({
      address: deployment.clearingHouse,
      abi: clearingHouseAbi,
      functionName: 'statusOf',
      args: [agreementId],
    }),
    publicClient.readContract({
      address: asset,
      abi: testEuroAbi,
      functionName: 'balanceOf',
      args: [wallet.account.address],
    }),
  ])
  if (status !== STATUS_OPEN) {
    throw new CliError('AGREEMENT_CLOSED', `Agreement ${agreementId} is not open on this ledger.`)
  }
  if (held >= amountMinor) return
  throw new CliError(
    'FUNDS_MISSING',
    `--amount is ${amountMinor}, but ${wallet.account.address} holds ${held} smallest units. Nothing was sent.`,
  )
}

async function actionOf(context: Context, given: string, who: Acting) {
  const agreementId = await agreementIdOf(context, given)
  const wallet = walletOf(context.folder, who)
  const { ledger, contracts } = await ledgerOf(context)
  const deployment = { chainId: ledger.chainId, clearingHouse: contracts.clearingHouse }
  return {
    agreementId,
    action: { ...senderOf(ledger, wallet), deployment },
    asset: contracts.asset,
    money: moneyText(contracts.asset),
  }
}

/** @throws CliError `PERIOD_UNKNOWN`. */
async function knownPeriods(
  context: Context,
  agreementId: Hex,
  periods: readonly number[],
): Promise<readonly number[]> {
  const { terms } = await context.node().agreement(agreementId)
  const { periods: count } = termsFromJson(terms)
  const beyond = periods.find((period) => period >= count)
  if (beyond === undefined) return periods
  throw new CliError(
    'PERIOD_UNKNOWN',
    `There is no period ${beyond}: the agreement has ${count}, counted from 0.`,
  )
}

async function periodsInArrears(context: Context, agreementId: Hex): Promise<number[]> {
  const { periods } = await context.node().agreement(agreementId)
  return periods.filter(({ arrearsMinor }) => arrearsMinor !== '0').map(({ period }) => period)
}

function periodOf(text: string): number {
  const period = wholeNumber('--period', text)
  if (period <= MOST_PERIOD) return Number(period)
  throw new CliError('AMOUNT_INVALID', `--period ${text} is beyond any agreement's periods.`)
}
