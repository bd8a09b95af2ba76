import { machineAccountAbi } from '@liquefy/abi'
import { erc20Abi, type Hex, type PublicClient } from 'viem'

/** What the ledger has of a machine's account and of one asset in it. Amounts in smallest units. */
export interface AccountOnLedger {
  created: boolean
  balanceMinor: bigint
  /** Undefined: the owner lets the machine's key spend nothing. `expirySeconds` is its last second. */
  policy:
    | {
        perPaymentMinor: bigint
        perDayMinor: bigint
        expirySeconds: bigint
        counterparties: readonly Hex[]
      }
    | undefined
  spentTodayMinor: bigint
  paused: boolean
}

/** Reads accounts as they are now. */
export function accountReader(
  client: PublicClient,
  asset: Hex,
): (account: Hex) => Promise<AccountOnLedger> {
  return async (account) => {
    const [code, balanceMinor] = await Promise.all([
      client.getCode({ address: account }),
      client.readContract({
        address: asset,
        abi: erc20Abi,
        functionName: 'balanceOf',
        args: [account],
      }),
    ])
    const nothing = { policy: undefined, spentTodayMinor: 0n, paused: false }
    if (code === undefined) return { created: false, balanceMinor, ...nothing }
    const [policy, spentTodayMinor, paused] = await client.readContract({
      address: account,
      abi: machineAccountAbi,
      functionName: 'policyOf',
      args: [asset],
    })
    return {
      created: true,
      balanceMinor,
      policy:
        policy.expiry === 0n
          ? undefined
          : {
              perPaymentMinor: policy.perPayment,
              perDayMinor: policy.perDay,
              expirySeconds: policy.expiry,
              counterparties: policy.counterparties,
            },
      spentTodayMinor,
      paused,
    }
  }
}
