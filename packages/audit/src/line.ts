import type { Hex } from 'viem'
import { isAddress } from 'viem'
import { readBase64 } from './base64.ts'
import { plainEnvelopeReader } from './plain-envelope.ts'

/** The lines of a bundle, as docs/protocol/bundle.md has them; integers that may be large are bigint here. */
export type BundleLine =
  | HeaderLine
  | CheckpointLine
  | AnchorLine
  | EnvelopeLine
  | ArchivedLine
  | ErasedLine
  | ClaimLine
  | MeterValueLine
  | AdjustmentLine
  | { type: 'end'; lines: number }

export interface HeaderLine {
  type: 'header'
  chainId: number
  registry: Hex
  clearingHouse: Hex
  evidenceAnchor: Hex
  log: Hex
  agreementId: Hex
  terms: unknown
  rules: unknown[]
}

export interface CheckpointLine {
  type: 'checkpoint'
  size: bigint
  root: Hex
  timestamp: number
  signature: Hex
}

export interface AnchorLine {
  type: 'anchor'
  size: bigint
  root: Hex
  consistency: Hex[]
}

export interface EnvelopeLine {
  type: 'envelope'
  stream: string
  seq: bigint
  logIndex: bigint
  loggedAt: number
  code: string
  raw: Uint8Array
  proof: Hex[]
  metered: MeteredClaim[]
}

/** An envelope whose bytes the node has erased: a copy that somebody kept, of this digest, can be put in its place. */
export interface ErasedLine {
  type: 'erased'
  stream: string
  seq: bigint
  logIndex: bigint
}

/** An envelope whose bytes the node has archived: they have to be put in its place before an audit. */
export interface ArchivedLine {
  type: 'archived'
  stream: string
  seq: bigint
  logIndex: bigint
  /** Name of the Parquet file that has it. */
  file: string
}

/** What the node says that a meter made of an envelope: verdict, and registers after it by period. */
export interface MeteredClaim {
  meter: number
  code: string
  registers: Map<number, bigint>
}

export interface StreamHead {
  stream: string
  seq: bigint
}

export interface ClaimLine {
  type: 'claim'
  period: number
  asOf: bigint | undefined
  registers: bigint[]
  owedMinor: bigint
  settledMinor: bigint
  heads: StreamHead[]
}

export interface MeterValueLine {
  type: 'meterValue'
  agreementId: Hex
  period: number
  asOf: bigint
  registers: bigint[]
  evidenceHead: Hex
  heads: StreamHead[]
  signature: Hex
  /** Of an attested value: EIP-712 struct hashes of all the values that the signature is over, its own among them. */
  batch: Hex[] | undefined
}

export interface AdjustmentLine {
  type: 'adjustment'
  agreementId: Hex
  period: number
  amount: bigint
  evidenceHead: Hex
  heads: StreamHead[]
  signature: Hex
}

export type ParsedLine = { ok: true; line: BundleLine } | { ok: false; message: string }

/** Longest line that is read: an envelope of 64 KiB in base64, with its proof, fits many times. */
const MAX_LINE_CHARACTERS = 4_194_304

/**
 * Reads lines of one bundle, one after the other, strictly: known fields only, and no second way to write the same thing.
 */
export function lineReader(): (text: string) => ParsedLine {
  const plainEnvelope = plainEnvelopeReader()
  return (text) => {
    if (text.length > MAX_LINE_CHARACTERS) return { ok: false, message: 'line is too long' }
    try {
      const plain = plainEnvelope(text)
      if (!plain) return { ok: true, line: readLine(asObject(canonical(text), 'line')) }
      const claims = list({ metered: canonical(plain.metered) }, 'metered').map(metered)
      return { ok: true, line: { type: 'envelope', ...plain, metered: claims } }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      // It may quote the line, and a terminal obeys what a stranger wrote.
      return { ok: false, message: message.replaceAll(/\p{Cc}/gu, '?') }
    }
  }
}

/** One text for one value: a flipped bit that merely changes white space, an escape or a doubled key shows. */
function canonical(text: string): unknown {
  const value: unknown = JSON.parse(text)
  if (JSON.stringify(value) !== text) throw new Unreadable('is not in the one canonical form')
  return value
}

class Unreadable extends Error {}

type Fields = Record<string, unknown>

function readLine(fields: Fields): BundleLine {
  const read = readers[String(fields.type)]
  if (!read) throw new Unreadable(`no line has the type ${JSON.stringify(fields.type)}`)
  return read(fields)
}

const readers: Record<string, (fields: Fields) => BundleLine> = {
  header(fields) {
    only(
      fields,
      'type version chainId registry clearingHouse evidenceAnchor log agreementId terms rules',
    )
    if (fields.version !== 1) throw new Unreadable('version is not 1')
    oneSpelling(fields.terms)
    return {
      type: 'header',
      chainId: count(fields, 'chainId'),
      registry: address(fields, 'registry'),
      clearingHouse: address(fields, 'clearingHouse'),
      evidenceAnchor: address(fields, 'evidenceAnchor'),
      log: address(fields, 'log'),
      agreementId: word(fields.agreementId, 'agreementId'),
      terms: fields.terms,
      rules: list(fields, 'rules'),
    }
  },
  checkpoint(fields) {
    only(fields, 'type size root timestamp signature')
    return {
      type: 'checkpoint',
      size: unsigned(fields.size, 'size'),
      root: word(fields.root, 'root'),
      timestamp: count(fields, 'timestamp'),
      signature: bytesHex(fields.signature, 'signature'),
    }
  },
  anchor(fields) {
    only(fields, 'type size root consistency')
    return {
      type: 'anchor',
      size: unsigned(fields.size, 'size'),
      root: word(fields.root, 'root'),
      consistency: list(fields, 'consistency').map((hash) => word(hash, 'consistency')),
    }
  },
  envelope(fields) {
    only(fields, 'type stream seq logIndex loggedAt code raw proof metered')
    return {
      type: 'envelope',
      stream: name(fields, 'stream'),
      seq: unsigned(fields.seq, 'seq'),
      logIndex: unsigned(fields.logIndex, 'logIndex'),
      loggedAt: count(fields, 'loggedAt'),
      code: name(fields, 'code'),
      raw: base64(fields, 'raw'),
      proof: list(fields, 'proof').map((hash) => word(hash, 'proof')),
      metered: list(fields, 'metered').map(metered),
    }
  },
  archived(fields) {
    only(fields, 'type stream seq logIndex loggedAt code file proof metered')
    const { file } = fields
    if (typeof file !== 'string' || !/^[A-Za-z0-9.-]{1,128}$/.test(file)) {
      throw new Unreadable('file is not the name of an archive')
    }
    return {
      type: 'archived',
      stream: name(fields, 'stream'),
      seq: unsigned(fields.seq, 'seq'),
      logIndex: unsigned(fields.logIndex, 'logIndex'),
      file,
    }
  },
  erased(fields) {
    only(fields, 'type stream seq logIndex loggedAt code digest proof metered')
    word(fields.digest, 'digest')
    return {
      type: 'erased',
      stream: name(fields, 'stream'),
      seq: unsigned(fields.seq, 'seq'),
      logIndex: unsigned(fields.logIndex, 'logIndex'),
    }
  },
  claim(fields) {
    only(fields, 'type period asOf registers owedMinor settledMinor heads')
    return {
      type: 'claim',
      period: period(fields),
      asOf: fields.asOf === undefined ? undefined : seconds(fields, 'asOf'),
      registers: list(fields, 'registers').map((value) => unsigned(value, 'registers')),
      owedMinor: unsigned(fields.owedMinor, 'owedMinor'),
      settledMinor: unsigned(fields.settledMinor, 'settledMinor'),
      heads: heads(fields),
    }
  },
  meterValue(fields) {
    only(fields, 'type agreementId period asOf registers evidenceHead heads signature batch')
    return {
      type: 'meterValue',
      agreementId: word(fields.agreementId, 'agreementId'),
      period: period(fields),
      asOf: seconds(fields, 'asOf'),
      registers: list(fields, 'registers').map((value) => unsigned(value, 'registers')),
      evidenceHead: word(fields.evidenceHead, 'evidenceHead'),
      heads: heads(fields),
      signature: bytesHex(fields.signature, 'signature'),
      batch:
        fields.batch === undefined
          ? undefined
          : list(fields, 'batch').map((hash) => word(hash, 'batch')),
    }
  },
  adjustment(fields) {
    only(fields, 'type agreementId period amount evidenceHead heads signature')
    return {
      type: 'adjustment',
      agreementId: word(fields.agreementId, 'agreementId'),
      period: period(fields),
      amount: unsigned(fields.amount, 'amount'),
      evidenceHead: word(fields.evidenceHead, 'evidenceHead'),
      heads: heads(fields),
      signature: bytesHex(fields.signature, 'signature'),
    }
  },
  end(fields) {
    only(fields, 'type lines')
    return { type: 'end', lines: count(fields, 'lines') }
  },
}

function asObject(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Unreadable(`${what} is not a JSON object`)
  }
  return value as Fields
}

function only(fields: Fields, names: string): void {
  const known = names.split(' ')
  const stranger = Object.keys(fields).find((name) => !known.includes(name))
  if (stranger !== undefined) throw new Unreadable(`unknown field ${JSON.stringify(stranger)}`)
}

/** Of a stream or a code: reports show it on terminals, so that no other characters may stand in it. */
function name(fields: Fields, field: string): string {
  const value = fields[field]
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(value)) {
    throw new Unreadable(`${field} is not a name`)
  }
  return value
}

function count(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new Unreadable(`${name} is not a whole number`)
  }
  return value
}

function unsigned(value: unknown, name: string): bigint {
  if (typeof value !== 'string' || !/^(0|[1-9][0-9]{0,77})$/.test(value)) {
    throw new Unreadable(`${name} is not a whole number in decimal digits`)
  }
  const number = BigInt(value)
  if (number >= 2n ** 256n) throw new Unreadable(`${name} is beyond 256 bits`)
  return number
}

/** A period's number: 32 bits on the ledger. */
function period(fields: Fields): number {
  const value = count(fields, 'period')
  if (value >= 2 ** 32) throw new Unreadable('period is beyond 32 bits')
  return value
}

/** Seconds stand as a number in what machines sign (transport.md); a decimal string says the same. */
function seconds(fields: Fields, name: string): bigint {
  const value =
    typeof fields[name] === 'number' ? BigInt(count(fields, name)) : unsigned(fields[name], name)
  if (value >= 2n ** 64n) throw new Unreadable(`${name} is beyond 64 bits`)
  return value
}

function list(fields: Fields, name: string): unknown[] {
  const value = fields[name]
  if (!Array.isArray(value)) throw new Unreadable(`${name} is not a list`)
  return value
}

function metered(value: unknown): MeteredClaim {
  const claim = asObject(value, 'metered')
  only(claim, 'meter code registers')
  const registers = new Map<number, bigint>()
  for (const [period, register] of Object.entries(asObject(claim.registers, 'registers'))) {
    if (!/^(0|[1-9]\d{0,9})$/.test(period)) throw new Unreadable('a period is no whole number')
    registers.set(Number(period), unsigned(register, 'registers'))
  }
  return { meter: count(claim, 'meter'), code: name(claim, 'code'), registers }
}

function heads(fields: Fields): StreamHead[] {
  return list(fields, 'heads').map((head) => {
    const one = asObject(head, 'head')
    only(one, 'stream seq')
    return { stream: name(one, 'stream'), seq: unsigned(one.seq, 'seq') }
  })
}

function bytesHex(value: unknown, name: string): Hex {
  if (typeof value !== 'string' || !/^0x([0-9a-f]{2})*$/.test(value)) {
    throw new Unreadable(`${name} is not lower-case hex`)
  }
  return value as Hex
}

function word(value: unknown, name: string): Hex {
  const hex = bytesHex(value, name)
  if (hex.length !== 66) throw new Unreadable(`${name} has not 32 bytes`)
  return hex
}

function address(fields: Fields, name: string): Hex {
  const value = fields[name]
  if (typeof value !== 'string' || !isOneSpelling(value) || value.length !== 42) {
    throw new Unreadable(`${name} is not an address`)
  }
  return value.toLowerCase() as Hex
}

/** Every hex string inside has one spelling: lower case, or an address with a checksum that fits. */
function oneSpelling(value: unknown): void {
  if (typeof value === 'string') {
    if (/^0x/i.test(value) && !isOneSpelling(value)) {
      throw new Unreadable(`${JSON.stringify(value.slice(0, 80))} is not lower-case hex`)
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const part of Object.values(value)) oneSpelling(part)
  }
}

function isOneSpelling(value: string): boolean {
  return /^0x[0-9a-f]*$/.test(value) || isAddress(value, { strict: true })
}

function base64(fields: Fields, name: string): Uint8Array {
  const value = fields[name]
  if (typeof value !== 'string') throw new Unreadable(`${name} is no text`)
  const bytes = readBase64(value)
  if (!bytes) throw new Unreadable(`${name} is not canonical base64`)
  return bytes
}
