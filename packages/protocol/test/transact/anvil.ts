import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'

/** A chain for one test file, on a free loopback port. */
export type Anvil = { url: string; stop(): Promise<void> }

/** Starts the native anvil that npm brought. Its own process is started, not npm's wrapper, so that `stop` really ends it. */
export async function startAnvil(): Promise<Anvil> {
  const port = await freePort()
  const child = spawn(anvilBinary(), ['--port', String(port), '--silent'], {
    stdio: 'ignore',
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = `http://127.0.0.1:${port}`
  await untilAnswering(url, child)
  return {
    url,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function anvilBinary(): string {
  const require = createRequire(import.meta.url)
  const beside = createRequire(require.resolve('@foundry-rs/anvil/package.json'))
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const platform =
    process.platform === 'linux' ? `linux-${arch()}` : `${process.platform}-${arch()}`
  return beside.resolve(`@foundry-rs/anvil-${platform}/bin/anvil${suffix}`)
}

function arch(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address
          ? resolve(address.port)
          : reject(new Error('No free port on the loopback interface.')),
      )
    })
  })
}

async function untilAnswering(url: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`anvil ended with code ${child.exitCode}.`)
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}',
    }).catch(() => undefined)
    if (answer?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('anvil did not answer within 10 s.')
}
