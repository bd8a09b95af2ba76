import { randomBytes } from 'node:crypto'
import { testEuroAbi } from '@liquefy/abi'
import {
  accountAddress,
  callFromAccount,
  closeCall,
  createAccount,
  pauseSpending,
  payFromAccount,
  publishMachineKey,
  setSpendingPolicy,
  signAccountPayment,
} from '@liquefy/client'
import { didEthr, type Hex } from '@liquefy/protocol'
import { Command } from 'commander'
import { toHex } from 'viem'
import {
  actionOf,
  deviceIn,
  ensureAccount,
  machineOn,
  partyOf,
  secondsOf,
} from '../account-action.ts'
import { type Acting, acting } from '../acting.ts'
import { agreementIdOf } from '../agreement-id.ts'
import { contextOf } from '../context.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { moneyText } from '../money.ts'
import { table } from '../output.ts'
import { wholeNumber } from '../whole-number.ts'
import { sellCommand } from './machine-agreement.ts'

/** Of a line of the policy: uint128. */
const MOST_LIMIT = 2n ** 128n - 1n

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
            ...(account.atHouseMinor === '0'
              ? []
              : [['to bring home', money(account.atHouseMinor)]]),
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
            ...(account.sellsUntilMs === null
              ? []
              : [['may sell until', new Date(account.sellsUntilMs).toISOString()]]),
          ]),
        )
      }),
  )
  command.addCommand(
    acting(new Command('create'), 'who sends it')
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
  command.addCommand(
    acting(new Command('withdraw'), 'owner of the machine')
      .description('pay out of the account')
      .argument('<machineId>')
      .requiredOption('--amount <amount>', 'smallest units of the asset')
      .option('--to <who>', 'somebody else than the owner')
      .action(
        async (
          given: string,
          options: Acting & { amount: string; to?: string },
          command: Command,
        ) => {
          const { context, action, asset } = await actionOf(command, given, options)
          const to = options.to
            ? partyOf(context.folder, action, options.to)
            : action.wallet.account.address
          const transfer = {
            functionName: 'transfer',
            args: [to, wholeNumber('--amount', options.amount)],
          }
          await callFromAccount({
            ...action,
            call: { address: asset, abi: testEuroAbi, ...transfer },
          })
          context.out.result(
            { machineId: given, to, amountMinor: options.amount },
            `${options.amount} smallest units went from the account of machine ${given} to ${to}.`,
          )
        },
      ),
  )
  command.addCommand(
    acting(new Command('close'), 'owner of the machine')
      .description('end an agreement that pays the account; what is left goes back to its payer')
      .argument('<machineId>')
      .argument('<agreement>', 'agreement id, or its beginning')
      .action(async (given: string, agreement: string, who: Acting, command: Command) => {
        const { context, action } = await actionOf(command, given, who)
        const agreementId = await agreementIdOf(context, agreement)
        await callFromAccount({ ...action, call: closeCall({ ...action, agreementId }) })
        context.out.result({ machineId: given, agreementId }, `Agreement ${agreementId} is closed.`)
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
    acting(new Command('set'), 'owner')
      .description('limits, in smallest units of the asset, until the machine changes hands')
      .argument('<machineId>')
      .requiredOption('--per-payment <amount>', 'at most this at once')
      .requiredOption('--per-day <amount>', 'at most this a day of UTC')
      .requiredOption('--until <time>', 'good until then, such as 2027-01-01 or 2027-01-01T12:00Z')
      .requiredOption(
        '--to <who...>',
        'whom it may pay: addresses, the embedded chain’s people, or "machine 5" for its account',
      )
      .option('--asset <address>', 'another token than the ledger’s asset')
      .action(async (given: string, options: PolicyOptions, command: Command) => {
        const { context, action, asset } = await actionOf(command, given, options)
        const policy = {
          perPayment: wholeNumber('--per-payment', options.perPayment, MOST_LIMIT),
          perDay: wholeNumber('--per-day', options.perDay, MOST_LIMIT),
          expiry: secondsOf(options.until),
          counterparties: options.to.map((one) => partyOf(context.folder, action, one)),
        }
        await ensureAccount(action)
        await setSpendingPolicy({ ...action, asset: options.asset ?? asset, policy })
        context.out.result(
          { machineId: given, ...inText(policy) },
          `Machine ${given} may spend ${policy.perPayment} at once and ${policy.perDay} a day, until ${options.until}.`,
        )
      }),
  )
  command.addCommand(sellCommand())
  for (const [name, paused, words] of [
    ['pause', true, 'spends nothing until `liquefy machine policy resume`'],
    ['resume', false, 'spends within its policy again'],
  ] as const) {
    command.addCommand(
      acting(new Command(name), 'owner')
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
  return acting(new Command('pay'), 'who sends it; it costs him gas and nothing else')
    .description('have the machine’s key sign a payment out of its account, and send it')
    .argument('<folder>', 'folder of the machine')
    .requiredOption(
      '--to <who>',
      'address, one of the embedded chain’s people, or "machine 5" for its account',
    )
    .requiredOption('--amount <amount>', 'smallest units of the asset')
    .action(
      async (
        folder: string,
        options: Acting & { to: string; amount: string },
        command: Command,
      ) => {
        const { machineId, key: keyOf } = deviceIn(folder)
        const { context, action, asset } = await actionOf(command, machineId, options)
        const to = partyOf(context.folder, action, options.to)
        const amountMinor = wholeNumber('--amount', options.amount)
        const key = keyOf()
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
      const { context, ledger, contracts, machine } = await machineOn(command, given)
      const { chainId } = ledger
      const account = accountAddress(machine)
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
  return acting(new Command('publish-key'), 'who sends it')
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
