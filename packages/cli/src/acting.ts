import type { Deployment, Hex, Sender } from '@liquefy/client'
import type { Command } from 'commander'
import { isAddress } from 'viem'
import type { Context } from './context.ts'
import { openLedger, senderOf } from './transactions.ts'
import { namesOf, personOf, walletOf } from './wallet.ts'

/** Who acts: `--as`, `--key-file`. */
export interface Acting {
  as?: string
  keyFile?: string
}

/** Adds who acts to a command; `who` says what he is to it, say "owner". */
export const acting = (command: Command, who?: string): Command =>
  command
    .option('--as <person>', `${who ? `${who}: ` : ''}one of the embedded chain’s people`)
    .option('--key-file <file>', 'or the key of anybody')

/** Whoever acts on the node's ledger. */
export async function senderOn(
  context: Context,
  who: Acting,
): Promise<Sender & { deployment: Deployment }> {
  const wallet = walletOf(context.folder, who)
  const deployment = await context.node().deployment()
  return { ...senderOf(await openLedger(deployment.rpcUrl), wallet), deployment }
}

/** An account that was typed in: an address, or one of the embedded chain's people. */
export function accountNamed(context: Context, given: string): Hex {
  return isAddress(given, { strict: false }) ? given : personOf(context.folder, given).address
}

/** The account that a question is about: `--of`, else whoever would act. */
export function askedAccount(context: Context, options: Acting & { of?: string }): Hex {
  return options.of ? accountNamed(context, options.of) : walletOf(context.folder, options).address
}

/** What accounts are called where the folder knows them. */
export function namer(context: Context): (account: Hex) => string {
  const names = namesOf(context.folder)
  return (account) => names.get(account.toLowerCase()) ?? account
}
