import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from } from 'pg-copy-streams'

/** A connection inside a transaction: COPY needs one to itself until it ends. */
export type Connection = Pick<pg.ClientBase, 'query'>

// PostgreSQL, COPY, "Binary Format": signature, no flags, no header extension.
const HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex')
const TRAILER = Buffer.from([0xff, 0xff])

/**
 * Writes rows by `COPY … FROM STDIN (FORMAT binary)`: much less work for the server than INSERT. `target` is the table with its columns,
 * `rows` are tuples as `TupleWriter` writes them.
 */
export async function copyRows(
  connection: Connection,
  target: string,
  rows: Uint8Array,
): Promise<void> {
  const body = Buffer.concat([HEADER, rows, TRAILER])
  const copy = connection.query(from(`COPY ${target} FROM STDIN (FORMAT binary)`))
  await pipeline(Readable.from([body]), copy)
}

/** Writes the fields of a tuple one behind the other into a buffer that grows with them. */
export class TupleWriter {
  #bytes: Buffer
  #length = 0

  constructor(size: number) {
    // Not from the pool: what was written is handed to another thread.
    this.#bytes = Buffer.allocUnsafeSlow(size)
  }

  /** Where the next field will begin. */
  get length(): number {
    return this.#length
  }

  /** All that was written. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Begins a tuple of so many fields. */
  tuple(fields: number): void {
    this.#reserve(2)
    this.#length = this.#bytes.writeInt16BE(fields, this.#length)
  }

  int2(value: number): void {
    this.#head(2)
    this.#length = this.#bytes.writeInt16BE(value, this.#length)
  }

  int4(value: number): void {
    this.#head(4)
    this.#length = this.#bytes.writeInt32BE(value, this.#length)
  }

  int8(value: bigint | number): void {
    this.#head(8)
    this.#length = this.#bytes.writeBigInt64BE(BigInt(value), this.#length)
  }

  bool(value: boolean): void {
    this.#head(1)
    this.#length = this.#bytes.writeUInt8(value ? 1 : 0, this.#length)
  }

  text(value: string): void {
    const size = Buffer.byteLength(value)
    this.#head(size)
    this.#length += this.#bytes.write(value, this.#length)
  }

  bytea(value: Uint8Array): void {
    this.#head(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  hex(value: `0x${string}`): void {
    this.#head((value.length - 2) / 2)
    this.#length += this.#bytes.write(value.slice(2), this.#length, 'hex')
  }

  /** An integer of at least 0 as `numeric`: digits of base 10,000, the first of weight `digits - 1`. */
  numeric(value: bigint): void {
    const digits: number[] = []
    for (let rest = value; rest > 0n; rest /= 10_000n) digits.unshift(Number(rest % 10_000n))
    this.#head(8 + 2 * digits.length)
    for (const part of [digits.length, digits.length - 1, 0, 0, ...digits]) {
      this.#length = this.#bytes.writeInt16BE(part, this.#length)
    }
  }

  /** Fields that another writer wrote. */
  fields(encoded: Uint8Array): void {
    this.#reserve(encoded.length)
    this.#bytes.set(encoded, this.#length)
    this.#length += encoded.length
  }

  #head(size: number): void {
    this.#reserve(4 + size)
    this.#length = this.#bytes.writeInt32BE(size, this.#length)
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(2 * (this.#length + size))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}
