import { randomBytes } from 'node:crypto'
import {
  accountAddress,
  createAccount,
  pauseSpending,
  payFromAccount,
  publishMachineKey,
  setSpendingPolicy,
  signAccountPayment,
} from '@liquefy/client'
import { loadIdentity, loadKey } from '@liquefy/machine'
import { didEthr, type Hex } from '@liquefy/protocol'
import { Command } from 'commander'
import { isAddress, toHex } from 'viem'
import { contextOf } from '../context.ts'
import { ledgerOf } from '../contracts.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { machinePassphrase, machinePin } from '../machine-secrets.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { senderOf } from '../transactions.ts'
import { personOf, walletOf } from '../wallet.ts'

interface Acting {
  as?: string
  keyFile?: string
}

const actor = (command: Command, who: string) =>
  command
    .option('--as <person>', `${who}: one of the embedded chain’s people`)
    .option('--key-file <file>', `${who}: file with a private key`)

/** `liquefy machine account`: the machine's own account on the ledger. */
export function accountCommand(): Command {
  const command = new Command('account').description('the machine’s own account on the ledger')
  command.addCommand(
    new Command('show')
      .description('address, DID, money, and what the machine’s key may spend')
      .argument('<machineId>')
      .action(async (given: string, _options: object, command: Command) => {
        const { node, out } = contextOf(command)
        const client = node()
        const [account, { asset }] = await Promise.all([
          client.machineAccount(machineIdOf(given)),
          client.deployment(),
        ])
        const money = moneyText(asset)
        const { policy } = account
        out.result(account, () =>
          table([
            ['account', account.account],
            ['created', account.created ? 'yes' : 'not yet; it can be paid to already'],
            ['did', account.did],
            ['balance', money(account.balanceMinor)],
            ...(policy
              ? [
                  ['at once', money(policy.perPaymentMinor)],
                  [
                    'a day',
                    `${money(policy.perDayMinor)}; today ${money(account.spentTodayMinor)}`,
                  ],
                  ['until', new Date(policy.expiryMs).toISOString()],
                  ...policy.counterparties.map((one) => ['may pay', one]),
                  ['paused', account.paused ? 'yes' : 'no'],
                ]
              : [['policy', 'none: the machine’s key can spend nothing']]),
          ]),
        )
      }),
  )
  command.addCommand(
    actor(new Command('create'), 'who sends it')
      .description('create the account; anyone may')
      .argument('<machineId>')
      .action(async (given: string, who: Acting, command: Command) => {
        const { context, action } = await actionOf(command, given, who)
        await createAccount(action)
        const account = accountAddress(action)
        context.out.result(
          { machineId: given, account },
          `Machine ${given} has the account ${account}.`,
        )
      }),
  )
  return command
}

/** `liquefy machine policy`: what its owner lets the machine's key spend. */
export function policyCommand(): Command {
  const command = new Command('policy').description(
    'what its owner lets the machine’s key spend; `machine account show` says what stands',
  )
  command.addCommand(
    actor(new Command('set'), 'owner')
      .description('limits, in smallest units of the asset, until the machine changes hands')
      .argument('<machineId>')
      .requiredOption('--per-payment <amount>', 'at most this at once')
      .requiredOption('--per-day <amount>', 'at most this a day of UTC')
      .requiredOption('--until <time>', 'good until then, such as 2027-01-01 or 2027-01-01T12:00Z')
      .requiredOption('--to <who...>', 'whom it may pay: addresses, or the embedded chain’s people')
      .option('--asset <address>', 'another token than the ledger’s asset')
      .action(async (given: string, options: PolicyOptions, command: Command) => {
        const { context, action, asset } = await actionOf(command, given, options)
        const policy = {
          perPayment: amountOf(options.perPayment),
          perDay: amountOf(options.perDay),
          expiry: secondsOf(options.until),
          counterparties: options.to.map((one) => addressOf(context.folder, one)),
        }
        await ensureAccount(action)
        await setSpendingPolicy({ ...action, asset: options.asset ?? asset, policy })
        context.out.result(
          { machineId: given, ...inText(policy) },
          `Machine ${given} may spend ${policy.perPayment} at once and ${policy.perDay} a day, until ${options.until}.`,
        )
      }),
  )
  for (const [name, paused, words] of [
    ['pause', true, 'spends nothing until `liquefy machine policy resume`'],
    ['resume', false, 'spends within its policy again'],
  ] as const) {
    command.addCommand(
      actor(new Command(name), 'owner')
        .description(paused ? 'stop all spending at once' : 'let it go on')
        .argument('<machineId>')
        .action(async (given: string, who: Acting, command: Command) => {
          const { context, action } = await actionOf(command, given, who)
          await ensureAccount(action)
          await pauseSpending({ ...action, paused })
          context.out.result({ machineId: given, paused }, `The key of machine ${given} ${words}.`)
        }),
    )
  }
  return command
}

type PolicyOptions = Acting & {
  perPayment: string
  perDay: string
  until: string
  to: string[]
  asset?: Hex
}

/** `liquefy machine pay`: the device in a folder pays out of its account. */
export function payCommand(): Command {
  return actor(new Command('pay'), 'who sends it; it costs him gas and nothing else')
    .description('have the machine’s key sign a payment out of its account, and send it')
    .argument('<folder>', 'folder of the machine')
    .requiredOption('--to <who>', 'address, or one of the embedded chain’s people')
    .requiredOption('--amount <amount>', 'smallest units of the asset')
    .action(
      async (
        folder: string,
        options: Acting & { to: string; amount: string },
        command: Command,
      ) => {
        const identity = loadIdentity(folder)
        if (!identity) {
          throw new CliError(
            'MACHINE_UNREGISTERED',
            `${folder} is no registered machine yet: liquefy machine register ${folder} --as <person>`,
          )
        }
        const machineId = String(identity.machineId)
        const { context, action, asset } = await actionOf(command, machineId, options)
        const to = addressOf(context.folder, options.to)
        const amountMinor = amountOf(options.amount)
        const key = loadKey(folder, machinePassphrase(), machinePin())
        const salt = toHex(randomBytes(32))
        const signed = await signAccountPayment({ ...action, key, asset, to, amountMinor, salt })
        const { transactionHash } = await payFromAccount({ ...action, ...signed })
        context.out.result(
          { machineId, to, amountMinor: options.amount, txHash: transactionHash },
          `Machine ${machineId} paid ${options.amount} smallest units to ${to}.`,
        )
      },
    )
}

/** `liquefy machine did`: the machine's DID, and its document as any resolver of did:ethr makes it. */
export function didCommand(): Command {
  return new Command('did')
    .description('DID of a machine, and its document as the ledger has it now')
    .argument('<machineId>')
    .action(async (given: string, _options: object, command: Command) => {
      const context = contextOf(command)
      const { ledger, contracts } = await ledgerOf(context)
      const { chainId } = ledger
      const deployment = { ...contracts, chainId, accounts: contracts.accounts ?? null }
      const account = accountAddress({ deployment, machineId: BigInt(machineIdOf(given)) })
      const did = didEthr({ chainId, account })
      const network = {
        name: toHex(chainId),
        chainId,
        rpcUrl: ledger.chain.rpcUrls.default.http[0],
        registry: contracts.accounts?.didRegistry,
      }
      // What no other command needs is loaded here: it is large.
      const { Resolver } = await import('did-resolver')
      const { getResolver } = await import('ethr-did-resolver')
      const answer = await new Resolver(getResolver({ networks: [network] })).resolve(did)
      const { didDocument, didDocumentMetadata, didResolutionMetadata } = answer
      if (!didDocument) {
        throw new CliError(
          'DID_UNRESOLVED',
          `${did} cannot be resolved: ${didResolutionMetadata.message ?? didResolutionMetadata.error}.`,
        )
      }
      context.out.result(
        { did, deactivated: didDocumentMetadata.deactivated ?? false, didDocument },
        `${did}\n${JSON.stringify(didDocument, null, 2)}`,
      )
    })
}

/** `liquefy machine publish-key`: the DID follows the machine registry. */
export function publishKeyCommand(): Command {
  return actor(new Command('publish-key'), 'who sends it')
    .description('have the machine’s DID name its current key and no other; anyone may')
    .argument('<machineId>')
    .action(async (given: string, who: Acting, command: Command) => {
      const { context, action } = await actionOf(command, given, who)
      await ensureAccount(action)
      await publishMachineKey(action)
      const did = didEthr({ chainId: action.deployment.chainId, account: accountAddress(action) })
      context.out.result(
        { machineId: given, did },
        `${did} follows the machine registry. See it: liquefy machine did ${given}`,
      )
    })
}

type Action = Awaited<ReturnType<typeof actionOf>>['action']

async function ensureAccount(action: Action): Promise<void> {
  const code = await action.publicClient.getCode({ address: accountAddress(action) })
  if (code === undefined) await createAccount(action)
}

async function actionOf(command: Command, given: string, who: Acting) {
  const context = contextOf(command)
  const machineId = BigInt(machineIdOf(given))
  const wallet = walletOf(context.folder, who)
  const { ledger, contracts } = await ledgerOf(context)
  const deployment = {
    chainId: ledger.chainId,
    registry: contracts.registry,
    accounts: contracts.accounts ?? null,
  }
  return {
    context,
    asset: contracts.asset.address,
    action: { ...senderOf(ledger, wallet), deployment, machineId },
  }
}

function addressOf(folder: string, given: string): Hex {
  return isAddress(given, { strict: false }) ? given : personOf(folder, given).address
}

function amountOf(text: string): bigint {
  if (/^(0|[1-9]\d{0,37})$/.test(text)) return BigInt(text)
  throw new CliError(
    'AMOUNT_INVALID',
    `${text} is no amount: a whole number of smallest units, such as 1500000.`,
  )
}

function secondsOf(text: string): bigint {
  const ms = Date.parse(text)
  if (Number.isFinite(ms) && ms > 0) return BigInt(Math.floor(ms / 1_000))
  throw new CliError('DATE_INVALID', `${text} is no time: say it as 2027-01-01T12:00Z.`)
}

function inText(policy: {
  perPayment: bigint
  perDay: bigint
  expiry: bigint
  counterparties: Hex[]
}) {
  const { perPayment, perDay, expiry, counterparties } = policy
  return {
    perPaymentMinor: String(perPayment),
    perDayMinor: String(perDay),
    expiryMs: Number(expiry) * 1_000,
    counterparties,
  }
}
