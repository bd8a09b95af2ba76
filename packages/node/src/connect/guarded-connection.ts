import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { LiquefyError, MAX_ENVELOPE_BYTES } from '@liquefy/protocol'

/** Topic, its length, and the packet identifier in front of the payload. */
const PUBLISH_OVERHEAD_BYTES = 256
const MAX_PUBLISH_BYTES = MAX_ENVELOPE_BYTES + PUBLISH_OVERHEAD_BYTES
/** CONNECT with a token, SUBSCRIBE to a handful of topics: all else is small. */
const MAX_OTHER_BYTES = 16_384
const PUBLISH = 3
const SAMPLE_BYTES = 1_024
const LAST_WORDS_MS = 1_000
/** Who leaves so much unread is cut off: the broker would wait for him with what it has to say to others. He sends again and is told then. */
const MAX_UNREAD_BYTES = 1_024 * 1_024

/** A frame that is larger than allowed: what its header declares, and its first bytes. */
export interface OversizedFrame {
  bytes: number
  sample: Uint8Array
}

/**
 * A socket that reads MQTT's fixed headers ahead of the parser, so that nobody makes it buffer a frame larger than an envelope may be:
 * at the first such header it calls `onOversized` once and passes nothing on any more.
 *
 * It also stops reading while `whenRoom` says that there is none.
 */
export class GuardedConnection extends Duplex {
  readonly #socket: Socket
  readonly #onOversized: (frame: OversizedFrame) => void
  readonly #whenRoom: () => Promise<void> | undefined
  readonly #scanner = new FrameScanner()
  #cutOff = false
  #gathering = false

  constructor(
    socket: Socket,
    onOversized: (frame: OversizedFrame) => void,
    whenRoom: () => Promise<void> | undefined,
  ) {
    super()
    this.#socket = socket
    this.#onOversized = onOversized
    this.#whenRoom = whenRoom
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  #receive(chunk: Buffer): void {
    if (this.#cutOff) return
    const oversized = this.#scanner.scan(chunk)
    if (oversized !== undefined) {
      this.#cutOff = true
      this.#socket.pause()
      this.#onOversized(oversized)
      return
    }
    if (!this.push(chunk)) this.#socket.pause()
  }

  override _read(): void {
    if (this.#cutOff) return
    const room = this.#whenRoom()
    if (room === undefined) {
      this.#socket.resume()
      return
    }
    this.#socket.pause()
    void room.then(() => this.#socket.resume())
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#gatherWrites()
    this.#socket.write(chunk)
    if (this.#socket.writableLength <= MAX_UNREAD_BYTES) done()
    else done(new LiquefyError('READER_TOO_SLOW', `${MAX_UNREAD_BYTES} bytes lie unread`))
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), '', done)
  }

  /** One commit acknowledges many frames: all that is written in a turn goes out together. */
  #gatherWrites(): void {
    if (this.#gathering) return
    this.#gathering = true
    this.#socket.cork()
    setImmediate(() => {
      this.#gathering = false
      this.#socket.uncork()
    })
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // Why a connection ends may be in what is gathered.
    this.#socket.uncork()
    if (this.#cutOff) this.#closeGently()
    else this.#socket.destroy()
    done(error)
  }

  /** Closing a socket with unread bytes resets it, and a reset overtakes our last words: end it, and give them time. */
  #closeGently(): void {
    this.#socket.end()
    setTimeout(() => this.#socket.destroy(), LAST_WORDS_MS).unref()
  }
}

/** Follows the frames of an MQTT byte stream by their fixed headers (MQTT 3.1.1, section 2.2). */
class FrameScanner {
  #type: number | undefined
  #length = 0
  #shift = 0
  #bodyLeft = 0

  /** Goes through the next bytes; answers the first frame that is too large. */
  scan(chunk: Buffer): OversizedFrame | undefined {
    let at = 0
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const step = Math.min(this.#bodyLeft, chunk.length - at)
        this.#bodyLeft -= step
        at += step
        continue
      }
      const byte = chunk[at] ?? 0
      at += 1
      if (this.#type === undefined) {
        this.#type = byte >> 4
        continue
      }
      this.#length += (byte & 0x7f) * 2 ** this.#shift
      this.#shift += 7
      if (byte & 0x80 && this.#shift < 28) continue
      const limit = this.#type === PUBLISH ? MAX_PUBLISH_BYTES : MAX_OTHER_BYTES
      if (this.#length > limit) {
        return { bytes: this.#length, sample: chunk.subarray(at, at + SAMPLE_BYTES) }
      }
      this.#bodyLeft = this.#length
      this.#type = undefined
      this.#length = 0
      this.#shift = 0
    }
    return undefined
  }
}
