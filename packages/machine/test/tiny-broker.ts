import { createServer, type Server } from 'node:net'
import { type PublicKey, registryAudience, verifyToken } from '@liquefy/protocol'
import { Aedes, type Client } from 'aedes'
import { ledger, type Message, type TinyNode } from './tiny-node.ts'

/** A real broker on loopback that logs machines in by their tokens and hands what they publish to a tiny node. */
export async function tinyBroker(options: { node: TinyNode; key: PublicKey; port?: number }) {
  const aedes = await Aedes.createBroker()
  const tokens: string[] = []
  const clients = new Set<Client>()
  const audience = registryAudience(ledger.chainId, ledger.registry)
  aedes.authenticate = (client, username, password, done) => {
    const token = password?.toString() ?? ''
    const now = Math.floor(Date.now() / 1000)
    const verified = verifyToken(token, options.key, { machineId: 7n, audience, now })
    tokens.push(token)
    clients.add(client)
    done(null, verified.ok && client.id === username)
  }
  aedes.authorizePublish = (client, packet, done) => {
    if (client === null) return done(new Error('no client'))
    const answers = options.node.accept(packet.topic, Buffer.from(packet.payload))
    done(null)
    for (const answer of answers) publish(answer)
  }

  function publish({ topic, json }: Message): void {
    const payload = JSON.stringify(json)
    aedes.publish(
      { cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false },
      () => undefined,
    )
  }

  const server: Server = createServer((socket) => {
    aedes.handle(socket)
  })
  await new Promise<void>((done) => server.listen(options.port ?? 0, '127.0.0.1', done))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    tokens,
    publish,
    /** Cuts all connections, as a lost line does. */
    cut() {
      for (const client of clients) client.conn.destroy()
      clients.clear()
    },
    async close() {
      if (!server.listening) return
      await new Promise<void>((done) => aedes.close(() => done()))
      await new Promise<void>((done) => server.close(() => done()))
    },
  }
}
