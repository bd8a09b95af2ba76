import type { Hex } from '@liquefy/protocol'
import { createPublicClient, http, isHash } from 'viem'
import { CliError } from './failure.ts'

/** The hash of a block that was typed in. @throws CliError `BLOCK_HASH_INVALID`. */
export function blockHashOf(text: string): Hex {
  if (isHash(text)) return text.toLowerCase() as Hex
  throw new CliError(
    'BLOCK_HASH_INVALID',
    `--block-hash takes the hash of a block (0x and 64 hex digits), not ${text}.`,
  )
}

/** Hash of the newest block by the word of an endpoint: proofs against it show that all answers fit together, and whoever reads them compares it. */
export async function newestBlockHash(rpcUrl: string): Promise<Hex> {
  const { hash } = await createPublicClient({ transport: http(rpcUrl) }).getBlock()
  return hash
}
