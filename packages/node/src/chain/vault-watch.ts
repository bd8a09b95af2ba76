import { machineVaultAbi, vaultFactoryAbi } from '@liquefy/abi'
import type { Hex } from '@liquefy/client'
import { decodeEventLog, type Log, type PublicClient } from 'viem'
import { lower } from './ledger-text.ts'
import { plainWords, type VaultParts, type VaultTitle } from './vault-events.ts'

/** Parts of a vault, and the block that made it. */
export type KnownVault = VaultParts & { block: number }

/**
 * Vaults whose events are followed: those that the factory made on the chain that is being read, and no other contract. They grow while
 * blocks are read.
 */
export interface WatchedVaults {
  /** All their addresses. */
  addresses(): Hex[]
  partsAt(address: Hex): VaultParts | undefined
  titleOf(vault: Hex): VaultTitle
  /** Forgets what was made above a block, since it is going to be read, again or for the first time. */
  standAt(block: number): Promise<void>
  /** Takes what the factory made in these logs, and answers its addresses. */
  take(logs: readonly Log<bigint, number, false>[]): Promise<Hex[]>
}

const MOST_TITLE_CHARACTERS = 100
const addressesOf = ({ vault, governor, timelock }: VaultParts) => [vault, governor, timelock]

/** @param readKnown vaults that the tables have up to a block. */
export function watchVaults(
  client: PublicClient,
  factory: Hex,
  readKnown: (upToBlock: number) => Promise<KnownVault[]>,
): WatchedVaults {
  let known: KnownVault[] | undefined
  let byAddress = new Map<Hex, VaultParts>()
  const titles = new Map<Hex, VaultTitle>()

  const add = (vaults: readonly KnownVault[]): void => {
    for (const one of vaults) for (const address of addressesOf(one)) byAddress.set(address, one)
  }

  const readTitle = async (address: Hex): Promise<VaultTitle> => {
    const contract = { address, abi: machineVaultAbi } as const
    const [name, symbol] = await Promise.all([
      client.readContract({ ...contract, functionName: 'name' }),
      client.readContract({ ...contract, functionName: 'symbol' }),
    ])
    return {
      name: plainWords(name, MOST_TITLE_CHARACTERS),
      symbol: plainWords(symbol, MOST_TITLE_CHARACTERS),
    }
  }

  return {
    addresses: () => [...byAddress.keys()],
    partsAt: (address) => byAddress.get(address),
    titleOf(vault) {
      const title = titles.get(vault)
      if (!title) throw new RangeError(`The title of vault ${vault} was not read.`)
      return title
    },
    async standAt(block) {
      const before = known ?? (await readKnown(block))
      const kept = before.filter((one) => one.block <= block)
      if (known && kept.length === known.length) return
      known = kept
      byAddress = new Map()
      titles.clear()
      add(kept)
    },
    async take(logs) {
      const made = logs
        .filter(({ address }) => lower(address) === factory)
        .map((log): KnownVault => {
          const { args } = decodeEventLog({ abi: vaultFactoryAbi, ...log })
          const { vault, governor, timelock } = args
          return {
            vault: lower(vault),
            governor: lower(governor),
            timelock: lower(timelock),
            block: Number(log.blockNumber),
          }
        })
      for (const { vault } of made) titles.set(vault, await readTitle(vault))
      known = [...(known ?? []), ...made]
      add(made)
      return made.flatMap(addressesOf)
    },
  }
}
