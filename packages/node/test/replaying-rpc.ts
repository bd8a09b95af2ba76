import http from 'node:http'

interface Call {
  id: number
  method: string
  params: unknown[]
}

/** What was asked, and the answer's `result`, as JSON. */
export interface Recorded {
  call: Omit<Call, 'id'>
  result: string
}

/** Asked of nothing but memory: answers what another endpoint once answered, but for one answer that is changed. */
export interface ReplayingRpc {
  url: string
  /** Each question once, in the order first asked. */
  recorded: Recorded[]
  /** Which answer is changed, and to what JSON; undefined: none. */
  lie: { index: number; result: string } | undefined
  close(): Promise<void>
}

const keyOf = ({ method, params }: Omit<Call, 'id'>) => JSON.stringify([method, params])

/** Before an endpoint: what was asked once is answered from memory ever after. */
export async function startReplayingRpc(target: string): Promise<ReplayingRpc> {
  const places = new Map<string, number>()
  const recorded: Recorded[] = []

  async function resultOf(call: Call): Promise<string> {
    const known = places.get(keyOf(call))
    if (known !== undefined) {
      if (rpc.lie?.index === known) return rpc.lie.result
      return recorded[known]?.result ?? 'null'
    }
    const response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', ...call }),
    })
    const answer = (await response.json()) as { result?: unknown }
    // A refusal is not remembered: only questions that an honest endpoint answers are replayed.
    if (answer.result === undefined) throw new Error(JSON.stringify(answer))
    places.set(keyOf(call), recorded.length)
    const result = JSON.stringify(answer.result)
    recorded.push({ call: { method: call.method, params: call.params }, result })
    return result
  }

  const answerOne = async (call: Call) =>
    resultOf(call).then(
      (result) => `{"jsonrpc":"2.0","id":${call.id},"result":${result}}`,
      (error: Error) =>
        JSON.stringify({
          jsonrpc: '2.0',
          id: call.id,
          error: { code: -32000, message: error.message },
        }),
    )

  const server = http.createServer((request, response) => {
    const answer = async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      const calls = JSON.parse(Buffer.concat(chunks).toString()) as Call | Call[]
      const text = Array.isArray(calls)
        ? `[${(await Promise.all(calls.map(answerOne))).join(',')}]`
        : await answerOne(calls)
      response.writeHead(200, { 'content-type': 'application/json' }).end(text)
    }
    answer().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const rpc: ReplayingRpc = { url: `http://127.0.0.1:${port}`, recorded, lie: undefined, close }
  return rpc
}
