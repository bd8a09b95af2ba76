import { type Hex, numberToHex } from 'viem'
import { type BlockHeader, readHeader } from './block-header.ts'
import { LedgerProofError, notProven } from './ledger-proof-error.ts'
import type { ProofRpc } from './proof-rpc.ts'

/** Headers that lead, parent by parent, from a trusted block down. */
export interface HeaderChain {
  readonly trusted: BlockHeader
  /**
   * All headers from block `from` up to the trusted one, in this order.
   *
   * @throws LedgerProofError if the endpoint cannot show them
   */
  since(from: bigint): Promise<readonly BlockHeader[]>
  /** The header of one block. @throws LedgerProofError if the endpoint cannot show the way to it */
  at(number: bigint): Promise<BlockHeader>
  /** How many headers were read so far. */
  count(): number
}

/** Headers asked for at once. */
const WINDOW = 400

/**
 * Opens the chain at the block whose hash is trusted.
 *
 * @throws LedgerProofError `BLOCK_HASH_DIFFERS` if the endpoint has no block of that hash
 */
export async function openHeaderChain(
  rpc: ProofRpc,
  trustedHash: Hex,
  onProgress: (done: number, of: number) => void,
): Promise<HeaderChain> {
  const trusted = await readTrusted(rpc, trustedHash)
  /** From the trusted block down. */
  const headers = [trusted]
  let reading = Promise.resolve()

  const windowFrom = (from: bigint, below: bigint) => {
    const first = below - BigInt(WINDOW) > from ? below - BigInt(WINDOW) : from
    const numbers: bigint[] = []
    for (let number = below - 1n; number >= first; number -= 1n) numbers.push(number)
    return Promise.all(
      numbers.map((number) => rpc.ask('eth_getBlockByNumber', [numberToHex(number), false])),
    )
  }

  async function extend(from: bigint): Promise<void> {
    const of = Number(trusted.number - from) + 1
    let lowest = headers.at(-1) ?? trusted
    while (lowest.number > from) {
      for (const answer of await windowFrom(from, lowest.number)) {
        lowest = linked(answer, lowest)
        headers.push(lowest)
      }
      onProgress(headers.length, of)
    }
  }

  /** One after another: who comes later finds the headers that are there already. */
  function reach(from: bigint): Promise<void> {
    reading = reading.catch(() => {}).then(() => extend(from))
    return reading
  }

  return {
    trusted,
    async since(from) {
      await reach(from)
      return headers.slice(0, Number(trusted.number - from) + 1).reverse()
    },
    async at(number) {
      await reach(number)
      const header = headers[Number(trusted.number - number)]
      if (!header)
        throw notProven('the block is newer than the trusted one', { block: String(number) })
      return header
    },
    count: () => headers.length,
  }
}

/** The header whose hash the one above it names. */
function linked(answer: unknown, above: BlockHeader): BlockHeader {
  const header = readHeader(answer)
  const number = above.number - 1n
  if (header?.hash !== above.parentHash || header.number !== number) {
    throw notProven('the header is not the one that the block above it names', {
      block: String(number),
      expected: above.parentHash,
      found: header?.hash ?? 'no header',
    })
  }
  return header
}

async function readTrusted(rpc: ProofRpc, trustedHash: Hex): Promise<BlockHeader> {
  const header = readHeader(await rpc.ask('eth_getBlockByHash', [trustedHash, false]))
  if (header?.hash === trustedHash.toLowerCase()) return header
  throw new LedgerProofError({
    code: 'BLOCK_HASH_DIFFERS',
    message: header
      ? 'the header that the RPC gives for the trusted block has another hash'
      : 'the RPC has no block of the trusted hash: it serves another ledger, or is behind',
    expected: trustedHash.toLowerCase(),
    found: header?.hash ?? 'none',
  })
}
