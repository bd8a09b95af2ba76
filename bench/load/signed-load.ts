import { closeSync, openSync, writeSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Hex } from '@liquefy/protocol'
import type { LoadMachine } from './node-host.ts'

/** One machine's part of the work of `signing-worker.ts`. */
export interface SigningOrder {
  chainId: number
  registry: Hex
  machines: { index: number; machineId: string; scalarHex: string }[]
  envelopes: number
  readings: number
  stream: string
  /** Time of the first reading, ms since 1970. */
  fromMs: number
}

/** Envelopes of one machine in their order. */
export interface SignedEnvelopes {
  index: number
  envelopes: Uint8Array[]
}

/**
 * Signs chains of envelopes beforehand, on all cores: `envelopes` of each machine with `readings` readings each, one a second, P-256.
 * Writes them to `path` for `loader.ts`, the machines by turns: machine's index and length (32 bits each, little-endian), then the bytes.
 */
export async function writeSignedLoad(
  path: string,
  { chainId, registry }: { chainId: number; registry: Hex },
  machines: readonly LoadMachine[],
  load: { envelopes: number; readings: number; stream: string; fromMs: number },
): Promise<Uint8Array[][]> {
  const cores = availableParallelism()
  const parts = Array.from({ length: cores }, (_, part) => {
    const mine = machines.flatMap(({ machineId, key }, index) =>
      index % cores === part
        ? [{ index, machineId: String(machineId), scalarHex: Buffer.from(key.d).toString('hex') }]
        : [],
    )
    return signIn({ chainId, registry, ...load, machines: mine })
  })
  const byMachine: Uint8Array[][] = []
  for (const { index, envelopes } of (await Promise.all(parts)).flat()) byMachine[index] = envelopes
  const file = openSync(path, 'w')
  for (let at = 0; at < load.envelopes; at += 1) {
    const row = byMachine.flatMap((envelopes, index) => {
      const bytes = envelopes[at] ?? new Uint8Array()
      const head = Buffer.alloc(8)
      head.writeUInt32LE(index, 0)
      head.writeUInt32LE(bytes.length, 4)
      return [head, bytes]
    })
    writeSync(file, Buffer.concat(row))
  }
  closeSync(file)
  return byMachine
}

function signIn(order: SigningOrder): Promise<SignedEnvelopes[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(import.meta.dirname, 'signing-worker.ts'), { workerData: order })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}
