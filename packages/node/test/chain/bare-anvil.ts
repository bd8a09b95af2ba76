import { mkdir, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import { type Anvil, startAnvil } from '../../src/chain/anvil.ts'
import type { Keys } from '../../src/chain/keys.ts'
import { atEnd } from './support.ts'

export const BARE_CHAIN_ID = 424_242

/** An anvil without journal, as an outside chain: the test mines its blocks and takes them back. */
export async function startBareAnvil(dataDir: string, keys: Keys): Promise<Anvil> {
  const folder = join(dataDir, 'bare')
  await mkdir(folder, { recursive: true })
  const accounts = [keys.operator, keys.deployer, ...keys.people.map(({ account }) => account)]
  const alloc = Object.fromEntries(
    accounts.map(({ address }) => [address, { balance: '0xd3c21bcecceda1000000' }]),
  )
  const genesis = {
    config: { chainId: BARE_CHAIN_ID },
    timestamp: '0x5744e000',
    gasLimit: '0x3938700',
    difficulty: '0x0',
    alloc,
  }
  await writeFile(join(folder, 'genesis.json'), JSON.stringify(genesis))
  const anvil = await startAnvil({
    folder,
    chainId: BARE_CHAIN_ID,
    genesisTimestamp: Math.floor(Date.now() / 1000) - 86_400,
    onOrphan: () => {},
  })
  atEnd(() => anvil.stop())
  await anvil.rpc.call('evm_setAutomine', [true])
  return anvil
}

/**
 * What a broken network does to a request, or a poor endpoint: `empty` leaves everything out of a list, `repeated` gives each of its items twice,
 * `forgetful` knows the newest block only.
 */
export type Fault =
  | 'none'
  | 'drop-before'
  | 'drop-after'
  | 'twice'
  | 'empty'
  | 'repeated'
  | 'forgetful'

function withItems(answer: string, fault: 'empty' | 'repeated'): string {
  const { result, ...rest } = JSON.parse(answer) as { result: unknown[] }
  return JSON.stringify({ ...rest, result: fault === 'empty' ? [] : [...result, ...result] })
}

/** An RPC endpoint before another one, which mistreats chosen methods. */
export async function startFaultyProxy(target: string, faultOf: (method: string) => Fault) {
  const sent: string[] = []
  const answerTo = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const { id, method, params } = JSON.parse(body) as {
      id: number
      method: string
      params: string[]
    }
    const fault = faultOf(method)
    if (method === 'eth_sendRawTransaction') sent.push(params[0] ?? '')
    if (fault === 'drop-before') return response.destroy()
    if (fault === 'forgetful' && params.slice(1).some((at) => at.startsWith('0x'))) {
      const error = { code: -32_000, message: 'missing trie node' }
      return void response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
    }
    const ask = async () => {
      const options = { method: 'POST', body, headers: { 'content-type': 'application/json' } }
      return (await fetch(target, options)).text()
    }
    const answer = await ask()
    if (fault === 'twice') await ask()
    if (fault === 'drop-after') return response.destroy()
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(fault === 'empty' || fault === 'repeated' ? withItems(answer, fault) : answer)
  }
  const server = http.createServer((request, response) => {
    answerTo(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(
    () =>
      new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  )
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, sent }
}
