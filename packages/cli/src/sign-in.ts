import { type Client, createClient } from '@liquefy/client'
import { getAddress } from 'viem'
import { createSiweMessage } from 'viem/siwe'
import type { Context } from './context.ts'
import { nodeUrl } from './data-folder.ts'
import { CliError } from './failure.ts'
import type { Signer } from './transactions.ts'

/** Does what only this person may do at the running node, signed in (EIP-4361) for as long as it takes. */
export async function asPerson<Done>(
  context: Context,
  signer: Signer,
  work: (client: Client) => Promise<Done>,
): Promise<Done> {
  const url = nodeUrl(context.folder)
  const anybody = createClient({ url })
  const [{ nonce }, { chainId }] = await Promise.all([anybody.signInNonce(), anybody.deployment()])
  const message = createSiweMessage({
    address: getAddress(signer.address),
    chainId,
    domain: new URL(url).host,
    uri: url,
    version: '1',
    nonce,
  })
  const signature = await signer.signMessage?.({ message })
  if (!signature) {
    throw new CliError('WALLET_MISSING', 'This account cannot sign a message to sign in with.')
  }
  const { token } = await anybody.signIn({ message, signature })
  const client = createClient({ url, token: () => token })
  try {
    return await work(client)
  } finally {
    await client.signOut()
  }
}
