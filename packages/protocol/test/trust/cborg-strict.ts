import { decode, Tagged, Token, Tokenizer, Type } from 'cborg'
import { CborFloat, type CborLimits, type DecodedCbor } from '../../src/trust/cbor.ts'

/** Strict decoding by cborg, with what cborg leaves open added: what ours must agree with. */

const STRICT = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowNaN: false,
  allowInfinity: false,
  allowBigInt: true,
  useMaps: true,
  rejectDuplicateMapKeys: true,
} as const

// Integer keys are hashed without a seed: chosen to collide, a large map would cost the square of its size.
const MAX_MAP_ENTRIES = 64

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

class TooDeep extends Error {}

type Level = { left: number; isMap: boolean }

/**
 * What cborg leaves open: nesting (it recurses), floats that look like integers, text that is no UTF-8, keys that are
 * neither integer nor text (which its check for duplicates compares by identity).
 */
class StrictTokenizer extends Tokenizer {
  readonly #bytes: Uint8Array
  readonly #maxDepth: number
  readonly #open: Level[] = []

  constructor(bytes: Uint8Array, maxDepth: number) {
    super(bytes, STRICT)
    this.#bytes = bytes
    this.#maxDepth = maxDepth
  }

  override next(): Token {
    const token = super.next()
    if (this.#enter() && !isKeyType(token.type))
      throw new Error('map keys must be integers or text')
    switch (token.type) {
      case Type.array:
        this.#nest(token.value, false)
        return token
      case Type.map:
        if (token.value > MAX_MAP_ENTRIES) {
          throw new Error(`a map has at most ${MAX_MAP_ENTRIES} entries`)
        }
        this.#nest(2 * token.value, true)
        return token
      case Type.tag:
        this.#nest(1, false)
        return token
      case Type.float:
        return new Token(Type.float, new CborFloat(token.value), token.encodedLength)
      case Type.string:
        return this.#text(token)
      default:
        return token
    }
  }

  /** Counts one item of the enclosing container; true if the item is a key. */
  #enter(): boolean {
    let level = this.#open.at(-1)
    while (level?.left === 0) {
      this.#open.pop()
      level = this.#open.at(-1)
    }
    if (!level) return false
    const isKey = level.isMap && level.left % 2 === 0
    level.left--
    return isKey
  }

  #nest(items: number, isMap: boolean): void {
    this.#open.push({ left: items, isMap })
    if (this.#open.length > this.#maxDepth) {
      throw new TooDeep(`nested deeper than ${this.#maxDepth}`)
    }
  }

  #text(token: Token): Token {
    const length = token.encodedLength ?? 0
    const end = this.pos()
    // A text of only ASCII has as many characters as bytes behind its head (1, 2, 3 or 5 bytes).
    const characters: number = token.value.length
    const head = characters < 24 ? 1 : characters < 256 ? 2 : characters < 65536 ? 3 : 5
    if (head + characters === length && isAscii(this.#bytes, end - characters, end)) return token
    const start = end - length + textHead(this.#bytes[end - length] ?? 0)
    return new Token(Type.string, utf8.decode(this.#bytes.subarray(start, end)), length)
  }
}

/** As `decodeStrict`, but for the words of its messages. */
export function decodeWithCborg(bytes: Uint8Array, limits: CborLimits): DecodedCbor {
  if (bytes.length > limits.maxBytes) {
    return {
      ok: false,
      code: 'TOO_LARGE',
      message: `${bytes.length} bytes, at most ${limits.maxBytes} are allowed`,
    }
  }
  // cborg copies what it slices from a Uint8Array, yet shares what it slices from a Buffer.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    const tokenizer = new StrictTokenizer(plain, limits.maxDepth)
    const value = decode(plain, { ...STRICT, tokenizer, tags: Tagged.preserve(...limits.tags) })
    return { ok: true, value }
  } catch (error) {
    const message = String(error instanceof Error ? error.message : error).slice(0, 200)
    return {
      ok: false,
      code: error instanceof TooDeep ? 'TOO_LARGE' : 'ENVELOPE_MALFORMED',
      message,
    }
  }
}

function isKeyType(type: Type): boolean {
  return type === Type.uint || type === Type.negint || type === Type.string
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] ?? 0) > 127) return false
  return true
}

function textHead(initialByte: number): number {
  const minor = initialByte & 31
  return minor < 24 ? 1 : 1 + 2 ** (minor - 24)
}
