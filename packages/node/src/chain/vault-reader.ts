import { clearingHouseAbi, machineVaultAbi } from '@liquefy/abi'
import type { Hex, PublicClient } from 'viem'

/** What no event tells of a vault. Amounts in smallest units. */
export interface VaultOnLedger {
  /** On the vault, and nobody's yet. */
  undistributedMinor: bigint
  /** What the clearing house holds for it, credited already. */
  houseMinor: bigint
}

/** Reads vaults as they are now. */
export function vaultReader(
  client: PublicClient,
  clearingHouse: Hex,
): (vault: Hex, asset: Hex) => Promise<VaultOnLedger> {
  return async (vault, asset) => {
    const [undistributedMinor, houseMinor] = await Promise.all([
      client.readContract({
        address: vault,
        abi: machineVaultAbi,
        functionName: 'undistributed',
      }),
      client.readContract({
        address: clearingHouse,
        abi: clearingHouseAbi,
        functionName: 'balanceOfAsset',
        args: [vault, asset],
      }),
    ])
    return { undistributedMinor, houseMinor }
  }
}
