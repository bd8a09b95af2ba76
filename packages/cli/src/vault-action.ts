import type { Deployment, Hex, Sender, Vault } from '@liquefy/client'
import { parseUnsigned } from '@liquefy/protocol'
import type { Command } from 'commander'
import { isAddress } from 'viem'
import type { Context } from './context.ts'
import { CliError } from './failure.ts'
import { openLedger, senderOf } from './transactions.ts'
import { namesOf, personOf, walletOf } from './wallet.ts'

/** Who acts. */
export interface Acting {
  as?: string
  keyFile?: string
}

/** Adds who acts to a command. */
export const acting = (command: Command): Command =>
  command
    .option('--as <person>', 'one of the embedded chain’s people')
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

/** What an action on a vault takes, and the vault as the node knows it. */
export async function vaultAction(context: Context, given: string, who: Acting) {
  const shown = await vaultOf(context, given)
  const sender = await senderOn(context, who)
  return { shown, action: { ...sender, vault: shown.vault, governor: shown.governor } }
}

/** The vault that somebody means: its address, the beginning of it, its name or its symbol. @throws CliError `VAULT_UNKNOWN`. */
export async function vaultOf(context: Context, given: string): Promise<Vault> {
  const client = context.node()
  if (isAddress(given, { strict: false })) return client.vault(given.toLowerCase() as Hex)
  const wanted = given.toLowerCase()
  const found: Hex[] = []
  let offset: number | null = 0
  while (offset !== null) {
    const page = await client.vaults({ offset, limit: 200 })
    for (const { vault, name, symbol } of page.vaults) {
      const isMeant =
        name.toLowerCase() === wanted ||
        symbol.toLowerCase() === wanted ||
        (wanted.length >= 6 && vault.startsWith(wanted))
      if (isMeant) found.push(vault)
    }
    offset = page.nextOffset
  }
  const [first, second] = found
  if (!first) {
    throw new CliError(
      'VAULT_UNKNOWN',
      `No vault is called "${given}", and no address of one begins so. See \`liquefy vault list\`.`,
    )
  }
  // Anybody may call his vault like another one: nobody guesses.
  if (second) {
    throw new CliError(
      'VAULT_UNKNOWN',
      `More than one vault is called "${given}": ${found.join(', ')}. Give the address.`,
    )
  }
  return client.vault(first)
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

/** A whole number that was typed in. @throws CliError `AMOUNT_INVALID`. */
export function wholeNumber(option: string, text: string): bigint {
  const amount = parseUnsigned(text)
  if (amount !== undefined) return amount
  throw new CliError('AMOUNT_INVALID', `${option} ${text} is no whole number, like 1000.`)
}

/** A share of all shares: `12.5%`. */
export const percentText = (ppm: number): string => `${(ppm / 10_000).toFixed(2)}%`

/** A moment of the ledger: `2026-12-01T08:00:00Z`. */
export const momentText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
