import {
  decodeEnvelope,
  type Envelope,
  keyId,
  latestReadingMs,
  type PublicKey,
  type RefusalCode,
  type SensorDeclaration,
  verifyEnvelope,
} from '@liquefy/protocol'
import { TupleWriter } from '../store/copy.ts'
import { writeEnvelopeFields } from '../store/envelopes.ts'
import { type MinuteRollup, rollUp } from '../store/rollups.ts'

/** An envelope without its content: what identity, admission, log and receipts need of it. */
export interface EnvelopeHead
  extends Pick<
    Envelope,
    'alg' | 'kid' | 'iss' | 'machineId' | 'stream' | 'iat' | 'seq' | 'prev' | 'digest'
  > {
  /** As `latestReadingMs` gives it. */
  latestMs: number | undefined
  /** What it says of its stream's sensor, if anything. */
  sensor: SensorDeclaration | undefined
}

/** What a frame is by itself. Whether its signer may sign this is for identity to say. */
export type Examined =
  | {
      ok: true
      head: EnvelopeHead
      /** Its signature verifies under the key that it names; undefined if that key was not at hand. */
      authentic: boolean | undefined
      /** Where its encoded columns stand in the bytes of the examination. */
      span: { start: number; end: number }
      rollups: MinuteRollup[]
    }
  | { ok: false; code: RefusalCode; message: string }

/** Frames examined, in their order, and the columns of their rows, encoded for COPY. */
export interface Examination {
  examined: Examined[]
  bytes: Uint8Array
}

const MAX_SEQ = 2n ** 63n - 1n
/** More than the columns of most envelopes need beside their own bytes. */
const COLUMN_BYTES = 384

/**
 * Decodes frames and verifies their signatures under whichever of `keys` each names: all the work that depends on nothing but the frame, so
 * that any thread can do it. Never throws.
 */
export function examineFrames(
  frames: readonly Uint8Array[],
  keys: readonly PublicKey[],
): Examination {
  const byId = new Map<string, PublicKey>(keys.map((key) => [keyId(key), key]))
  const size = frames.reduce((sum, frame) => sum + frame.length + COLUMN_BYTES, 0)
  const writer = new TupleWriter(size)
  const examined = frames.map((frame) => examine(frame, byId, writer))
  return { examined, bytes: writer.written() }
}

function examine(
  frame: Uint8Array,
  keys: ReadonlyMap<string, PublicKey>,
  writer: TupleWriter,
): Examined {
  const decoded = decodeEnvelope(frame)
  if (!decoded.ok) return { ok: false, code: decoded.code, message: decoded.message }
  const { envelope } = decoded
  if (envelope.seq > MAX_SEQ) {
    return { ok: false, code: 'ENVELOPE_MALFORMED', message: 'seq is beyond 2^63 - 1' }
  }
  const key = keys.get(envelope.kid)
  const start = writer.length
  writeEnvelopeFields(writer, envelope, frame)
  const { alg, kid, iss, machineId, stream, iat, seq, prev, digest, content } = envelope
  const latestMs = latestReadingMs(content)
  return {
    ok: true,
    head: {
      alg,
      kid,
      iss,
      machineId,
      stream,
      iat,
      seq,
      prev,
      digest,
      latestMs,
      sensor: sensorIn(content),
    },
    authentic: key === undefined ? undefined : verifyEnvelope(envelope, key),
    span: { start, end: writer.length },
    rollups: content.kind === 'readings' ? rollUp(content.readings) : [],
  }
}

function sensorIn(content: Envelope['content']): SensorDeclaration | undefined {
  if (content.kind !== 'declaration') return undefined
  const { declaration } = content
  return declaration.kind === 'calibration' || declaration.kind === 'replacement'
    ? declaration
    : undefined
}

/** True if the frame is an envelope whose signature verifies under `key`. Never throws. */
export function isAuthentic(frame: Uint8Array, key: PublicKey): boolean {
  const decoded = decodeEnvelope(frame)
  return decoded.ok && verifyEnvelope(decoded.envelope, key)
}
