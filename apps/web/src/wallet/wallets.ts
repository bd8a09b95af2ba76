import type { Deployment, Hex, Wallet } from '@liquefy/client'
import {
  type Connector,
  connect,
  createConfig,
  disconnect,
  getConnection,
  getConnectors,
  getPublicClient,
  getWalletClient,
  injected,
  signMessage,
  switchChain,
} from '@wagmi/core'
import { defineChain, http, type PublicClient } from 'viem'
import { createSiweMessage } from 'viem/siwe'
import { node } from '../api.ts'
import { currentSession, keepSession, type SignedIn } from '../session/kept-session.ts'
import { personProvider } from './person-provider.ts'

/** The wallets of this browser, and of the embedded chain's people. wagmi speaks with all of them alike. */
export interface Wallets {
  /** What the reader may choose from, besides people. */
  inBrowser(): { id: string; name: string }[]
  /** Signs in by EIP-4361, and keeps the session. Throws what the wallet or the node refused. */
  signIn(choice: Choice): Promise<void>
  /** Of whoever is signed in, to send with. Throws if the wallet shows another account. */
  sender(): Promise<{ deployment: Deployment; publicClient: PublicClient; wallet: Wallet }>
}

export type Choice =
  | { kind: 'person'; address: Hex; name: string }
  | { kind: 'browser'; id: string }

const statement =
  'Sign in to Liquefy. This moves no money: every payment asks for a signature of its own.'

export const openWallets = (deployment: Deployment): Wallets => {
  const { chainId, rpcUrl, embedded } = deployment
  const chain = defineChain({
    id: chainId,
    name: embedded ? 'Liquefy embedded ledger' : `Chain ${chainId}`,
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [rpcUrl] } },
  })
  const config = createConfig({
    chains: [chain],
    connectors: [injected({ shimDisconnect: false })],
    transports: { [chainId]: http(rpcUrl) },
    storage: null,
  })

  const connectorOf = (choice: Choice) => {
    if (choice.kind === 'person') {
      const { address, name } = choice
      const provider = personProvider(address, chainId, rpcUrl) as never
      const target = { id: `person-${address}`, name, provider }
      return injected({ shimDisconnect: false, target })
    }
    const found = getConnectors(config).find(({ id }) => id === choice.id)
    if (found) return found
    throw new Error('This wallet is no longer in the browser: sign out, and in with another one.')
  }

  /** Connects, on the right chain; answers the account that the wallet shows. */
  const open = async (choice: Choice): Promise<Hex> => {
    await disconnect(config).catch(() => undefined)
    const connector = connectorOf(choice)
    const { accounts, chainId: at } = await connect(config, { connector })
    if (at !== chainId) await onRightChain()
    const [address] = accounts
    if (!address) throw new Error('The wallet shows no account: unlock it, and try again.')
    return address
  }

  const onRightChain = async () => {
    try {
      await switchChain(config, { chainId })
    } catch (cause) {
      throw new Error(
        `The wallet is on another network. Switch it to chain ${chainId} (${rpcUrl}), and try again.`,
        { cause },
      )
    }
  }

  return {
    inBrowser: () => {
      // A wallet that announces itself (EIP-6963) stands there by its own name as well as by the common one.
      const all = getConnectors(config).map(({ id, name }: Connector) => ({ id, name }))
      const named = all.filter(({ id }) => id !== 'injected')
      return named.length > 0
        ? named
        : all.map(({ id }) => ({ id, name: 'Wallet in this browser' }))
    },

    async signIn(choice) {
      const address = await open(choice)
      const { nonce } = await node.signInNonce()
      const { host, origin } = window.location
      const message = createSiweMessage({
        address,
        chainId,
        domain: host,
        nonce,
        statement,
        uri: origin,
        version: '1',
        issuedAt: new Date(),
      })
      const signature = await signMessage(config, { account: address, message })
      const session = await node.signIn({ message, signature })
      const wallet: SignedIn['wallet'] =
        choice.kind === 'person' ? { kind: 'person' } : { kind: 'browser', id: choice.id }
      keepSession({ ...session, wallet })
    },

    async sender() {
      const session = currentSession()
      if (!session) throw new Error('Sign in first.')
      const { address, wallet: kept } = session
      const { address: shownNow, connector } = getConnection(config)
      if (shownNow?.toLowerCase() === address) {
        // It may have been moved to another network since.
        if ((await connector?.getChainId()) !== chainId) await onRightChain()
      } else {
        const choice: Choice = kept.kind === 'person' ? { kind: 'person', address, name: '' } : kept
        const shown = (await open(choice)).toLowerCase()
        if (shown !== address) {
          throw new Error(
            `You are signed in as ${address}, and the wallet shows ${shown}: choose the first one in the wallet, or sign in as the other.`,
          )
        }
      }
      const publicClient = getPublicClient(config)
      const wallet = await getWalletClient(config)
      if (!publicClient) throw new Error(`Chain ${chainId} is not known here: load the page again.`)
      return { deployment, publicClient: publicClient as PublicClient, wallet: wallet as Wallet }
    },
  }
}
