import type { Hex } from '@liquefy/client'
import { http, numberToHex } from 'viem'
import { node } from '../api.ts'

const signing = ['personal_sign', 'eth_signTypedData_v4', 'eth_sendTransaction']

/** A wallet (EIP-1193) of one of the embedded chain's people: the node signs, the ledger answers the rest. */
export const personProvider = (address: Hex, chainId: number, rpcUrl: string) => {
  const ledger = http(rpcUrl)({})
  const request = async ({ method, params }: { method: string; params?: unknown }) => {
    if (method === 'eth_requestAccounts' || method === 'eth_accounts') return [address]
    if (method === 'eth_chainId') return numberToHex(chainId)
    if (signing.includes(method)) {
      return node.walletRequest(address, { method, params: Array.isArray(params) ? params : [] })
    }
    return ledger.request({ method, params } as never)
  }
  return { request, on: () => undefined, removeListener: () => undefined }
}
