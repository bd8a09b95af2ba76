import http from 'node:http'
import { LiquefyError } from '@liquefy/protocol'

/** An error as JSON-RPC 2.0 and EIP-1474 word it; `rpcCode` is the number on the wire. */
export class RpcError extends LiquefyError {
  readonly rpcCode: number
  readonly data: unknown

  constructor(rpcCode: number, message: string, data?: unknown) {
    super('RPC_ERROR', message)
    this.name = 'RpcError'
    this.rpcCode = rpcCode
    this.data = data
  }
}

/** The endpoint could not be reached, or broke off: whether the request took effect is unknown. */
export class RpcUnreachable extends LiquefyError {
  constructor(message: string, options?: ErrorOptions) {
    super('RPC_UNREACHABLE', message, options)
    this.name = 'RpcUnreachable'
  }
}

export interface JsonRpcClient {
  /** One call. Throws {@link RpcError} for the answer's error and {@link RpcUnreachable} without an answer. */
  call<T = unknown>(method: string, params?: unknown[]): Promise<T>
  /** Passes a request body through as it is; the answer's body as it is. */
  forward(body: string): Promise<string>
  close(): void
}

interface Answer {
  result?: unknown
  error?: { code: number; message: string; data?: unknown }
}

/** JSON-RPC over keep-alive HTTP on loopback; calls time out after `timeoutMs`. */
export function createJsonRpcClient(port: number, timeoutMs: number): JsonRpcClient {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  let nextId = 1

  const forward = (body: string) =>
    new Promise<string>((resolve, reject) => {
      const fail = (cause: Error) =>
        reject(new RpcUnreachable(`The chain on port ${port} did not answer.`, { cause }))
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }
      const options = { host: '127.0.0.1', port, method: 'POST', agent, headers }
      const request = http.request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
        response.on('error', fail)
      })
      request.setTimeout(timeoutMs, () =>
        request.destroy(new Error(`No answer in ${timeoutMs} ms`)),
      )
      request.on('error', fail)
      request.end(body)
    })

  return {
    async call<T>(method: string, params: unknown[] = []) {
      const text = await forward(JSON.stringify({ jsonrpc: '2.0', id: nextId++, method, params }))
      const answer = JSON.parse(text) as Answer
      if (answer.error) {
        throw new RpcError(answer.error.code, answer.error.message, answer.error.data)
      }
      return answer.result as T
    },
    forward,
    close: () => agent.destroy(),
  }
}
