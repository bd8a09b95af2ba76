import { parentPort, workerData } from 'node:worker_threads'
import { encodeEnvelope, privateKeyFromBytes, ZERO_DIGEST } from '@liquefy/protocol'
import type { SignedEnvelopes, SigningOrder } from './signed-load.ts'

const { chainId, registry, machines, envelopes, readings, stream, fromMs } =
  workerData as SigningOrder

const signed = machines.map(({ index, machineId, scalarHex }): SignedEnvelopes => {
  const signer = privateKeyFromBytes('P-256', Buffer.from(scalarHex, 'hex'))
  const id = BigInt(machineId)
  let prev = ZERO_DIGEST
  let counter = 0
  return {
    index,
    envelopes: Array.from({ length: envelopes }, (_, at) => {
      const startMs = fromMs + at * readings * 1_000
      const { bytes, digest } = encodeEnvelope({
        signer,
        iss: { chainId, registry, machineId: id },
        machineId: id,
        stream,
        iat: Math.floor(startMs / 1_000) + readings,
        seq: BigInt(at + 1),
        prev,
        content: {
          kind: 'readings',
          readings: Array.from({ length: readings }, (_, second) => {
            counter += (at * 31 + second * 7 + index) % 50
            return { timeMs: startMs + second * 1_000, unit: 'Wh', value: BigInt(counter) }
          }),
        },
      })
      prev = digest
      return bytes
    }),
  }
})
parentPort?.postMessage(signed)
