import { clearingHouseAbi, machineAccountAbi } from '@liquefy/abi'
import {
  BaseError,
  ContractFunctionRevertedError,
  ContractFunctionZeroDataError,
  erc20Abi,
  type Hex,
  type PublicClient,
} from 'viem'

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
  /** 0: its owner does not let the machine's key sell. */
  sellsUntilSeconds: bigint
  /** What the clearing house has for it. */
  atHouseMinor: bigint
}

/** Reads accounts as they are now. */
export function accountReader(
  client: PublicClient,
  { asset, clearingHouse }: { asset: { address: Hex }; clearingHouse: Hex },
): (account: Hex) => Promise<AccountOnLedger> {
  return async (account) => {
    const [code, balanceMinor, atHouseMinor] = await Promise.all([
      client.getCode({ address: account }),
      client.readContract({
        address: asset.address,
        abi: erc20Abi,
        functionName: 'balanceOf',
        args: [account],
      }),
      client.readContract({
        address: clearingHouse,
        abi: clearingHouseAbi,
        functionName: 'balanceOfAsset',
        args: [account, asset.address],
      }),
    ])
    const nothing = { policy: undefined, spentTodayMinor: 0n, paused: false, sellsUntilSeconds: 0n }
    if (code === undefined) return { created: false, balanceMinor, atHouseMinor, ...nothing }
    const call = { address: account, abi: machineAccountAbi, args: [asset.address] } as const
    const [[policy, spentTodayMinor, paused], sellsUntilSeconds] = await Promise.all([
      client.readContract({ ...call, functionName: 'policyOf' }),
      client.readContract({ ...call, functionName: 'sellsUntil' }).catch(zeroIfUnknown),
    ])
    return {
      created: true,
      balanceMinor,
      atHouseMinor,
      sellsUntilSeconds,
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

/** Accounts that an earlier version deployed sell nothing by their machines' keys. */
function zeroIfUnknown(error: unknown): bigint {
  const unknown =
    error instanceof BaseError &&
    error.walk(
      (cause) =>
        cause instanceof ContractFunctionRevertedError ||
        cause instanceof ContractFunctionZeroDataError,
    )
  if (unknown) return 0n
  throw error
}
