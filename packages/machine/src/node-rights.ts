import { LiquefyError } from '@liquefy/protocol'
import { requireEncrypted } from './encrypted.ts'

const TIMEOUT_MS = 30_000
const MAX_BYTES = 8 * 1_024 * 1_024

/**
 * Asks a node for a machine's rights. The node is believed, as a wall clock is: one that lies has the machine run without a right, which the signed log shows.
 *
 * @param options.url origin of the node's API.
 * @throws LiquefyError `TRANSPORT_PLAIN` for an unencrypted node beyond loopback.
 */
export function nodeRights(options: { url: string; machineId: bigint }): () => Promise<unknown> {
  requireEncrypted(options.url, 'https:// for a node on another computer')
  const target = new URL(`/v1/machines/${options.machineId}/rights`, options.url)
  return async () => {
    const answer = await fetch(target, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (!answer.ok || !answer.body) {
      await answer.body?.cancel()
      throw new LiquefyError('RIGHTS_UNHEARD', `The node answers ${answer.status} to ${target}.`)
    }
    const parts: Uint8Array[] = []
    let bytes = 0
    for await (const part of answer.body) {
      bytes += part.length
      if (bytes > MAX_BYTES) {
        throw new LiquefyError('RIGHTS_UNHEARD', `The node answers too much to ${target}.`)
      }
      parts.push(part)
    }
    return JSON.parse(Buffer.concat(parts).toString('utf8'))
  }
}
