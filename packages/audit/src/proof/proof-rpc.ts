import { BaseError, createClient, http, RpcRequestError } from 'viem'
import { notProven } from './ledger-proof-error.ts'

/** Questions to an endpoint that is not believed. */
export interface ProofRpc {
  /**
   * One question; those asked at once travel together.
   *
   * @throws LedgerProofError if the endpoint refuses it; another error if the endpoint cannot be reached
   */
  ask(method: string, params: readonly unknown[]): Promise<unknown>
}

/** Questions in one request: below what common endpoints take. */
const BATCH = 100
const ANSWER_MS = 60_000

export function openProofRpc(url: string): ProofRpc {
  const transport = http(url, { batch: { batchSize: BATCH }, timeout: ANSWER_MS })
  const client = createClient({ transport })
  const request = client.request as (call: {
    method: string
    params: readonly unknown[]
  }) => Promise<unknown>
  return {
    ask: (method, params) =>
      request({ method, params }).catch((error: unknown) => {
        const refused =
          error instanceof BaseError && error.walk((cause) => cause instanceof RpcRequestError)
        if (!refused) throw error
        const reason = (refused as RpcRequestError).details
        throw notProven(
          `the RPC refuses ${method}: ${reason}${ADVICE[method] ?? ''}`,
          {},
          { cause: error },
        )
      }),
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  eth_getProof:
    '. Old states are dropped by most nodes: give the hash of a newer block, or the RPC of an archive',
}
