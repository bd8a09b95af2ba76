import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Random } from './random.ts'

/**
 * What an endpoint does to requests. `down`: ends the connection. `silent-after-broadcast`: passes transactions on and never answers.
 * `lagging`: half of the answers come from a replica that is some blocks behind, and knows nothing of newer ones. `logs-twice`: each log comes
 * twice. `logs-dropped`: half of the questions for logs are answered with none.
 */
export type RpcFault =
  | 'none'
  | 'down'
  | 'silent-after-broadcast'
  | 'lagging'
  | 'logs-twice'
  | 'logs-dropped'

/** A JSON-RPC endpoint before another one. */
export interface RpcProxy {
  readonly url: string
  fault: RpcFault
  /** Transactions that were passed on without an answer. */
  readonly unanswered: number
  close(): Promise<void>
}

interface Call {
  jsonrpc: string
  id: number
  method: string
  params?: unknown[]
}
interface Answer {
  jsonrpc: string
  id: number
  result?: unknown
  error?: { code: number; message: string }
}
interface Block {
  number: string
}

const MOST_BEHIND = 4
const TAGS = ['latest', 'pending', 'safe']
/** Where a method names the block that it asks about. */
const BLOCK_AT: Record<string, number> = {
  eth_call: 1,
  eth_estimateGas: 1,
  eth_getBalance: 1,
  eth_getCode: 1,
  eth_getTransactionCount: 1,
  eth_getBlockByNumber: 0,
}

/** Opens an endpoint on a free port before `target`. */
export async function startRpcProxy(target: string, random: Random): Promise<RpcProxy> {
  let unanswered = 0

  async function ask(method: string, params: unknown[] = [], id = 1): Promise<Answer> {
    const response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
    })
    return (await response.json()) as Answer
  }

  /** As a replica would answer that is behind. */
  async function askReplica({ method, params = [], id }: Call): Promise<Answer> {
    const say = (result: unknown): Answer => ({ jsonrpc: '2.0', id, result })
    const refuse = (message: string): Answer => ({
      jsonrpc: '2.0',
      id,
      error: { code: -32_000, message },
    })
    const newest = Number((await ask('eth_blockNumber')).result) - random.between(1, MOST_BEHIND)
    const at = (number: number) => `0x${Math.max(0, number).toString(16)}`
    const isNewer = (block: unknown) =>
      block !== null && Number((block as Block | undefined)?.number ?? 0) > newest

    if (method === 'eth_blockNumber') return say(at(newest))
    const place = BLOCK_AT[method]
    if (place !== undefined) {
      const named = params[place] ?? 'latest'
      const asked = typeof named === 'string' ? named : at(newest)
      if (asked.startsWith('0x') && Number(asked) > newest) {
        return method === 'eth_getBlockByNumber' ? say(null) : refuse('header not found')
      }
      const older = [...params]
      if (TAGS.includes(asked)) older[place] = at(newest)
      return ask(method, older, id)
    }
    if (method === 'eth_getLogs') {
      const [filter = {}] = params as [Record<string, string>?]
      if (filter.blockHash) {
        const { result } = await ask('eth_getBlockByHash', [filter.blockHash, false])
        return isNewer(result) ? refuse('unknown block') : ask(method, params, id)
      }
      if (Number(filter.fromBlock) > newest) return say([])
      const toBlock = at(Math.min(Number(filter.toBlock ?? newest), newest))
      return ask(method, [{ ...filter, toBlock }], id)
    }
    const answer = await ask(method, params, id)
    const block = answer.result as { number?: string; blockNumber?: string } | null
    if (method === 'eth_getTransactionReceipt' && isNewer({ number: block?.blockNumber })) {
      return say(null)
    }
    return method === 'eth_getBlockByHash' && isNewer(block) ? say(null) : answer
  }

  async function answerOf(call: Call): Promise<Answer | undefined> {
    const { method, params, id } = call
    const { fault } = proxy
    if (fault === 'lagging' && random.percent(50) && method !== 'eth_sendRawTransaction') {
      return askReplica(call)
    }
    const answer = await ask(method, params, id)
    if (fault === 'silent-after-broadcast' && method === 'eth_sendRawTransaction') {
      unanswered += 1
      return undefined
    }
    if (method !== 'eth_getLogs' || !Array.isArray(answer.result)) return answer
    if (fault === 'logs-twice') answer.result = [...answer.result, ...answer.result]
    if (fault === 'logs-dropped' && random.percent(50)) answer.result = []
    return answer
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (proxy.fault === 'down') return void response.destroy()
    const answer = await answerOf(JSON.parse(Buffer.concat(chunks).toString()) as Call)
    // Unanswered: the connection stays open, as a lost packet leaves it.
    if (answer === undefined) return
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const proxy: RpcProxy = {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    fault: 'none',
    get unanswered() {
      return unanswered
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return proxy
}
