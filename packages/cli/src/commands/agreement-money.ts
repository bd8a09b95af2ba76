import {
  approve,
  closeAgreement,
  collect,
  fund,
  fundWithAuthorization,
  fundWithPermit,
  refund,
  signAuthorization,
} from '@liquefy/client'
import { type Hex, parseUnsigned } from '@liquefy/protocol'
import { Command } from 'commander'
import { agreementIdOf } from '../agreement-id.ts'
import { type Context, contextOf } from '../context.ts'
import { ledgerOf } from '../contracts.ts'
import { CliError } from '../failure.ts'
import { moneyText } from '../money.ts'
import { senderOf } from '../transactions.ts'
import { walletOf } from '../wallet.ts'

/** Who acts. */
interface Acting {
  as?: string
  keyFile?: string
}

const WAYS = ['approve', 'permit', 'authorization'] as const

const acting = (command: Command) =>
  command
    .option('--as <person>', 'one of the embedded chain’s people')
    .option('--key-file <file>', 'or the key of anybody')

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
        const amountMinor = amountOf('--amount', options.amount)
        const way = WAYS.find((one) => one === options.with)
        if (!way) {
          throw new CliError(
            'WAY_UNKNOWN',
            `--with ${options.with} is no way to fund: ${WAYS.join(', ')}.`,
          )
        }
        const { action, asset, money, agreementId } = await actionOf(context, given, options)
        const payment = { ...action, agreementId, amountMinor, asset: asset.address }
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
      const { action, agreementId } = await actionOf(context, given, options)
      const periods = options.period
        ? options.period.map((text) => Number(amountOf('--period', text)))
        : await periodsInArrears(context, agreementId)
      if (periods.length === 0) {
        context.out.result({ agreementId, periods }, 'Nothing is in arrears.')
        return
      }
      await collect({ ...action, agreementId, periods })
      context.out.result(
        { agreementId, periods },
        `Collected for period ${periods.join(', ')}, as far as escrow goes.`,
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
        const amountMinor = amountOf('--amount', options.amount)
        const period = Number(amountOf('--period', options.period))
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

async function periodsInArrears(context: Context, agreementId: Hex): Promise<number[]> {
  const { periods } = await context.node().agreement(agreementId)
  return periods.filter(({ arrearsMinor }) => arrearsMinor !== '0').map(({ period }) => period)
}

function amountOf(option: string, text: string): bigint {
  const amount = parseUnsigned(text)
  if (amount !== undefined) return amount
  throw new CliError('AMOUNT_INVALID', `${option} ${text} is no whole number, like 1000.`)
}
