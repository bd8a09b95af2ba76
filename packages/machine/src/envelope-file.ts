import { writeFileSync } from 'node:fs'
import {
  type DecimalFraction,
  encodeEnvelope,
  type Hex,
  type SigningKey,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { Identity } from './identity.ts'

/**
 * Signs one envelope and writes its bytes to a file, for tools of others:
 * `mosquitto_pub -t liquefy/v1/<id>/envelope -q 1 -i <id> -u <id> -P <token> -f <file>`.
 * It is not spooled: who calls this keeps count of `seq` and `prev`.
 *
 * @returns its digest, the `prev` of the next.
 */
export function writeEnvelopeFile(
  path: string,
  input: {
    key: SigningKey
    identity: Identity
    stream: string
    seq: bigint
    /** Digest of the stream's envelope before; zeros at `seq` 1. */
    prev?: Hex
    readings: readonly { unit: string; value: bigint | DecimalFraction | number; timeMs: number }[]
    nowMs?: number
  },
): Hex {
  const { key, identity, stream, seq, prev = ZERO_DIGEST, readings, nowMs = Date.now() } = input
  const { machineId, chainId, registry } = identity
  const { bytes, digest } = encodeEnvelope({
    signer: key,
    iss: { chainId, registry, machineId },
    machineId,
    stream,
    iat: Math.floor(nowMs / 1000),
    seq,
    prev,
    content: { kind: 'readings', readings },
  })
  writeFileSync(path, bytes)
  return digest
}
