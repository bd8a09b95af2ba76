import { LiquefyError } from '@liquefy/protocol'
import {
  createWalletClient,
  type Hex,
  isAddressEqual,
  type PublicClient,
  type TransactionRequest,
  type TypedDataDefinition,
} from 'viem'
import type { Keys } from './keys.ts'
import { rpcTransport } from './rpc-transport.ts'

/** Wallets of the embedded chain's demo people, spoken to as wallets are (EIP-1193). Money there is play money. */
export interface PeopleWallets {
  /**
   * Signs or sends for one of them: `personal_sign`, `eth_signTypedData_v4`, `eth_sendTransaction`.
   *
   * @throws WalletError `PERSON_UNKNOWN`, `WALLET_METHOD_UNKNOWN`, `WALLET_REQUEST_INVALID`
   */
  request(address: Hex, call: { method: string; params: readonly unknown[] }): Promise<Hex>
}

/** A request that no demo person's wallet takes. */
export class WalletError extends LiquefyError {}

export function createPeopleWallets(options: {
  people: Keys['people']
  rpcUrl: string
  chain: PublicClient['chain']
}): PeopleWallets {
  const { people, rpcUrl, chain } = options
  const transport = rpcTransport(rpcUrl)
  return {
    async request(address, { method, params }) {
      const person = people.find(({ account }) => isAddressEqual(account.address, address))
      if (!person) {
        throw new WalletError(
          'PERSON_UNKNOWN',
          `${address} is none of this chain's people: use a wallet of your own.`,
        )
      }
      const { account } = person
      const wallet = createWalletClient({ account, chain, transport })
      switch (method) {
        case 'personal_sign':
          return wallet.signMessage({ message: { raw: hexIn(params[0]) } })
        case 'eth_signTypedData_v4':
          return wallet.signTypedData(typedDataIn(params[1]))
        case 'eth_sendTransaction':
          return wallet.sendTransaction({
            chain: wallet.chain ?? null,
            ...transactionIn(params[0]),
          })
        default:
          throw new WalletError(
            'WALLET_METHOD_UNKNOWN',
            `${method} is nothing that a demo person's wallet does.`,
          )
      }
    },
  }
}

const isHex = (value: unknown): value is Hex =>
  typeof value === 'string' && /^0x[0-9a-fA-F]*$/.test(value)

function invalid(what: string): WalletError {
  return new WalletError('WALLET_REQUEST_INVALID', `${what}; see EIP-1193 and EIP-712.`)
}

function hexIn(value: unknown): Hex {
  if (isHex(value)) return value
  throw invalid('The message to sign must be 0x and hex digits')
}

/** As wallets get it: JSON in a string, whole numbers as decimal text. */
function typedDataIn(value: unknown): TypedDataDefinition {
  try {
    const data: unknown = typeof value === 'string' ? JSON.parse(value) : value
    if (typeof data === 'object' && data !== null && 'domain' in data && 'primaryType' in data) {
      return data as TypedDataDefinition
    }
  } catch {
    // Said below.
  }
  throw invalid('The typed data must be a JSON object with domain, types, primaryType and message')
}

function transactionIn(value: unknown) {
  if (typeof value !== 'object' || value === null) throw invalid('The transaction is no object')
  const {
    to,
    data,
    value: wei,
    gas,
    nonce,
    maxFeePerGas,
    maxPriorityFeePerGas,
  } = value as Record<keyof TransactionRequest, unknown>
  if (!isHex(to)) throw invalid('A transaction needs an address in "to"')
  const number = (given: unknown) => (isHex(given) ? BigInt(given) : undefined)
  return {
    to,
    data: isHex(data) ? data : undefined,
    value: number(wei),
    gas: number(gas),
    nonce: isHex(nonce) ? Number(nonce) : undefined,
    maxFeePerGas: number(maxFeePerGas),
    maxPriorityFeePerGas: number(maxPriorityFeePerGas),
  }
}
