import { type Sender, sendAll } from '@liquefy/client'
import { createWalletClient, custom, type Hex, http, keccak256 } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { BenchLedger } from '../gas/ledger.ts'

/** Fits into a block, whatever they do. */
const UNDER_WAY = 20

/**
 * The same ledger, whose accounts send many transactions a block: the embedded chain answers a transaction when it is mined, so that who
 * waits for each answer gets one into each block of a second.
 */
export function withoutWaiting(ledger: BenchLedger): BenchLedger {
  const { chain, node } = ledger
  const senderOf = (account: PrivateKeyAccount): Sender => ({
    ...ledger.senderOf(account),
    wallet: createWalletClient({ account, chain, transport: quickTransport(node.rpcUrl) }),
  })
  return { ...ledger, senderOf, sendAll: (account, calls) => sendAll(senderOf(account), calls) }
}

/** Answers a transaction with its hash at once; whether it was taken is told by its receipt alone. */
function quickTransport(rpcUrl: string) {
  const { request } = http(rpcUrl)({})
  const underWay = new Set<Promise<unknown>>()
  return custom({
    async request({ method, params }: { method: string; params: [Hex] }) {
      if (method !== 'eth_sendRawTransaction') return request({ method, params })
      while (underWay.size >= UNDER_WAY) await Promise.race(underWay)
      const sending: Promise<unknown> = request({ method, params })
        .catch((error) => process.stderr.write(`A transaction was not taken: ${error}\n`))
        .finally(() => underWay.delete(sending))
      underWay.add(sending)
      return keccak256(params[0])
    },
  })
}
