import type { Hex, Vault } from '@liquefy/client'
import { isAddress } from 'viem'
import { type Acting, senderOn } from './acting.ts'
import type { Context } from './context.ts'
import { CliError } from './failure.ts'

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

/** A share of all shares: `12.5%`. */
export const percentText = (ppm: number): string => `${(ppm / 10_000).toFixed(2)}%`

/** A moment of the ledger: `2026-12-01T08:00:00Z`. */
export const momentText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
