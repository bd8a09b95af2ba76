import { type Client, createClient, type Hex } from '@liquefy/client'
import { getAddress } from 'viem'
import { createSiweMessage } from 'viem/siwe'
import type { RunningNode } from '../src/index.ts'

/** Whoever can sign a message: an account, or the account of a wallet. */
interface Signer {
  address: Hex
  signMessage?: ((message: { message: string }) => Promise<Hex>) | undefined
}

/** Somebody at the node, signed in (EIP-4361). */
export interface SignedIn {
  client: Client
  token: string
  /** As the node writes it. */
  address: Hex
}

/** Signs somebody in. Throws if the account cannot sign messages. */
export async function signIn(
  node: Pick<RunningNode, 'url' | 'deployment'>,
  account: Signer,
): Promise<SignedIn> {
  const anybody = createClient({ url: node.url })
  const { nonce } = await anybody.signInNonce()
  const message = createSiweMessage({
    address: getAddress(account.address),
    chainId: node.deployment.chainId,
    domain: new URL(node.url).host,
    uri: node.url,
    version: '1',
    nonce,
  })
  const signature = await account.signMessage?.({ message })
  if (!signature) throw new Error(`${account.address} cannot sign a message`)
  const { token, address } = await anybody.signIn({ message, signature })
  return { client: createClient({ url: node.url, token: () => token }), token, address }
}
