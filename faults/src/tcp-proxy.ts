import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** What turns a chunk on its way to the server into those that arrive instead; made anew for each connection. */
export type Mangler = () => (chunk: Buffer) => Buffer[]

/** A loopback port before another one, whose line can be cut, silenced or mangled. */
export interface TcpProxy {
  readonly port: number
  /** Where new connections go; undefined: nowhere, they are refused. */
  target: number | undefined
  /** Ends every connection. */
  cut(): void
  /** Nothing more comes through, and nobody is told, until it is given back. */
  silence(isSilent: boolean): void
  /** What new connections are mangled by. */
  mangler: Mangler | undefined
  close(): Promise<void>
}

interface Pair {
  near: Socket
  far: Socket
}

/** Opens a proxy on a free port. */
export async function startTcpProxy(target?: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let isSilent = false

  const server = createServer((near) => {
    near.on('error', () => undefined)
    if (proxy.target === undefined) return near.destroy()
    const far = connect(proxy.target, '127.0.0.1')
    const pair = { near, far }
    pairs.add(pair)
    const mangle = proxy.mangler?.()
    near.on('data', (chunk) => {
      for (const part of mangle ? mangle(chunk) : [chunk]) far.write(part)
    })
    far.on('data', (chunk) => near.write(chunk))
    const end = () => {
      near.destroy()
      far.destroy()
      pairs.delete(pair)
    }
    for (const socket of [near, far]) {
      socket.on('error', end)
      socket.on('close', end)
    }
    if (isSilent) pause(pair)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()

  const proxy: TcpProxy = {
    port: typeof address === 'object' && address ? address.port : 0,
    target,
    mangler: undefined,
    cut() {
      for (const { near, far } of pairs) {
        near.destroy()
        far.destroy()
      }
    },
    silence(silent) {
      isSilent = silent
      const change = silent ? pause : resume
      for (const pair of pairs) change(pair)
    },
    async close() {
      server.close()
      proxy.cut()
      await once(server, 'close')
    },
  }
  return proxy
}

function pause({ near, far }: Pair): void {
  near.pause()
  far.pause()
}

function resume({ near, far }: Pair): void {
  near.resume()
  far.resume()
}
