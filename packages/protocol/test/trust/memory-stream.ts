import {
  type EnvelopeInput,
  encodeEnvelope,
  type Hex,
  keyId,
  type StreamStretch,
  ZERO_DIGEST,
} from '../../src/index.ts'
import { ISSUER, KEYS, START_MS, START_SECONDS } from './craft.ts'
import { type Entry, IDENTITY } from './memory-log.ts'

export const KEY = KEYS['P-256']
const KEY_ID = keyId(KEY.publicKey)

/** Signs envelopes of one stream, one behind the other; `skip` loses what comes next. */
export function memoryStream(stream = 'level') {
  let seq = 0n
  let logged = 0
  let prev: Hex = ZERO_DIGEST
  const sign = (
    content: EnvelopeInput['content'],
    departures: Partial<EnvelopeInput> = {},
    code = 'OK',
  ): Entry & { seq: bigint } => {
    const at = seq + 1n
    const input = { signer: KEY, iss: ISSUER, machineId: 7n, stream, iat: START_SECONDS }
    const sealed = encodeEnvelope({ ...input, seq: at, prev, content, ...departures })
    if (code !== 'EQUIVOCATION') {
      seq = departures.seq ?? at
      prev = sealed.digest
    }
    logged += 1
    return { ...sealed, seq: departures.seq ?? at, loggedAt: START_MS + logged, code }
  }
  return {
    read: (value: bigint, departures?: Partial<EnvelopeInput>, code?: string) =>
      sign(
        { kind: 'readings', readings: [{ unit: 'g', timeMs: START_MS, value }] },
        departures,
        code,
      ),
    gap: (missing: [bigint, bigint], reason: string) =>
      sign({
        kind: 'declaration',
        declaration: { kind: 'gap', fromMs: START_MS, toMs: START_MS, reason, missing },
      }),
    head: () => ({ seq, digest: prev }),
  }
}

/** The whole of a stream of `memoryStream`, up to a head. */
export function stretchTo(to: StreamStretch['to'], stream = 'level'): StreamStretch {
  return {
    log: IDENTITY,
    registry: ISSUER.registry,
    machineId: 7n,
    stream,
    from: { seq: 0n },
    to,
    keyOf: (_, kid) => (kid === KEY_ID ? KEY.publicKey : undefined),
  }
}
