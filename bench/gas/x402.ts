import { testEuroAbi } from '@liquefy/abi'
import type { Hex } from '@liquefy/protocol'
import type { PaymentPayload, PaymentRequirements } from '@x402/core/types'
import { toClientEvmSigner, toFacilitatorEvmSigner } from '@x402/evm'
import { ExactEvmScheme as ExactClient } from '@x402/evm/exact/client'
import { ExactEvmScheme as ExactFacilitator } from '@x402/evm/exact/facilitator'
import { createWalletClient, http, publicActions } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { BenchLedger } from './ledger.ts'

const X402_VERSION = 2
const TIMEOUT_SECONDS = 3_600

/** Pays by x402 `exact` with its own packages, unmodified: the client signs, the facilitator verifies and sends. Answers the gas. */
export interface ExactPayer {
  pay(amountMinor: bigint): Promise<bigint>
}

/** A payer, a payee and a facilitator, on the asset that the agreements are paid in (ERC-3009). */
export function exactPayer(
  ledger: BenchLedger,
  people: { payer: PrivateKeyAccount; payee: Hex; facilitator: PrivateKeyAccount },
): ExactPayer {
  const { address: asset } = ledger.node.deployment.asset
  const wallet = createWalletClient({
    account: people.facilitator,
    chain: ledger.chain,
    transport: http(ledger.node.rpcUrl),
    pollingInterval: ledger.reader.pollingInterval,
  }).extend(publicActions)
  const facilitatorSigner = toFacilitatorEvmSigner({
    ...wallet,
    address: people.facilitator.address,
  } as unknown as Parameters<typeof toFacilitatorEvmSigner>[0])
  const facilitator = new ExactFacilitator(facilitatorSigner)
  const client = new ExactClient(toClientEvmSigner(people.payer))
  return {
    async pay(amountMinor) {
      const requirements: PaymentRequirements = {
        scheme: 'exact',
        network: `eip155:${ledger.chainId}`,
        asset,
        amount: amountMinor.toString(),
        payTo: people.payee,
        maxTimeoutSeconds: TIMEOUT_SECONDS,
        extra: await domainOf(ledger, asset),
      }
      const signed = await client.createPaymentPayload(X402_VERSION, requirements)
      const payment = { ...signed, accepted: requirements } as PaymentPayload
      const verdict = await facilitator.verify(payment, requirements)
      if (!verdict.isValid) throw new Error(`x402 did not verify: ${verdict.invalidReason}.`)
      const settled = await facilitator.settle(payment, requirements)
      if (!settled.success) throw new Error(`x402 did not settle: ${settled.errorReason}.`)
      const { gasUsed } = await ledger.reader.getTransactionReceipt({
        hash: settled.transaction as Hex,
      })
      return gasUsed
    },
  }
}

/** The asset's EIP-712 domain, which x402 has the seller name. */
async function domainOf(ledger: BenchLedger, asset: Hex) {
  const [, name, version] = await ledger.reader.readContract({
    address: asset,
    abi: testEuroAbi,
    functionName: 'eip712Domain',
  })
  return { name, version }
}
