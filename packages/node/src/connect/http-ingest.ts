import { LiquefyError, splitSequence } from '@liquefy/protocol'
import { gateOf } from './gate.ts'
import type { Authenticator, FrameOutcome, Inbox } from './inbox.ts'

/** Most bytes and envelopes of one body (docs/protocol/transport.md). */
export const MAX_BODY_BYTES = 8 * 1_024 * 1_024
export const MAX_BODY_ENVELOPES = 1_000

/** A body that is not taken, wholly: none of it went to the inbox. `status` is HTTP's. */
export class NotTakenError extends LiquefyError {
  readonly status: 400 | 401 | 413 | 503

  constructor(status: NotTakenError['status'], code: string, message: string) {
    super(code, message)
    this.name = 'NotTakenError'
    this.status = status
  }
}

/** What a request's header says, before its body is read. */
interface Announced {
  /** Of the path. */
  machineId: bigint
  /** The header `Authorization`. */
  authorization: string | undefined
  /** The header `Content-Length`; undefined if the size is not told. */
  bytes: number | undefined
}

/** The way in by HTTP: what MQTT's log-in and sockets do for frames, done for bodies of many. */
export interface HttpIngest {
  /**
   * Lets a body in, before it is read, and keeps its place; the answer gives it back.
   *
   * @throws NotTakenError `OVERLOADED` (503), `TOKEN_INVALID` and `DEVICE_UNKNOWN` (401), `TOO_LARGE` (413).
   */
  admit(announced: Announced): Promise<() => void>
  /**
   * Hands the envelopes of a CBOR sequence to the inbox as it has room. Resolves with what became of each, in order, once all that is
   * committed; without those that waited when `isGone` said that nobody waits for the answer any more.
   *
   * @throws NotTakenError `SEQUENCE_MALFORMED` (400), `TOO_LARGE` (413).
   */
  takeSequence(machineId: bigint, body: Uint8Array, isGone: () => boolean): Promise<FrameOutcome[]>
  /** The same for a body that is one envelope, or none. */
  takeOne(machineId: bigint, body: Uint8Array, isGone: () => boolean): Promise<FrameOutcome[]>
}

/** Bytes of all bodies that are being read or waiting for their commit. */
const HELD_BYTES = 64 * 1_024 * 1_024
/** So much a request costs, however small its body. */
const REQUEST_BYTES = 16 * 1_024
/** Who sends slowly holds his own places only. */
const BODIES_PER_MACHINE = 2
const BEARER = /^bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i

/** Creates the way in by HTTP, before the same inbox as MQTT's. */
export function createHttpIngest(options: {
  inbox: Inbox
  identity: Pick<Authenticator, 'authenticate'>
  nowMs: () => number
}): HttpIngest {
  const { inbox, identity } = options
  const gate = gateOf(inbox)
  const bodies = new Map<bigint, number>()
  let heldBytes = 0

  function requireRoom(machineId: bigint, bytes: number): void {
    if (inbox.whenRoom() !== undefined || heldBytes + bytes > HELD_BYTES) {
      throw new NotTakenError(503, 'OVERLOADED', 'The inbox is full; send it again later.')
    }
    if ((bodies.get(machineId) ?? 0) >= BODIES_PER_MACHINE) {
      const message = `A machine has at most ${BODIES_PER_MACHINE} bodies under way; wait for an answer.`
      throw new NotTakenError(503, 'OVERLOADED', message)
    }
  }

  function keepPlace(machineId: bigint, bytes: number): () => void {
    heldBytes += bytes
    bodies.set(machineId, (bodies.get(machineId) ?? 0) + 1)
    return () => {
      heldBytes -= bytes
      const others = (bodies.get(machineId) ?? 0) - 1
      if (others > 0) bodies.set(machineId, others)
      else bodies.delete(machineId)
    }
  }

  async function logIn({ machineId, authorization }: Announced): Promise<void> {
    const token = BEARER.exec(authorization ?? '')?.[1] ?? ''
    const answer = await identity.authenticate(machineId, token, options.nowMs())
    if (answer.ok) return
    const { code, message } = answer
    inbox.deny({ machineId: code === 'TOKEN_INVALID' ? machineId : 0n, code, message })
    throw new NotTakenError(401, code, `${message}; send it as Authorization: Bearer <token>`)
  }

  async function take(
    machineId: bigint,
    frames: readonly Uint8Array[],
    isGone: () => boolean,
  ): Promise<FrameOutcome[]> {
    const outcomes = await Promise.all(
      frames.map((frame) => gate.pass(machineId, () => inbox.envelope(machineId, frame), isGone)),
    )
    return outcomes.filter((outcome) => outcome !== undefined)
  }

  return {
    async admit(announced) {
      const { machineId, bytes = MAX_BODY_BYTES } = announced
      if (bytes > MAX_BODY_BYTES) throw tooLarge(`${bytes} bytes`)
      const held = Math.max(bytes, REQUEST_BYTES)
      // First what costs nothing: a flood must not buy a signature check with each request.
      requireRoom(machineId, held)
      await logIn(announced)
      requireRoom(machineId, held)
      return keepPlace(machineId, held)
    },
    async takeSequence(machineId, body, isGone) {
      const split = splitSequence(body, MAX_BODY_ENVELOPES)
      if (split.ok) return take(machineId, split.items, isGone)
      if (split.code === 'TOO_LARGE') throw tooLarge(split.message)
      throw new NotTakenError(400, split.code, `${split.message}; nothing was taken`)
    },
    takeOne: (machineId, body, isGone) => take(machineId, [body], isGone),
  }
}

function tooLarge(what: string): NotTakenError {
  return new NotTakenError(
    413,
    'TOO_LARGE',
    `${what}; at most ${MAX_BODY_ENVELOPES} envelopes and ${MAX_BODY_BYTES} bytes are taken at once.`,
  )
}
