import { existsSync } from 'node:fs'
import { ApiError, type Notice } from '@liquefy/client'
import {
  decodeTariffData,
  type Explained,
  explainAgreement,
  type Hex,
  type MeterRule,
  tariffKindAt,
  termsFromJson,
} from '@liquefy/protocol'
import { Command } from 'commander'
import { agreementIdOf } from '../agreement-id.ts'
import { readOffer } from '../agreement-offer.ts'
import { openAgreements } from '../agreement-opening.ts'
import { bandText } from '../band.ts'
import { type Context, contextOf } from '../context.ts'
import { ledgerOf, shortHex } from '../contracts.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { namesOf, personOf, walletOf } from '../wallet.ts'
import {
  closeCommand,
  collectCommand,
  fundCommand,
  refundCommand,
  withdrawCommand,
} from './agreement-money.ts'
import { statementCommand } from './agreement-statement.ts'

/** `liquefy agreement`: who pays whom, for what. */
export function agreementCommand(): Command {
  const command = new Command('agreement').description('who pays whom, for what, at which price')
  command.addCommand(open())
  command.addCommand(list())
  command.addCommand(show())
  command.addCommand(explain())
  command.addCommand(statementCommand())
  command.addCommand(fundCommand())
  command.addCommand(collectCommand())
  command.addCommand(refundCommand())
  command.addCommand(closeCommand())
  command.addCommand(withdrawCommand())
  return command
}

function open(): Command {
  return new Command('open')
    .description('open an agreement that a file describes, signed by both parties')
    .argument('<file>', 'JSON: payer, payee, machineId, meters, tariff, capMinor, …')
    .option('--payer-key-file <file>', 'if the payer is none of the embedded chain’s people')
    .option('--payee-key-file <file>', 'likewise for the payee')
    .action(
      async (
        file: string,
        options: { payerKeyFile?: string; payeeKeyFile?: string },
        command: Command,
      ) => {
        const context = contextOf(command)
        const { ledger, contracts } = await ledgerOf(context)
        const { timestamp } = await ledger.client.getBlock()
        const names = new Map<string, string>()
        const addressOf = (name: string) => {
          const { address } = personOf(context.folder, name)
          names.set(address.toLowerCase(), name)
          return address
        }
        const begin = beginOf(Number(timestamp), Math.floor(Date.now() / 1000))
        const { terms, rules, fundMinor } = readOffer(file, contracts, addressOf, begin)
        const party = (address: string, keyFile: string | undefined) => {
          const as = names.get(address.toLowerCase()) ?? namesOf(context.folder).get(address)
          return walletOf(context.folder, {
            ...(as ? { as } : {}),
            ...(keyFile ? { keyFile } : {}),
          })
        }
        const operator = await operatorOf(context, terms.payee)
        const parties = {
          payer: party(terms.payer, options.payerKeyFile),
          payee: party(operator ?? terms.payee, options.payeeKeyFile),
        }
        // The node must know the rules, of which the ledger has only hashes, before it meters by them.
        await context.node().submitRules(rules)
        const [agreementId] = await openAgreements(ledger, contracts.clearingHouse, parties, [
          { terms, fundMinor },
        ])
        context.out.result(
          { agreementId, machineId: terms.machineId.toString(), fundedMinor: fundMinor.toString() },
          `Agreement ${agreementId} is open.\nSee it: liquefy agreement show ${agreementId?.slice(0, 14)}`,
        )
      },
    )
}

/** Who signs for a payee that is a vault; undefined if it is none. */
async function operatorOf(context: Context, payee: Hex): Promise<Hex | undefined> {
  try {
    return (await context.node().vault(payee)).operator
  } catch (error) {
    if (error instanceof ApiError && error.code === 'VAULT_UNKNOWN') return undefined
    throw error
  }
}

function list(): Command {
  return new Command('list')
    .description('agreements that the node meters')
    .action(async (_options: object, command: Command) => {
      const context = contextOf(command)
      const client = context.node()
      const [agreements, { asset }] = await Promise.all([client.agreements(), client.deployment()])
      const money = moneyText(asset)
      context.out.result(agreements, () =>
        agreements.length === 0
          ? 'No agreements yet. Open one: liquefy agreement open <file>'
          : table([
              ['agreement', 'machine', 'state', 'owed', 'paid', 'escrow'],
              ...agreements.map((agreement) => [
                shortHex(agreement.agreementId),
                agreement.machineName,
                agreement.open ? 'open' : 'closed',
                money(agreement.owedMinor),
                money(agreement.includedMinor),
                money(agreement.escrowMinor),
              ]),
            ]),
      )
    })
}

function show(): Command {
  return new Command('show')
    .description('one agreement: tariff in words, periods, settlements')
    .argument('<agreement>', 'agreement id, or its beginning')
    .action(async (given: string, _options: object, command: Command) => {
      const context = contextOf(command)
      const id = await agreementIdOf(context, given)
      const client = context.node()
      const [agreement, { asset }, notices, outlook] = await Promise.all([
        client.agreement(id),
        client.deployment(),
        client.notices(),
        client.escrow(id),
      ])
      const money = moneyText(asset)
      const bandHead = agreement.periods.some(({ band }) => band) ? ['between'] : []
      const warned = notices.filter(({ agreementId }) => agreementId === agreement.agreementId)
      context.out.result({ ...agreement, notices: warned, outlook }, () =>
        [
          table([
            ['agreement', agreement.agreementId],
            ['machine', `${agreement.machineId} ${agreement.machineName}`],
            ['payer', agreement.payer],
            ['payee', agreement.payee],
            ['state', agreement.open ? 'open' : 'closed'],
            ['tariff', agreement.tariffInWords],
            ...agreement.rulesInWords.map((words) => ['rule', words]),
            ['signed by', agreement.metersSignedBy],
            ...(agreement.linkedTo ? [['belongs to', agreement.linkedTo]] : []),
            ...agreement.linkedFrom.map((other) => ['with it', other]),
            ...(agreement.problem ? [['problem', agreement.problem]] : []),
            ...warned.map((notice) => [`to the ${notice.role}`, noticeText(notice, money)]),
            ['owed', money(agreement.owedMinor)],
            ['paid', money(agreement.includedMinor)],
            ['escrow', `${money(agreement.escrowMinor)}, ${outlook.inWords}`],
            ['accrued', `${money(agreement.position.accruedMinor)} to ${agreement.position.owner}`],
          ]),
          table([
            ['period', 'registers', 'owed', ...bandHead, 'paid', 'arrears', 'adjusted', 'refunded'],
            ...agreement.periods.map((period) => [
              String(period.period),
              period.registers.join(', '),
              money(period.owedMinor),
              ...bandHead.map(() => bandText(period.band, money)),
              money(period.includedMinor),
              money(period.arrearsMinor),
              money(period.adjustedMinor),
              money(period.refundedMinor),
            ]),
          ]),
          ...(agreement.periodCount > agreement.periods.length
            ? [`${agreement.periodCount - agreement.periods.length} earlier periods: on its page.`]
            : []),
        ].join('\n\n'),
      )
    })
}

function noticeText(notice: Notice, money: (minor: string) => string): string {
  if ('stream' in notice) {
    const { stream, untilMs } = notice
    return untilMs === null
      ? `stream ${stream} is not calibrated: what is read counts nothing`
      : `the calibration of stream ${stream} ends at ${new Date(untilMs).toISOString()}`
  }
  const { kind, escrowMinor, unpaidMinor } = notice
  const what = kind === 'escrow-low' ? 'escrow is low' : 'escrow is too little'
  return `${what}: ${money(escrowMinor)} left, ${money(unpaidMinor)} owed and not paid`
}

function explain(): Command {
  return new Command('explain')
    .description('an agreement in plain words, with an example bill')
    .argument('<agreement>', 'agreement id, its beginning, or the file of an offer')
    .action(async (given: string, _options: object, command: Command) => {
      const context = contextOf(command)
      const explained = existsSync(given)
        ? await explainedOffer(context, given)
        : await explainedAgreement(context, given)
      const explanation = explainAgreement(explained)
      const money = moneyText(explained.asset)
      context.out.result(explanation, () =>
        [
          ...explanation.words,
          '',
          table([
            ['example', 'the period costs'],
            ...explanation.bill.map(({ what, amountMinor }) => [what, money(amountMinor)]),
          ]),
        ].join('\n'),
      )
    })
}

async function explainedAgreement(context: Context, given: string): Promise<Explained> {
  const id = await agreementIdOf(context, given)
  const client = context.node()
  const [agreement, deployment] = await Promise.all([client.agreement(id), client.deployment()])
  const terms = termsFromJson(agreement.terms)
  const kind = tariffKindAt(deployment, terms.tariff)
  return {
    terms,
    rules: agreement.rules as MeterRule[],
    tariff: kind && decodeTariffData(kind, terms.tariffData),
    asset: deployment.asset,
    names: namesOf(context.folder),
    linkedTo: agreement.linkedTo ?? undefined,
  }
}

async function explainedOffer(context: Context, path: string): Promise<Explained> {
  const { contracts } = await ledgerOf(context)
  const addressOf = (name: string) => personOf(context.folder, name).address
  const { terms, rules } = readOffer(path, contracts, addressOf, Math.floor(Date.now() / 1000))
  const kind = tariffKindAt(contracts, terms.tariff)
  return {
    terms,
    rules,
    tariff: kind && decodeTariffData(kind, terms.tariffData),
    asset: contracts.asset,
    names: namesOf(context.folder),
  }
}

/** A chain whose blocks come faster than one a second runs ahead of the clock by no more than this. */
const LEAD_SECONDS = 600

/** When an agreement begins that does not say: now by the clock, which readings bear; by the chain where that one lives in another time. */
function beginOf(chainSeconds: number, clockSeconds: number): number {
  return chainSeconds - clockSeconds > LEAD_SECONDS ? chainSeconds : clockSeconds
}
