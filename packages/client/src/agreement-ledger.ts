import { clearingHouseAbi, testEuroAbi } from '@liquefy/abi'
import {
  agreementId,
  clearingHouseDomain,
  type SignedAdjustment,
  TERMS_TYPES,
  type Terms,
} from '@liquefy/protocol'
import { type Call, type Sender, send } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'

/** Where the clearing house is: `createClient({ url }).deployment()`. */
type House = { deployment: Pick<Deployment, 'chainId' | 'clearingHouse'> }

/** An action on the clearing house. */
export type AgreementAction = Sender & House

/**
 * Signs terms in the name of a party (EIP-712, so that a wallet shows what it signs), for anybody to open the agreement
 * with. A party that is a contract (ERC-1271) has this signed by whom it accepts.
 */
export function authorizeAgreement(
  input: House & { wallet: Sender['wallet']; terms: Terms },
): Promise<Hex> {
  const { deployment, wallet, terms } = input
  return wallet.signTypedData({
    account: wallet.account,
    domain: clearingHouseDomain(deployment.chainId, deployment.clearingHouse),
    types: TERMS_TYPES,
    primaryType: 'Terms',
    message: terms,
  })
}

/** Opens an agreement; answers its id. A party that is not the sender has to have signed it. For anyone. */
export async function openAgreement(
  action: AgreementAction & { terms: Terms; payerSignature?: Hex; payeeSignature?: Hex },
): Promise<Hex> {
  const { deployment, terms } = action
  await send(action, openCall(action))
  return agreementId({ ...deployment, terms })
}

/** The call that opens an agreement, for whoever sends many. */
export function openCall({
  deployment,
  terms,
  payerSignature = '0x',
  payeeSignature = '0x',
}: House & { terms: Terms; payerSignature?: Hex; payeeSignature?: Hex }): Call {
  return houseCall(deployment, 'open', [terms, payerSignature, payeeSignature])
}

/** Pays arrears of the given periods, as far as escrow goes. For anyone, after a top-up. */
export function collect(
  action: AgreementAction & { agreementId: Hex; periods: readonly number[] },
) {
  return send(action, houseCall(action.deployment, 'collect', [action.agreementId, action.periods]))
}

/** Relays what late evidence adds to a final period, signed by the agreement's signer. For anyone, once a period. */
export function adjust(action: AgreementAction & { adjustment: SignedAdjustment }) {
  const { signature, heads: _heads, ...adjustment } = action.adjustment
  return send(action, houseCall(action.deployment, 'adjust', [adjustment, signature]))
}

/** Gives money of a period back to the payer's balance. For the owner of the position. */
export function refund(
  action: AgreementAction & { agreementId: Hex; period: number; amountMinor: bigint },
) {
  const { deployment, agreementId: id, period, amountMinor } = action
  return send(action, houseCall(deployment, 'refund', [id, period, amountMinor]))
}

/**
 * Ends an agreement; what is left in escrow goes to the payer's balance. For the owner of the position at any time, for
 * anyone once the last period's windows have passed. Arrears are collected first.
 */
export function closeAgreement(action: AgreementAction & { agreementId: Hex }) {
  return send(action, closeCall(action))
}

/** The call that ends an agreement, for whoever has it made by a contract. */
export function closeCall({ deployment, agreementId: id }: House & { agreementId: Hex }): Call {
  return houseCall(deployment, 'close', [id])
}

/** Moves what positions have earned to their owners' balances. For anyone. */
export function credit(action: AgreementAction & { agreementIds: readonly Hex[] }) {
  return send(action, houseCall(action.deployment, 'credit', [action.agreementIds]))
}

/** What an account may withdraw, smallest units. */
export function balanceOf(
  action: House & Pick<Sender, 'publicClient'> & { account: Hex; asset: Hex },
): Promise<bigint> {
  return action.publicClient.readContract({
    address: action.deployment.clearingHouse,
    abi: clearingHouseAbi,
    functionName: 'balanceOfAsset',
    args: [action.account, action.asset],
  })
}

/** Who owns what an agreement earns: the holder of its position. */
export function positionOwner(
  action: House & Pick<Sender, 'publicClient'> & { agreementId: Hex },
): Promise<Hex> {
  return action.publicClient.readContract({
    address: action.deployment.clearingHouse,
    abi: clearingHouseAbi,
    functionName: 'ownerOf',
    args: [BigInt(action.agreementId)],
  })
}

/** Pays out of the wallet's balance to its own account. */
export function withdraw(action: AgreementAction & { asset: Hex; amountMinor: bigint }) {
  const { deployment, wallet, asset, amountMinor } = action
  return send(
    action,
    houseCall(deployment, 'withdraw', [asset, amountMinor, wallet.account.address]),
  )
}

/** What the asset refuses comes through the clearing house as it is; its errors are those of ERC-6093 and of the test euro. */
const abi = [...clearingHouseAbi, ...testEuroAbi.filter(({ type }) => type === 'error')]

/** A call of the clearing house. */
export function houseCall(
  deployment: House['deployment'],
  functionName: string,
  args: readonly unknown[],
): Call {
  return { address: deployment.clearingHouse, abi, functionName, args }
}
