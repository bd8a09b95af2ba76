import type { Sender } from '@liquefy/client'
import {
  type Account,
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  http,
  type PublicClient,
} from 'viem'
import { CliError } from './failure.ts'

/** An account that signs by itself, with a key in a file. */
export type Signer = Account & { signTransaction: NonNullable<Account['signTransaction']> }

export interface Ledger {
  client: PublicClient
  chainId: number
  chain: Chain
}

const POLL_MS = 100
const TIMEOUT_MS = 60_000

/** Path and query of an address are often secrets. */
const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).host : 'that address')

export async function openLedger(rpcUrl: string): Promise<Ledger> {
  const client = createPublicClient({
    transport: http(rpcUrl, { timeout: TIMEOUT_MS }),
    pollingInterval: POLL_MS,
    cacheTime: 0,
  })
  try {
    const chainId = await client.getChainId()
    const chain = defineChain({
      id: chainId,
      name: `chain ${chainId}`,
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [rpcUrl] } },
    })
    return { client, chainId, chain }
  } catch (cause) {
    throw new CliError(
      'LEDGER_UNREACHABLE',
      `No ledger answers at ${hostOf(rpcUrl)}. Start one with \`liquefy up\`.`,
      { cause },
    )
  }
}

/** Who sends, and where: what the actions of `@liquefy/client` take. */
export function senderOf({ client, chain }: Ledger, account: Signer): Sender {
  const transport = http(chain.rpcUrls.default.http[0], { timeout: TIMEOUT_MS })
  return { publicClient: client, wallet: createWalletClient({ account, chain, transport }) }
}
