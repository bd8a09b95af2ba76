import { randomBytes } from 'node:crypto'
import {
  acceptForAccount,
  accountAddress,
  authorizeAgreement,
  fundFromAccount,
  openFromAccount,
  reclaim,
  setSelling,
  signOpening,
  signTopUp,
} from '@liquefy/client'
import { agreementId, type Hex } from '@liquefy/protocol'
import { Command } from 'commander'
import { toHex } from 'viem'
import { type AcceptedTerms, readAccepted, writeAccepted } from '../accepted-terms.ts'
import {
  type Acting,
  actionOf,
  actor,
  amountOf,
  deviceIn,
  ensureAccount,
  machineOn,
  partyOf,
  secondsOf,
} from '../account-action.ts'
import { beginOf } from '../agreement-begin.ts'
import { agreementIdOf } from '../agreement-id.ts'
import { type ReadOffer, readOffer } from '../agreement-offer.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { senderOf } from '../transactions.ts'
import { namesOf, walletOf } from '../wallet.ts'

/** `liquefy machine policy sell`: what its owner lets the machine's key agree to as the one who is paid. */
export function sellCommand(): Command {
  return actor(new Command('sell'), 'owner')
    .description(
      'let the machine’s key accept agreements that pay its account, until the machine changes hands',
    )
    .argument('<machineId>')
    .requiredOption('--until <time>', 'good until then, such as 2027-01-01; `now`: no more')
    .action(async (given: string, options: Acting & { until: string }, command: Command) => {
      const { context, action, asset } = await actionOf(command, given, options)
      const until = options.until === 'now' ? 0n : secondsOf(options.until)
      await ensureAccount(action)
      await setSelling({ ...action, asset, until })
      context.out.result(
        { machineId: given, untilMs: Number(until) * 1_000 },
        until === 0n
          ? `The key of machine ${given} sells nothing any more.`
          : `The key of machine ${given} may accept agreements that pay its account, until ${options.until}.`,
      )
    })
}

/** `liquefy machine accept`: the device in a folder agrees to be paid. */
export function acceptCommand(): Command {
  return new Command('accept')
    .description('have the machine’s key accept an agreement that pays its account')
    .argument('<folder>', 'folder of the machine that is paid')
    .argument(
      '<offer>',
      'JSON as `liquefy agreement open` takes it; "machine 4" is that machine’s account',
    )
    .requiredOption('--out <file>', 'what it signed, for the payer: `liquefy machine agree`')
    .action(async (folder: string, path: string, { out }: { out: string }, command: Command) => {
      const device = deviceIn(folder)
      const { context, contracts, machine } = await machineOn(command, device.machineId)
      const { terms, rules } = await offerIn(path, { context, contracts, machine })
      const payeeSignature = await acceptForAccount({ ...machine, key: device.key(), terms })
      writeAccepted(out, { terms, rules, payeeSignature })
      const id = agreementId({ ...machine.deployment, terms })
      context.out.result(
        { agreementId: id, machineId: device.machineId, file: out },
        `Machine ${device.machineId} accepts ${id}.\nThe payer opens it: liquefy machine agree <folder> ${out} --amount <amount>`,
      )
    })
}

/** `liquefy machine agree`: the device in a folder opens an agreement that its account pays. */
export function agreeCommand(): Command {
  return actor(new Command('agree'), 'who sends it; it costs him gas and nothing else')
    .description('have the machine’s key open an agreement that its account pays')
    .argument('<folder>', 'folder of the machine that pays')
    .argument(
      '<file>',
      'what `liquefy machine accept` wrote, or an offer whose payee is one of the people',
    )
    .requiredOption('--amount <amount>', 'smallest units of the asset, for its escrow')
    .option(
      '--payee-key-file <file>',
      'of an offer whose payee is none of the embedded chain’s people',
    )
    .action(
      async (
        folder: string,
        path: string,
        options: Acting & { amount: string; payeeKeyFile?: string },
        command: Command,
      ) => {
        const device = deviceIn(folder)
        const { context, action } = await actionOf(command, device.machineId, options)
        const amountMinor = amountOf(options.amount)
        const { terms, rules, payeeSignature } =
          readAccepted(path) ??
          (await signedOffer(command, {
            path,
            machineId: device.machineId,
            keyFile: options.payeeKeyFile,
          }))
        // The node must know the rules, of which the ledger has only hashes, before it meters by them.
        await context.node().submitRules(rules)
        const signed = await signOpening({ ...action, key: device.key(), terms, amountMinor })
        const id = await openFromAccount({ ...action, ...signed, payeeSignature })
        context.out.result(
          { agreementId: id, machineId: device.machineId, fundedMinor: options.amount },
          `Machine ${device.machineId} opened agreement ${id} and put ${options.amount} smallest units into it.\nSee it: liquefy agreement show ${id.slice(0, 14)}`,
        )
      },
    )
}

/** `liquefy machine fund`: the device in a folder puts more into an agreement that its account pays. */
export function machineFundCommand(): Command {
  return actor(new Command('fund'), 'who sends it; it costs him gas and nothing else')
    .description(
      'have the machine’s key put more into the escrow of an agreement that its account pays',
    )
    .argument('<folder>', 'folder of the machine')
    .argument('<agreement>', 'agreement id, or its beginning')
    .requiredOption('--amount <amount>', 'smallest units of the asset')
    .action(
      async (
        folder: string,
        given: string,
        options: Acting & { amount: string },
        command: Command,
      ) => {
        const device = deviceIn(folder)
        const { context, action } = await actionOf(command, device.machineId, options)
        const id = await agreementIdOf(context, given)
        const amountMinor = amountOf(options.amount)
        const salt = toHex(randomBytes(32))
        const signed = await signTopUp({
          ...action,
          key: device.key(),
          agreementId: id,
          amountMinor,
          salt,
        })
        await fundFromAccount({ ...action, ...signed })
        context.out.result(
          { agreementId: id, machineId: device.machineId, amountMinor: options.amount },
          `Machine ${device.machineId} put ${options.amount} smallest units more into ${id}.`,
        )
      },
    )
}

/** `liquefy machine reclaim`: what the clearing house has for the account comes home. */
export function reclaimCommand(): Command {
  return actor(new Command('reclaim'), 'who sends it')
    .description(
      'bring escrow that was left, refunds and income into the machine’s account; anyone may',
    )
    .argument('<machineId>')
    .action(async (given: string, who: Acting, command: Command) => {
      const { context, action, asset } = await actionOf(command, given, who)
      const account = accountAddress(action)
      const agreements = await context.node().agreements()
      const agreementIds = agreements
        .filter(
          ({ position }) =>
            position.owner.toLowerCase() === account && position.accruedMinor !== '0',
        )
        .map((one) => one.agreementId)
      await ensureAccount(action)
      const amount = await reclaim({ ...action, asset, agreementIds })
      context.out.result(
        { machineId: machineIdOf(given), amountMinor: String(amount) },
        `${amount} smallest units came into the account of machine ${given}.`,
      )
    })
}

/** Signed by the payee in the name of whom the offer says, as `liquefy agreement open` has it signed. */
async function signedOffer(
  command: Command,
  { path, machineId, keyFile }: { path: string; machineId: string; keyFile: string | undefined },
): Promise<AcceptedTerms> {
  const { context, ledger, contracts, machine } = await machineOn(command, machineId)
  const { terms, rules } = await offerIn(path, { context, contracts, machine })
  const as = namesOf(context.folder).get(terms.payee.toLowerCase())
  if (keyFile === undefined && as === undefined) {
    throw new CliError(
      'PAYEE_SIGNATURE_MISSING',
      `${terms.payee}, who is paid, has not signed. A machine does by \`liquefy machine accept\`, whose file is given here; somebody else by --payee-key-file.`,
    )
  }
  const payee = walletOf(context.folder, keyFile ? { keyFile } : as ? { as } : {})
  const { wallet } = senderOf(ledger, payee)
  const { deployment } = machine
  return { terms, rules, payeeSignature: await authorizeAgreement({ deployment, wallet, terms }) }
}

async function offerIn(
  path: string,
  {
    context,
    contracts,
    machine,
  }: Pick<Awaited<ReturnType<typeof machineOn>>, 'context' | 'contracts' | 'machine'>,
): Promise<ReadOffer> {
  const { timestamp } = await machine.publicClient.getBlock()
  const addressOf = (name: string): Hex => partyOf(context.folder, machine, name)
  return readOffer(
    path,
    contracts,
    addressOf,
    beginOf(Number(timestamp), Math.floor(Date.now() / 1000)),
  )
}
