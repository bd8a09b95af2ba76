import { machineRegistryAbi } from '@liquefy/abi'
import {
  decommissionMachine,
  rekeyMachine,
  resumeMachine,
  revokeMachineKey,
  rotateMachineKey,
  suspendMachine,
  transferMachine,
} from '@liquefy/client'
import {
  adoptNextKey,
  loadIdentity,
  loadKey,
  nextKey,
  nextTokenKey,
  streamHeads,
} from '@liquefy/machine'
import { type Curve, type Hex, keyId, type SigningKey } from '@liquefy/protocol'
import { Command } from 'commander'
import { isAddress } from 'viem'
import { type Acting, acting } from '../acting.ts'
import { type Context, contextOf } from '../context.ts'
import { ledgerOf } from '../contracts.ts'
import { CliError } from '../failure.ts'
import { machineIdOf } from '../machine-id.ts'
import { machinePassphrase, machinePin } from '../machine-secrets.ts'
import { type TokenOptions, tokenPlaceOf } from '../token-place.ts'
import { type Ledger, senderOf } from '../transactions.ts'
import { personOf, walletOf } from '../wallet.ts'

/** `liquefy machine suspend`. */
export function suspendCommand(): Command {
  return acting(new Command('suspend'), 'owner')
    .description('nothing that it signs is priced or paid, until it is resumed')
    .argument('<machineId>')
    .option('--reason <words>', 'why, for everybody to read, on the ledger for ever')
    .action(async (given: string, options: Acting & { reason?: string }, command: Command) => {
      const { context, action } = await actionOf(command, given, options)
      const { reason } = options
      await suspendMachine({ ...action, reason })
      context.out.result(
        { machineId: given, state: 'suspended', ...(reason === undefined ? {} : { reason }) },
        `Machine ${given} is suspended. Resume it: liquefy machine resume ${given}`,
      )
    })
}

/** `liquefy machine decommission`. */
export function decommissionCommand(): Command {
  return acting(new Command('decommission'), 'owner')
    .description('take a machine out of service for ever')
    .argument('<machineId>')
    .option('--yes', 'do it: nothing that it has signed can be settled afterwards')
    .action(async (given: string, options: Acting & { yes?: boolean }, command: Command) => {
      if (!options.yes) {
        throw new CliError(
          'DECOMMISSION_UNCONFIRMED',
          `This ends machine ${given} for ever: its key verifies nothing on the ledger any more, so what is not settled yet is not paid. Settle and close its agreements first (liquefy agreement list). Then say --yes.`,
        )
      }
      const { context, action } = await actionOf(command, given, options)
      await decommissionMachine(action)
      context.out.result(
        { machineId: given, state: 'decommissioned' },
        `Machine ${given} is decommissioned. When its agreements are closed, what it measured can be erased: liquefy machine erase ${given}`,
      )
    })
}

/** `liquefy machine resume`. */
export function resumeCommand(): Command {
  return acting(new Command('resume'), 'owner')
    .description('make a suspended machine active again')
    .argument('<machineId>')
    .action(async (given: string, options: Acting, command: Command) => {
      const { context, action } = await actionOf(command, given, options)
      await resumeMachine(action)
      context.out.result({ machineId: given, state: 'active' }, `Machine ${given} is active.`)
    })
}

/** `liquefy machine revoke`. */
export function revokeCommand(): Command {
  return acting(new Command('revoke'), 'owner')
    .description('take a stolen key away')
    .argument('<machineId>')
    .option('--yes', 'do it: what was not anchored on the ledger before is not paid')
    .action(async (given: string, options: Acting & { yes?: boolean }, command: Command) => {
      if (!options.yes) {
        throw new CliError(
          'REVOKE_UNCONFIRMED',
          `This takes the key of machine ${given} away for ever. Only readings that were anchored on the ledger before it count; nothing else that the key has signed is paid. If the key is not stolen, rotate it instead (liquefy machine rotate). Else say --yes.`,
        )
      }
      const { context, action } = await actionOf(command, given, options)
      await revokeMachineKey(action)
      context.out.result(
        { machineId: given, key: null },
        `Machine ${given} has no key any more. Give its device a new one: liquefy machine rekey <folder>`,
      )
    })
}

/** `liquefy machine transfer`. */
export function transferCommand(): Command {
  return acting(new Command('transfer'), 'owner')
    .description('give a machine to another owner; its agreements go on')
    .argument('<machineId>')
    .requiredOption('--to <owner>', 'address, or one of the embedded chain’s people')
    .action(async (given: string, options: Acting & { to: string }, command: Command) => {
      const { context, action } = await actionOf(command, given, options)
      const to = isAddress(options.to, { strict: false })
        ? (options.to as Hex)
        : personOf(context.folder, options.to).address
      await transferMachine({ ...action, to })
      context.out.result({ machineId: given, owner: to }, `Machine ${given} belongs to ${to} now.`)
    })
}

/** `liquefy machine rotate`: a planned change of keys, of the device in a folder. */
export function rotateCommand(): Command {
  return acting(new Command('rotate'), 'owner')
    .description('change the key of a machine that is stopped; what it has signed counts on')
    .argument('<folder>', 'folder of the machine')
    .option('--pkcs11 <module>', 'make the new key in a token: the shared library that reaches it')
    .option('--token <label>', 'which token; left out, the new key is made where the old one is')
    .action(async (folder: string, options: Acting & TokenOptions, command: Command) => {
      const { machineId, oldKey } = machineIn(folder)
      const { context, action, ledger } = await actionOf(command, String(machineId), options)
      const newKey = newKeyOf(folder, oldKey.curve, options)
      // Cut short after the ledger had it, all that is left to do is to take the key up.
      if (!(await isCurrent(ledger, action.deployment.registry, machineId, newKey))) {
        const heads = streamHeads(folder, machineId)
        await rotateMachineKey({ ...action, oldKey, newKey, heads })
      }
      adoptNextKey(folder)
      tellKey(context, folder, machineId, newKey)
    })
}

/** `liquefy machine rekey`: a new key after the old one was revoked. */
export function rekeyCommand(): Command {
  return acting(new Command('rekey'), 'owner')
    .description('give a machine whose key was revoked a new one')
    .argument('<folder>', 'folder of the machine')
    .option('--pkcs11 <module>', 'make the new key in a token: the shared library that reaches it')
    .option('--token <label>', 'which token; left out, the new key is made where the old one is')
    .action(async (folder: string, options: Acting & TokenOptions, command: Command) => {
      const { machineId, oldKey } = machineIn(folder)
      const { context, action, ledger } = await actionOf(command, String(machineId), options)
      const newKey = newKeyOf(folder, oldKey.curve, options)
      if (!(await isCurrent(ledger, action.deployment.registry, machineId, newKey))) {
        await rekeyMachine({ ...action, newKey })
      }
      adoptNextKey(folder)
      tellKey(context, folder, machineId, newKey)
    })
}

function newKeyOf(folder: string, curve: Curve, options: TokenOptions): SigningKey {
  const place = tokenPlaceOf(options)
  return place
    ? nextTokenKey(folder, place, curve, machinePin())
    : nextKey(folder, curve, machinePassphrase(), machinePin())
}

function tellKey(context: Context, folder: string, machineId: bigint, newKey: SigningKey): void {
  const id = keyId(newKey.publicKey)
  context.out.result(
    { machineId: machineId.toString(), folder, keyId: id },
    `Machine ${machineId} signs with the key ${id} now, in ${folder}. Start its device again.`,
  )
}

function machineIn(folder: string): { machineId: bigint; oldKey: SigningKey } {
  const identity = loadIdentity(folder)
  if (!identity) {
    throw new CliError(
      'MACHINE_UNREGISTERED',
      `${folder} is no registered machine yet: liquefy machine register ${folder} --as <person>`,
    )
  }
  return {
    machineId: identity.machineId,
    oldKey: loadKey(folder, machinePassphrase(), machinePin()),
  }
}

async function isCurrent(
  { client }: Ledger,
  registry: Hex,
  machineId: bigint,
  { publicKey }: SigningKey,
): Promise<boolean> {
  const { x, y } = await client.readContract({
    address: registry,
    abi: machineRegistryAbi,
    functionName: 'keyOf',
    args: [machineId],
  })
  return x === publicKey.x && y === publicKey.y
}

async function actionOf(command: Command, given: string, who: Acting) {
  const machineId = BigInt(machineIdOf(given))
  const context = contextOf(command)
  const wallet = walletOf(context.folder, who)
  const { ledger, contracts } = await ledgerOf(context)
  const deployment = { chainId: ledger.chainId, registry: contracts.registry }
  return {
    context,
    ledger,
    action: { ...senderOf(ledger, wallet), deployment, machineId },
  }
}
