import { accountAddress, createAccount, type OneParty, type Sender } from '@liquefy/client'
import { loadIdentity, loadKey } from '@liquefy/machine'
import type { Hex, SigningKey } from '@liquefy/protocol'
import type { Command } from 'commander'
import { isAddress } from 'viem'
import type { Acting } from './acting.ts'
import { type Context, contextOf } from './context.ts'
import { ledgerOf } from './contracts.ts'
import type { KnownContracts } from './data-folder.ts'
import { CliError } from './failure.ts'
import { machineIdOf } from './machine-id.ts'
import { machinePassphrase, machinePin } from './machine-secrets.ts'
import { type Ledger, senderOf } from './transactions.ts'
import { personOf, walletOf } from './wallet.ts'

/** A machine on the ledger that the command goes to, for what needs no wallet. */
export async function machineOn(
  command: Command,
  given: string,
): Promise<{ context: Context; ledger: Ledger; contracts: KnownContracts; machine: OneParty }> {
  const context = contextOf(command)
  const machineId = BigInt(machineIdOf(given))
  const { ledger, contracts } = await ledgerOf(context)
  const deployment = {
    chainId: ledger.chainId,
    registry: contracts.registry,
    clearingHouse: contracts.clearingHouse,
    accounts: contracts.accounts ?? null,
  }
  const machine = { deployment, publicClient: ledger.client, machineId }
  return { context, ledger, contracts, machine }
}

/** The same with whoever acts. */
export async function actionOf(
  command: Command,
  given: string,
  who: Acting,
): Promise<{ context: Context; contracts: KnownContracts; asset: Hex; action: OneParty & Sender }> {
  const wallet = walletOf(contextOf(command).folder, who)
  const { context, ledger, contracts, machine } = await machineOn(command, given)
  const action = { ...machine, ...senderOf(ledger, wallet) }
  return { context, contracts, asset: contracts.asset.address, action }
}

/** Creates the account of a machine unless it is there. */
export async function ensureAccount(action: OneParty & Sender): Promise<void> {
  const code = await action.publicClient.getCode({ address: accountAddress(action) })
  if (code === undefined) await createAccount(action)
}

/** The machine in a folder, and its key once it is to sign. @throws CliError `MACHINE_UNREGISTERED`. */
export function deviceIn(folder: string): { machineId: string; key: () => SigningKey } {
  const identity = loadIdentity(folder)
  if (!identity) {
    throw new CliError(
      'MACHINE_UNREGISTERED',
      `${folder} is no registered machine yet: liquefy machine register ${folder} --as <person>`,
    )
  }
  return {
    machineId: String(identity.machineId),
    key: () => loadKey(folder, machinePassphrase(), machinePin()),
  }
}

/** An address, one of the embedded chain's people, or "machine 4": that machine's account. */
export function partyOf(
  folder: string,
  { deployment }: Pick<OneParty, 'deployment'>,
  given: string,
): Hex {
  if (isAddress(given, { strict: false })) return given
  const machine = /^machine ([1-9]\d{0,17})$/.exec(given)?.[1]
  if (machine !== undefined) return accountAddress({ deployment, machineId: BigInt(machine) })
  return personOf(folder, given).address
}

export function secondsOf(text: string): bigint {
  const ms = Date.parse(text)
  if (Number.isFinite(ms) && ms > 0) return BigInt(Math.floor(ms / 1_000))
  throw new CliError('DATE_INVALID', `${text} is no time: say it as 2027-01-01T12:00Z.`)
}
