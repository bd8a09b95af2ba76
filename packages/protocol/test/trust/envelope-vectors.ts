import { Tagged } from 'cborg'
import type { Hex } from 'viem'
import { concatBytes, fromHex, toHex } from '../../src/trust/bytes.ts'
import { CborFloat, type CborValue, encode } from '../../src/trust/cbor.ts'
import { decodeEnvelope, type Envelope } from '../../src/trust/envelope.ts'
import { type Curve, keyId } from '../../src/trust/key.ts'
import {
  claims,
  craft,
  headerOf,
  headerWith,
  KEYS,
  PACK,
  START_MS,
  START_SECONDS,
} from './craft.ts'

type KeyVector = { curve: Curve; d: Hex; x: Hex; y: Hex; keyId: Hex }
type AcceptedVector = {
  name: string
  bytes: Hex
  curve: Curve
  digest: Hex
  verifies: boolean
  envelope: Record<string, unknown>
}
type RefusedVector = { name: string; bytes: Hex; paddedTo?: number; code: string }
export type EnvelopeVectors = {
  about: string
  keys: KeyVector[]
  accepted: AcceptedVector[]
  refused: RefusedVector[]
}

type Entry = [CborValue, CborValue]
const P256 = KEYS['P-256']
const K1 = KEYS.secp256k1
const ORDER_P256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

const BAD_REPLACEMENTS: [name: string, fields: Entry[]][] = [
  ['without first', [[8, 5]]],
  [
    'with a float',
    [
      [8, new CborFloat(1.5)],
      [9, 5],
    ],
  ],
  ['with an empty part', [[6, '']]],
  ['with a part of 129 bytes', [[7, `${'ä'.repeat(64)}x`]]],
  ['with a control character', [[7, 'a\u0000b']]],
  ['with a field of a clock', [[11, 'steady']]],
]
const BAD_CLOCKS: [name: string, fields: Entry[]][] = [
  [
    'without uncertainty',
    [
      [11, 'wall'],
      [12, 0],
    ],
  ],
  [
    'with a source in capitals',
    [
      [11, 'GNSS'],
      [12, 0],
      [13, 0],
    ],
  ],
  [
    'with a negative uncertainty',
    [
      [11, 'wall'],
      [12, 0],
      [13, -1],
    ],
  ],
]

/** All vectors of docs/protocol/vectors/envelopes.json. The same on every run. */
export function buildEnvelopeVectors(): EnvelopeVectors {
  return {
    about:
      'Envelopes (docs/protocol/envelope.md). accepted: decode to `envelope` and `digest`; the signature verifies under the key of `curve` as `verifies` says. refused: with `code`; `paddedTo` means: append zero bytes up to that length.',
    keys: [P256, K1].map((key) => ({
      curve: key.curve,
      d: toHex(key.d),
      x: key.publicKey.x,
      y: key.publicKey.y,
      keyId: keyId(key.publicKey),
    })),
    accepted: acceptedCases().map(([name, curve, bytes]) => describeAccepted(name, curve, bytes)),
    refused: refusedCases().map(([name, code, bytes, paddedTo]) => ({
      name,
      bytes: toHex(bytes),
      ...(paddedTo && { paddedTo }),
      code,
    })),
  }
}

function acceptedCases(): [name: string, curve: Curve, bytes: Uint8Array][] {
  const fraction = (exponent: number, mantissa: number) => new Tagged(4, [exponent, mantissa])
  return [
    ['one integer, P-256', 'P-256', craft()],
    ['one integer, secp256k1', 'secp256k1', craft({ key: K1 })],
    ['low s', 'P-256', withS(craft(), (s) => (2n * s > ORDER_P256 ? ORDER_P256 - s : s))],
    ['high s', 'P-256', withS(craft(), (s) => (2n * s > ORDER_P256 ? s : ORDER_P256 - s))],
    ['signature of zeros does not verify', 'P-256', craft({ signature: new Uint8Array(64) })],
    [
      'three records, milliseconds and decimal fractions',
      'P-256',
      craftPack([
        [
          [-2, 'urn:dev:7/'],
          [-3, START_SECONDS],
          [0, 'level'],
          [1, 'g'],
          [2, fraction(-3, 12_345)],
        ],
        [
          [0, 'level'],
          [1, 'g'],
          [6, fraction(-3, 1_500)],
          [2, -7],
        ],
        [
          [0, 'temperature'],
          [1, 'Cel'],
          [6, 2],
          [2, fraction(2, 3)],
        ],
      ]),
    ],
    [
      'floats, text and booleans of an unbilled stream',
      'P-256',
      craftPack([
        [
          [-3, START_SECONDS],
          [0, 'temperature'],
          [1, 'Cel'],
          [2, new CborFloat(20.5)],
        ],
        [
          [0, 'whole'],
          [1, 'Cel'],
          [2, new CborFloat(1)],
        ],
        [
          [0, 'state'],
          [3, 'running'],
        ],
        [
          [0, 'door'],
          [4, false],
        ],
        [
          [0, 'total'],
          [1, 'g'],
          [5, 99],
        ],
      ]),
    ],
    [
      'base value is added exactly',
      'P-256',
      craftPack([
        [
          [-2, 'level'],
          [-3, START_SECONDS],
          [-4, 'g'],
          [-5, fraction(-1, 1_005)],
          [2, fraction(-2, 25)],
        ],
      ]),
    ],
    [
      'integers of 64 bits',
      'P-256',
      craftPack([
        [
          [-2, 'level'],
          [-3, START_SECONDS],
          [-4, 'g'],
          [2, 2n ** 64n - 1n],
        ],
        [[2, -(2n ** 64n)]],
      ]),
    ],
    [
      'unknown fields are ignored',
      'P-256',
      craftPack([
        [
          [-2, 'level'],
          [-3, START_SECONDS],
          [2, 1],
          ['l', 'link'],
          [99, 2],
        ],
      ]),
    ],
    ['key order is free', 'P-256', craft({ protectedBytes: reversed(headerOf(P256)) })],
    [
      'seq beyond 2^53 and a machine other than the signer',
      'P-256',
      craft({
        protectedBytes: encode(
          headerWith(P256, [
            [-70_001, 2n ** 64n - 1n],
            [-70_002, new Uint8Array(32).fill(0xab)],
            [15, claims([[2, '8/energy-out']])],
          ]),
        ),
      }),
    ],
    [
      'gap',
      'P-256',
      craftDeclaration([
        [1, 1],
        [2, START_MS],
        [3, START_MS + 5],
        [4, 'power cut'],
      ]),
    ],
    [
      'gap that names what is missing',
      'P-256',
      craftDeclaration([
        [1, 1],
        [2, START_MS],
        [3, START_MS],
        [4, ''],
        [5, [2, 9]],
      ]),
    ],
    [
      'replacement',
      'P-256',
      craftDeclaration([
        [1, 2],
        [2, START_MS],
        [4, 'sensor für Level'],
      ]),
    ],
    [
      'replacement of one part by another',
      'P-256',
      craftDeclaration([
        [1, 2],
        [2, START_MS],
        [4, 'worn'],
        [6, 'did:key:zOld'],
        [7, 'Zähler 7'],
        [8, new Tagged(4, [-1, 91_205])],
        [9, 12],
      ]),
    ],
    [
      'clock',
      'P-256',
      craftDeclaration([
        [1, 5],
        [2, START_MS],
        [3, START_MS + 5],
        [4, 'the wall clock jumped'],
        [11, 'steady'],
        [12, 7_200_000],
        [13, 2_026],
      ]),
    ],
    [
      'excuse',
      'P-256',
      craftDeclaration([
        [1, 3],
        [2, START_MS],
        [3, START_MS + 5],
        [4, 'defrost'],
      ]),
    ],
  ]
}

function refusedCases(): [name: string, code: string, bytes: Uint8Array, paddedTo?: number][] {
  const bad = 'ENVELOPE_MALFORMED'
  const good = craft()
  const header = encode(headerOf(P256))
  const pack = encode(PACK)
  const headed = (...changes: [CborValue, CborValue | undefined][]) =>
    craft({ protectedBytes: encode(headerWith(P256, changes)) })
  const record = (...entries: Entry[]) =>
    craftPack([[[-2, 'level'], [-3, START_SECONDS], ...entries]])
  return [
    ['larger than 65,536 bytes', 'TOO_LARGE', good, 65_537],
    ['nested deeper than 8', 'TOO_LARGE', craft({ payload: fromHex(`0x${'81'.repeat(9)}80`) })],
    ['nested as deep as it is long', 'TOO_LARGE', fromHex(`0x${'81'.repeat(1_000)}`)],
    ['empty', bad, new Uint8Array(0)],
    ['trailing byte', bad, concatBytes(good, Uint8Array.of(0))],
    ['cut off', bad, good.subarray(0, good.length - 1)],
    ['no tag', bad, craft({ prefix: Uint8Array.of(0x84) })],
    ['tag 18 in two bytes', bad, craft({ prefix: fromHex('0xd81284') })],
    ['tag 98', bad, craft({ prefix: fromHex('0xd86284') })],
    ['tag 18 twice', bad, craft({ prefix: fromHex('0xd2d284') })],
    [
      'indefinite outer array',
      bad,
      concatBytes(craft({ prefix: fromHex('0xd29f') }), fromHex('0xff')),
    ],
    ['array of five', bad, concatBytes(craft({ prefix: fromHex('0xd285') }), fromHex('0x00'))],
    ['array length not shortest', bad, craft({ prefix: fromHex('0xd29804') })],
    ['unprotected header not empty', bad, craft({ unprotected: fromHex('0xa1044131') })],
    ['unprotected header no map', bad, craft({ unprotected: fromHex('0x80') })],
    ['signature of 63 bytes', bad, craft({ signature: new Uint8Array(63) })],
    ['signature in DER', bad, craft({ signature: fromHex('0x3006020101020101') })],
    ['payload detached', bad, detached(good)],
    ['alg EdDSA', 'ALG_MISMATCH', headed([1, -8])],
    ['alg ES384', 'ALG_MISMATCH', headed([1, -35])],
    ['alg missing', bad, headed([1, undefined])],
    ['alg as text', bad, headed([1, 'ES256'])],
    ['alg as float -7.0', bad, headed([1, new CborFloat(-7)])],
    ['kid missing', bad, headed([4, undefined])],
    ['kid of 31 bytes', bad, headed([4, new Uint8Array(31)])],
    ['header of another label', bad, headed([5, new Uint8Array(8)])],
    ['crit header', bad, headed([2, [1]])],
    ['content type of another kind', bad, headed([3, 'application/senml+cbor'])],
    ['protected header empty', bad, craft({ protectedBytes: new Uint8Array(0) })],
    [
      'protected header not shortest',
      bad,
      craft({ protectedBytes: spoil(header, '0126', '011806') }),
    ],
    ['duplicate key in the protected header', bad, craft({ protectedBytes: duplicated(header) })],
    ['seq 0', bad, headed([-70_001, 0])],
    ['seq negative', bad, headed([-70_001, -1])],
    ['seq as float', bad, headed([-70_001, new CborFloat(1)])],
    ['seq missing', bad, headed([-70_001, undefined])],
    ['prev not zeros at seq 1', bad, headed([-70_002, new Uint8Array(32).fill(1)])],
    ['prev of 20 bytes', bad, headed([-70_002, new Uint8Array(20)])],
    [
      'iss in upper case',
      bad,
      headed([15, claims([[1, `eip155:1/erc721:0x${'AB'.repeat(20)}/7`]])]),
    ],
    [
      'iss of machine 0',
      bad,
      headed([15, claims([[1, `eip155:1/erc721:0x${'ab'.repeat(20)}/0`]])]),
    ],
    [
      'iss with a leading zero',
      bad,
      headed([15, claims([[1, `eip155:01/erc721:0x${'ab'.repeat(20)}/7`]])]),
    ],
    ['sub without stream', bad, headed([15, claims([[2, '7']])])],
    ['stream in upper case', bad, headed([15, claims([[2, '7/Level']])])],
    ['stream of 33 characters', bad, headed([15, claims([[2, `7/${'a'.repeat(33)}`]])])],
    ['claim besides iss, sub, iat', bad, headed([15, claims([[4, START_SECONDS]])])],
    ['iat as float', bad, headed([15, claims([[6, new CborFloat(1.5)]])])],
    ['iat negative', bad, headed([15, claims([[6, -1]])])],
    ['payload no CBOR', bad, craft({ payload: fromHex('0xff') })],
    ['payload empty', bad, craft({ payload: new Uint8Array(0) })],
    ['pack without records', bad, craft({ payload: fromHex('0x80') })],
    ['pack of 4,097 records', bad, craft({ payload: manyRecords(4_097) })],
    [
      'pack with base fields only',
      bad,
      craftPack([
        [
          [-2, 'level'],
          [-3, START_SECONDS],
        ],
      ]),
    ],
    ['pack with trailing byte', bad, craft({ payload: concatBytes(pack, Uint8Array.of(0)) })],
    ['pack of indefinite length', bad, craft({ payload: indefinite(pack) })],
    ['integer not shortest', bad, craft({ payload: spoil(pack, '02193039', '021a00003039') })],
    ['duplicate key in a record', bad, craft({ payload: spoil(pack, 'a4', 'a5', '02193039') })],
    ['text of indefinite length', bad, craft({ payload: spoil(pack, '6167', '7f6167ff') })],
    ['text that is no UTF-8', bad, craft({ payload: spoil(pack, '6167', '61ff') })],
    ['byte string as key', bad, craft({ payload: spoil(pack, '2361', '412361') })],
    ['float as key', bad, craft({ payload: spoil(pack, '02193039', 'f94000193039') })],
    ['two values', bad, record([2, 1], [3, 'one'])],
    ['no value and no sum', bad, record([1, 'g'])],
    ['value null', bad, record([2, null])],
    ['value NaN', bad, craft({ payload: spoil(pack, '02193039', '02f97e00') })],
    ['value infinite', bad, craft({ payload: spoil(pack, '02193039', '02f97c00') })],
    ['value undefined', bad, craft({ payload: spoil(pack, '02193039', '02f7') })],
    ['value a bignum', bad, craft({ payload: spoil(pack, '02193039', '02c2413a') })],
    ['data value', bad, record([8, new Uint8Array(1)])],
    ['exponent beyond 18', bad, record([2, new Tagged(4, [19, 1])])],
    ['decimal fraction of three', bad, record([2, new Tagged(4, [1, 1, 1])])],
    [
      'time as float',
      bad,
      craftPack([
        [
          [-2, 'level'],
          [-3, new CborFloat(START_SECONDS + 0.5)],
          [2, 1],
        ],
      ]),
    ],
    ['time finer than milliseconds', bad, record([2, 1], [6, new Tagged(4, [-4, 1])])],
    [
      'time relative',
      bad,
      craftPack([
        [
          [-2, 'level'],
          [6, -5],
          [2, 1],
        ],
      ]),
    ],
    [
      'time absent',
      bad,
      craftPack([
        [
          [-2, 'level'],
          [2, 1],
        ],
      ]),
    ],
    [
      'name empty',
      bad,
      craftPack([
        [
          [-3, START_SECONDS],
          [2, 1],
        ],
      ]),
    ],
    [
      'name with a space',
      bad,
      craftPack([
        [
          [-2, 'le vel'],
          [-3, START_SECONDS],
          [2, 1],
        ],
      ]),
    ],
    ['field that must be understood', bad, record([2, 1], ['limit_', 1])],
    ['field __proto__', bad, record([2, 1], ['__proto__', 1])],
    ['SenML version 11', bad, record([-1, 11], [2, 1])],
    [
      'gap without to',
      bad,
      craftDeclaration([
        [1, 1],
        [2, START_MS],
        [4, ''],
      ]),
    ],
    [
      'gap that ends before it begins',
      bad,
      craftDeclaration([
        [1, 1],
        [2, 5],
        [3, 4],
        [4, ''],
      ]),
    ],
    [
      'gap with missing from 0',
      bad,
      craftDeclaration([
        [1, 1],
        [2, 5],
        [3, 5],
        [4, ''],
        [5, [0, 1]],
      ]),
    ],
    [
      'gap with missing reversed',
      bad,
      craftDeclaration([
        [1, 1],
        [2, 5],
        [3, 5],
        [4, ''],
        [5, [3, 2]],
      ]),
    ],
    [
      'replacement with to',
      bad,
      craftDeclaration([
        [1, 2],
        [2, 5],
        [3, 5],
        [4, ''],
      ]),
    ],
    ...BAD_REPLACEMENTS.map(([name, fields]): [string, string, Uint8Array] => [
      `replacement ${name}`,
      bad,
      craftDeclaration([[1, 2], [2, START_MS], [4, ''], ...fields]),
    ]),
    ...BAD_CLOCKS.map(([name, fields]): [string, string, Uint8Array] => [
      `clock ${name}`,
      bad,
      craftDeclaration([[1, 5], [2, START_MS], [3, START_MS], [4, ''], ...fields]),
    ]),
    [
      'excuse that ends before it begins',
      bad,
      craftDeclaration([
        [1, 3],
        [2, START_MS],
        [3, START_MS - 1],
        [4, ''],
      ]),
    ],
    [
      'excuse that names what is missing',
      bad,
      craftDeclaration([
        [1, 3],
        [2, START_MS],
        [3, START_MS],
        [4, ''],
        [5, [2, 9]],
      ]),
    ],
    [
      'declaration of another kind',
      bad,
      craftDeclaration([
        [1, 4],
        [2, 5],
        [4, ''],
      ]),
    ],
    [
      'reason of 257 bytes',
      bad,
      craftDeclaration([
        [1, 2],
        [2, 5],
        [4, 'x'.repeat(257)],
      ]),
    ],
    [
      'declaration of an unknown key',
      bad,
      craftDeclaration([
        [1, 2],
        [2, 5],
        [4, ''],
        [6, 1],
      ]),
    ],
    [
      'declaration without its content type',
      bad,
      craft({
        payload: encode(
          new Map<CborValue, CborValue>([
            [1, 2],
            [2, 5],
            [4, ''],
          ]),
        ),
      }),
    ],
    [
      'readings with the content type of a declaration',
      bad,
      craft({ protectedBytes: declarationHeader() }),
    ],
  ]
}

function describeAccepted(name: string, curve: Curve, bytes: Uint8Array): AcceptedVector {
  const decoded = decodeEnvelope(bytes)
  if (!decoded.ok) throw new Error(`${name}: ${decoded.message}`)
  return {
    name,
    bytes: toHex(bytes),
    curve,
    digest: decoded.envelope.digest,
    verifies: !name.includes('does not verify'),
    envelope: toJson(decoded.envelope),
  }
}

/** What an envelope says, as JSON: bigints as decimal strings, no bytes. */
export function toJson(envelope: Envelope): Record<string, unknown> {
  const { signature: _, signedBytes: __, ...said } = envelope
  return JSON.parse(
    JSON.stringify(said, (_key, value) => (typeof value === 'bigint' ? value.toString() : value)),
  )
}

function craftPack(records: readonly (readonly Entry[])[]): Uint8Array {
  return craft({
    payload: encode(records.map((entries) => new Map<CborValue, CborValue>(entries))),
  })
}

function craftDeclaration(entries: readonly Entry[]): Uint8Array {
  return craft({
    protectedBytes: declarationHeader(),
    payload: encode(new Map<CborValue, CborValue>(entries)),
  })
}

function declarationHeader(): Uint8Array {
  return encode(headerWith(P256, [[3, 'application/vnd.liquefy.declaration+cbor']]))
}

function manyRecords(count: number): Uint8Array {
  const first = fromHex('0xa321616c221a68e778000200')
  const head = Uint8Array.of(0x99, count >> 8, count & 255)
  const others = new Uint8Array(3 * (count - 1)).map((_, at) => [0xa1, 2, 0][at % 3] ?? 0)
  return concatBytes(head, first, others)
}

/** Replaces the one place where `from` stands; appends `tail` (hex) to the end. */
function spoil(bytes: Uint8Array, from: string, to: string, tail = ''): Uint8Array {
  const hex = toHex(bytes).slice(2)
  if (!hex.includes(from)) throw new Error(`${from} does not occur in ${hex}`)
  return fromHex(`0x${hex.replace(from, to)}${tail}`)
}

function duplicated(header: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of((header[0] ?? 0) + 1), header.subarray(1), fromHex('0x0126'))
}

function indefinite(pack: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(0x9f), pack.subarray(1), Uint8Array.of(0xff))
}

function reversed(map: Map<CborValue, CborValue>): Uint8Array {
  const entries = [...map].map(([key, value]) => concatBytes(encode(key), encode(value)))
  return concatBytes(Uint8Array.of(0xa0 | map.size), ...entries.reverse())
}

function detached(envelope: Uint8Array): Uint8Array {
  const payload = encode(encode(PACK))
  const signature = envelope.subarray(envelope.length - 66)
  const before = envelope.subarray(0, envelope.length - 66 - payload.length)
  return concatBytes(before, Uint8Array.of(0xf6), signature)
}

function withS(envelope: Uint8Array, change: (s: bigint) => bigint): Uint8Array {
  const head = envelope.subarray(0, envelope.length - 32)
  const s = BigInt(toHex(envelope.subarray(envelope.length - 32)))
  return concatBytes(head, fromHex(`0x${change(s).toString(16).padStart(64, '0')}`))
}
