import { encode as encodeCbor, Tagged, Token, Type } from 'cborg'

/** A floating-point number, kept apart from integers: 1.0 on the wire is no 1. */
export class CborFloat {
  readonly value: number

  constructor(value: number) {
    this.value = value
  }
}

/** What strict CBOR decodes to. Integers beyond 2^53 are bigint, maps are `Map`, so that `__proto__` is a key like any other. */
export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | CborFloat
  | Tagged
  | CborValue[]
  | CborMap

/** A CBOR map with integer or text keys. */
export type CborMap = Map<CborValue, CborValue>

/** Bounds of one decoding. `tags` are those tolerated anywhere in the item. */
export type CborLimits = { maxBytes: number; maxDepth: number; tags: readonly number[] }

/** The outcome of strict decoding. */
export type DecodedCbor =
  | { ok: true; value: CborValue }
  | { ok: false; code: 'TOO_LARGE' | 'ENVELOPE_MALFORMED'; message: string }

// Integer keys are hashed without a seed: chosen to collide, a large map would cost the square of its size.
const MAX_MAP_ENTRIES = 64
const SHORT_TEXT = 64
const MAX_MESSAGE = 200

const MAJOR = { uint: 0, negint: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const
const SIMPLE = { false: 20, true: 21, null: 22, half: 25, single: 26, double: 27 } as const

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class TooDeep extends Error {}

/**
 * Decodes exactly one CBOR item (RFC 8949) strictly: definite lengths, shortest integers and lengths, no duplicate keys,
 * keys integer or text, valid UTF-8, finite floats, no `undefined` or other simple values, only the tags allowed, no
 * trailing bytes, bounded size, nesting and maps (64 entries). Work is linear in the size. Never throws.
 */
export function decodeStrict(bytes: Uint8Array, limits: CborLimits): DecodedCbor {
  if (bytes.length > limits.maxBytes) {
    return {
      ok: false,
      code: 'TOO_LARGE',
      message: `${bytes.length} bytes, at most ${limits.maxBytes} are allowed`,
    }
  }
  const reader = new StrictReader(bytes, limits)
  try {
    const value = reader.item(0)
    reader.end()
    return { ok: true, value }
  } catch (error) {
    const message = String(error instanceof Error ? error.message : error).slice(0, MAX_MESSAGE)
    return {
      ok: false,
      code: error instanceof TooDeep ? 'TOO_LARGE' : 'ENVELOPE_MALFORMED',
      message,
    }
  }
}

/**
 * Reads items one behind the other. Written here and not by a library because this is where most of the time goes that signatures leave
 * (docs/performance.md): decoders in JavaScript make a token of each item first, and none is this strict. Tests hold it to cborg.
 */
class StrictReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #limits: CborLimits
  #at = 0

  constructor(bytes: Uint8Array, limits: CborLimits) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#limits = limits
  }

  /** The next item, inside `depth` arrays, maps and tags. */
  item(depth: number): CborValue {
    const initial = this.#view.getUint8(this.#take(1))
    const major = initial >> 5
    const minor = initial & 31
    switch (major) {
      case MAJOR.uint:
        return this.#argument(minor)
      case MAJOR.negint:
        return negative(this.#argument(minor))
      case MAJOR.bytes: {
        const start = this.#take(this.#length(minor))
        // A copy: a view would keep all of the bytes alive. Not `slice`, which a Buffer answers with a view.
        return Uint8Array.from(this.#bytes.subarray(start, this.#at))
      }
      case MAJOR.text:
        return this.#text(this.#length(minor))
      case MAJOR.array:
        return this.#array(this.#length(minor), this.#nest(depth))
      case MAJOR.map:
        return this.#map(this.#length(minor), this.#nest(depth))
      case MAJOR.tag:
        return this.#tag(this.#length(minor), this.#nest(depth))
      default:
        return this.#simple(minor)
    }
  }

  /** @throws if bytes are left. */
  end(): void {
    if (this.#at < this.#bytes.length) throw new Error('bytes are left behind the item')
  }

  #take(count: number): number {
    const start = this.#at
    if (start + count > this.#bytes.length) throw new Error('it ends too early')
    this.#at = start + count
    return start
  }

  /** An integer of 64 bits at most, in its shortest form. */
  #argument(minor: number): number | bigint {
    if (minor < 24) return minor
    switch (minor) {
      case 24:
        return atLeast(24, this.#view.getUint8(this.#take(1)))
      case 25:
        return atLeast(2 ** 8, this.#view.getUint16(this.#take(2)))
      case 26:
        return atLeast(2 ** 16, this.#view.getUint32(this.#take(4)))
      case 27: {
        const value = this.#view.getBigUint64(this.#take(8))
        if (value > BigInt(Number.MAX_SAFE_INTEGER)) return value
        return atLeast(2 ** 32, Number(value))
      }
      default:
        throw new Error('lengths must be definite')
    }
  }

  /** A length, or the number of a tag: beyond 2^53 there are no bytes for it. */
  #length(minor: number): number {
    return Number(this.#argument(minor))
  }

  #nest(depth: number): number {
    if (depth >= this.#limits.maxDepth) {
      throw new TooDeep(`nested deeper than ${this.#limits.maxDepth}`)
    }
    return depth + 1
  }

  #text(length: number): string {
    const start = this.#take(length)
    // Names and units are short and plain: cheaper letter by letter.
    if (length <= SHORT_TEXT) {
      let text = ''
      for (let at = start; at < this.#at; at += 1) {
        const byte = this.#bytes[at] ?? 0
        if (byte > 127) return utf8.decode(this.#bytes.subarray(start, this.#at))
        text += String.fromCharCode(byte)
      }
      return text
    }
    return utf8.decode(this.#bytes.subarray(start, this.#at))
  }

  #array(length: number, depth: number): CborValue[] {
    const values: CborValue[] = []
    for (let index = 0; index < length; index += 1) values.push(this.item(depth))
    return values
  }

  #map(length: number, depth: number): CborMap {
    if (length > MAX_MAP_ENTRIES) throw new Error(`a map has at most ${MAX_MAP_ENTRIES} entries`)
    const map: CborMap = new Map()
    for (let index = 0; index < length; index += 1) {
      const major = (this.#bytes[this.#at] ?? 0) >> 5
      if (major !== MAJOR.uint && major !== MAJOR.negint && major !== MAJOR.text) {
        throw new Error('map keys must be integers or text')
      }
      const key = this.item(depth)
      if (map.has(key)) throw new Error(`key ${String(key)} comes twice`)
      map.set(key, this.item(depth))
    }
    return map
  }

  #tag(tag: number, depth: number): Tagged {
    if (!this.#limits.tags.includes(tag)) throw new Error(`tag ${tag} is not allowed here`)
    return new Tagged(tag, this.item(depth))
  }

  #simple(minor: number): CborValue {
    switch (minor) {
      case SIMPLE.false:
        return false
      case SIMPLE.true:
        return true
      case SIMPLE.null:
        return null
      case SIMPLE.half:
        return finite(readHalf(this.#view.getUint16(this.#take(2))))
      case SIMPLE.single:
        return finite(this.#view.getFloat32(this.#take(4)))
      case SIMPLE.double:
        return finite(this.#view.getFloat64(this.#take(8)))
      default:
        throw new Error(`simple value ${minor} is not allowed`)
    }
  }
}

function atLeast(least: number, value: number): number {
  if (value < least) throw new Error('integers and lengths must be in their shortest form')
  return value
}

function negative(value: number | bigint): number | bigint {
  if (typeof value === 'number' && value < Number.MAX_SAFE_INTEGER) return -1 - value
  return -1n - BigInt(value)
}

/** A number of 16 bits (RFC 8949, appendix D). */
function readHalf(bits: number): number {
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1_023
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (fraction + 1_024) * 2 ** (exponent - 25)
  return bits & 0x8000 ? -size : size
}

function finite(value: number): CborFloat {
  if (!Number.isFinite(value)) throw new Error('a float must be finite')
  return new CborFloat(value)
}

/** Encodes a value as CBOR with definite lengths, shortest integers and sorted keys. Throws on integers beyond 64 bits. */
export function encode(value: CborValue): Uint8Array {
  return encodeCbor(value, { typeEncoders: { Object: floatTokens } })
}

function floatTokens(value: unknown): Token[] | null {
  return value instanceof CborFloat ? [new Token(Type.float, value.value)] : null
}
