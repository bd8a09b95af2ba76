import http from 'node:http'
import { LiquefyError } from '@liquefy/protocol'
import { namesLoopback } from '../loopback.ts'
import { RpcError } from './json-rpc.ts'
import type { LedgerEngine } from './ledger-engine.ts'

const MAX_BODY_BYTES = 8 * 1024 * 1024
const MAX_BATCH = 1_000

/** Reads, and what unmodified wallets ask before they sign. */
const READS = /^(?:eth|net|web3|debug_trace|trace)_?/
/** Would change the chain behind the journal's back, or sign with keys that the chain does not hold. */
const NOT_READS =
  /^eth_(?:send(?!RawTransaction$)|sign|fillTransaction|submit|getWork|mining|coinbase)|^eth_(?:un)?subscribe/
/** Answered as of the block that would be made now. */
const PENDING = /^eth_(?:estimateGas|createAccessList)$/

class RpcPortError extends LiquefyError {
  constructor(port: number, cause: unknown) {
    super(
      'PORT_IN_USE',
      `The ledger's RPC port ${port} is taken. Stop what listens there, or choose another one with --rpc-port or LIQUEFY_RPC_PORT (0: any free one).`,
      { cause },
    )
    this.name = 'RpcPortError'
  }
}

interface Call {
  id: unknown
  method: string
  params: unknown[]
}

function refuse(id: unknown, code: number, message: string, data?: unknown): string {
  const error = data === undefined ? { code, message } : { code, message, data }
  return JSON.stringify({ jsonrpc: '2.0', id: id ?? null, error })
}

function readCall(json: unknown): Call | undefined {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  const { id, method, params } = json as Record<string, unknown>
  if (typeof method !== 'string') return undefined
  return { id: id ?? null, method, params: Array.isArray(params) ? params : [] }
}

function wantsPending({ method, params }: Call): boolean {
  return PENDING.test(method) || (method === 'eth_call' && params[1] === 'pending')
}

async function answerCall(engine: LedgerEngine, json: unknown): Promise<string> {
  const call = readCall(json)
  if (!call) return refuse(null, -32600, 'Not a JSON-RPC 2.0 request.')
  const { id, method, params } = call
  try {
    if (method === 'eth_sendRawTransaction') {
      const result = await engine.submit(params[0])
      return JSON.stringify({ jsonrpc: '2.0', id, result })
    }
    if (!READS.test(method) || NOT_READS.test(method)) {
      return refuse(
        id,
        -32601,
        `${method} is refused: the embedded chain changes by signed transactions only (eth_sendRawTransaction).`,
      )
    }
    const body = JSON.stringify({ jsonrpc: '2.0', id, method, params })
    return await (wantsPending(call) ? engine.forwardPending(body) : engine.forward(body))
  } catch (error) {
    if (error instanceof RpcError) return refuse(id, error.rpcCode, error.message, error.data)
    return refuse(id, -32603, error instanceof Error ? error.message : 'Internal error')
  }
}

async function answerBody(engine: LedgerEngine, text: string): Promise<string> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return refuse(null, -32700, 'The body is no JSON.')
  }
  if (!Array.isArray(json)) return answerCall(engine, json)
  if (json.length === 0 || json.length > MAX_BATCH) {
    return refuse(null, -32600, `A batch has 1 to ${MAX_BATCH} requests.`)
  }
  const answers = await Promise.all(json.map((call) => answerCall(engine, call)))
  return `[${answers.join(',')}]`
}

/** Pages of this machine may read; a stranger's page, or a stranger's name for this machine, may not. */
function isAllowed({ headers }: http.IncomingMessage): boolean {
  if (!namesLoopback(headers.host)) return false
  if (!headers.origin) return true
  return URL.canParse(headers.origin) && namesLoopback(new URL(headers.origin).host)
}

async function readBody(request: http.IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function respond(
  engine: LedgerEngine,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  if (!isAllowed(request)) {
    response.writeHead(403).end()
    return
  }
  if (request.headers.origin) {
    response.setHeader('access-control-allow-origin', request.headers.origin)
    response.setHeader('access-control-allow-headers', 'content-type')
    response.setHeader('vary', 'origin')
  }
  if (request.method !== 'POST') {
    response.writeHead(request.method === 'OPTIONS' ? 204 : 405, { allow: 'POST, OPTIONS' }).end()
    return
  }
  const text = await readBody(request)
  if (text === undefined) {
    response.writeHead(413, { connection: 'close' }).end()
    return
  }
  const body = await answerBody(engine, text)
  response.writeHead(200, { 'content-type': 'application/json' }).end(body)
}

export interface RpcEndpoint {
  url: string
  close(): Promise<void>
}

/**
 * The JSON-RPC endpoint of the embedded chain, on loopback. Port 0 takes a free one.
 * Throws {@link RpcPortError} if the port is taken.
 */
export async function startRpcEndpoint(engine: LedgerEngine, port: number): Promise<RpcEndpoint> {
  const server = http.createServer((request, response) => {
    respond(engine, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new RpcPortError(port, error)))
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  return {
    url: `http://127.0.0.1:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
