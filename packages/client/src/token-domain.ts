import { testEuroAbi } from '@liquefy/abi'
import { LiquefyError } from '@liquefy/protocol'
import { domainSeparator, type PublicClient, parseAbi } from 'viem'
import type { Hex } from './types.ts'

/** `version()` stands in tokens that came before EIP-5267. */
const versionAbi = parseAbi(['function version() view returns (string)'])
const UNSTATED_VERSION = '1'

/**
 * The EIP-712 domain under which a token takes signatures (EIP-2612, ERC-3009): its own answer (EIP-5267), else name and version,
 * accepted only if they give the token's `DOMAIN_SEPARATOR`.
 *
 * @throws LiquefyError `TOKEN_SIGNS_NOTHING` if that cannot be found out: let the payer approve and fund instead.
 */
export async function tokenDomain(publicClient: PublicClient, token: Hex) {
  const read = { address: token, abi: testEuroAbi } as const
  try {
    const separator = await publicClient.readContract({ ...read, functionName: 'DOMAIN_SEPARATOR' })
    const [chainId, named] = await Promise.all([
      publicClient.getChainId(),
      statedDomain(publicClient, token),
    ])
    const domain = { ...named, chainId, verifyingContract: token }
    if (domainSeparator({ domain }) === separator) return domain
  } catch (cause) {
    throw signsNothing(token, cause)
  }
  throw signsNothing(token)
}

async function statedDomain(
  publicClient: PublicClient,
  token: Hex,
): Promise<{ name: string; version: string }> {
  const read = { address: token, abi: testEuroAbi } as const
  try {
    const [, name, version] = await publicClient.readContract({
      ...read,
      functionName: 'eip712Domain',
    })
    return { name, version }
  } catch {
    const name = await publicClient.readContract({ ...read, functionName: 'name' })
    const version = await publicClient
      .readContract({ address: token, abi: versionAbi, functionName: 'version' })
      .catch(() => UNSTATED_VERSION)
    return { name, version }
  }
}

function signsNothing(token: Hex, cause?: unknown): LiquefyError {
  return new LiquefyError(
    'TOKEN_SIGNS_NOTHING',
    `The token ${token} takes no signed permits or transfers that we know of: approve the amount and fund instead.`,
    { cause },
  )
}
