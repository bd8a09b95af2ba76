import type { Hex } from 'viem'
import { LiquefyError } from '../error.ts'
import { fromHex, toHex } from './bytes.ts'
import { type CborMap, type CborValue, decodeStrict, encode } from './cbor.ts'
import { CURVE_ALG, CWT_CLAIM, decodeSign1, encodeSign1, sigStructure } from './cose.ts'
import { didKey, parseDidKey } from './did.ts'
import { keyId, type PublicKey, type SigningKey } from './key.ts'
import { sha256, sign, verify } from './signature.ts'

/** A file by name, with the SHA-256 of its bytes. */
export type NamedDigest = { name: string; digest: Hex }

/** What a maker says of a design: the files that it is made of. */
export type Design = { kind: 'design'; name: string; version: string; files: NamedDigest[] }

/** What a maker says of one part that he has built. `builtAt` in seconds since 1970. */
export type Build = {
  kind: 'build'
  model: string
  serial: string
  /** SHA-256 of what was built in: firmware, or whatever the maker calls the artefact. */
  artefact: Hex
  /** Id of the design record that it was built from. */
  design: Hex
  builtAt: number
  /** What else went in. */
  inputs: NamedDigest[]
}

/** A record that could be read. Its signature is not verified yet. */
export type OriginRecord = {
  /** SHA-256 of the record's bytes, as `sha256sum` gives it for its file. */
  recordId: Hex
  /** The maker: a did:key, which holds the key that the record is to verify under. */
  issuer: string
  /** `<name>@<version>` of a design, `<model>/<serial>` of a part. */
  subject: string
  /** When it was signed, seconds since 1970. */
  issuedAt: number
  key: PublicKey
  content: Design | Build
  signedBytes: Uint8Array
  signature: Uint8Array
}

/** The outcome of reading one. */
export type ReadOrigin =
  | { ok: true; record: OriginRecord }
  | { ok: false; code: 'ORIGIN_MALFORMED'; message: string }

/** Why a part is not what its records say. */
export type OriginFault = {
  code:
    | 'ORIGIN_MALFORMED'
    | 'ORIGIN_SIGNATURE_INVALID'
    | 'ORIGIN_MAKER_DIFFERS'
    | 'ORIGIN_DESIGN_DIFFERS'
    | 'ORIGIN_ARTEFACT_DIFFERS'
  message: string
}

/** Size of the largest record, in bytes. */
export const MAX_ORIGIN_BYTES = 65_536

const MAX_FILES = 512
const LABEL = { alg: 1, contentType: 3, kid: 4, cwtClaims: 15 } as const
const CONTENT_TYPE = {
  design: 'application/vnd.liquefy.design+cbor',
  build: 'application/vnd.liquefy.build+cbor',
} as const
const NO_AAD = new Uint8Array(0)
const LIMITS = { maxBytes: MAX_ORIGIN_BYTES, maxDepth: 4, tags: [] }
/** One line that a terminal shows as it is. */
const WORDS = /^[^\p{C}]{1,128}$/u

/**
 * Signs a design or build record: a SCITT Signed Statement (RFC 9943), that is a COSE_Sign1 (RFC 9052) whose protected header has the maker as `iss` and
 * the subject as `sub` among the CWT claims (RFC 9597).
 *
 * @param maker signs, and is named by the did:key of his public key.
 * @throws LiquefyError `ORIGIN_MALFORMED` if what is said could not be read back.
 */
export function signOrigin(
  maker: SigningKey,
  content: Design | Build,
  issuedAt: number,
): Uint8Array {
  const protectedBytes = encode(
    new Map<CborValue, CborValue>([
      [LABEL.alg, CURVE_ALG[maker.curve]],
      [LABEL.contentType, CONTENT_TYPE[content.kind]],
      [LABEL.kid, fromHex(keyId(maker.publicKey))],
      [
        LABEL.cwtClaims,
        new Map<CborValue, CborValue>([
          [CWT_CLAIM.iss, didKey(maker.publicKey)],
          [CWT_CLAIM.sub, subjectOf(content)],
          [CWT_CLAIM.iat, issuedAt],
        ]),
      ],
    ]),
  )
  const payload = encode(content.kind === 'design' ? designMap(content) : buildMap(content))
  const signature = sign(maker, sigStructure(protectedBytes, NO_AAD, payload))
  const bytes = encodeSign1(protectedBytes, payload, signature)
  const read = readOrigin(bytes)
  if (!read.ok) throw new LiquefyError(read.code, read.message)
  return bytes
}

const HEADER_LABELS = 4

/** Reads a record strictly. Never throws; whether it is signed by who it names, `isSigned` says. */
export function readOrigin(bytes: Uint8Array): ReadOrigin {
  if (bytes.length > MAX_ORIGIN_BYTES) return malformed(`more than ${MAX_ORIGIN_BYTES} bytes`)
  const opened = decodeSign1(bytes)
  if (!opened.ok) return malformed(opened.message)
  const { tagged, protectedBytes, protectedHeader, payload, signature } = opened.sign1
  if (!payload) return malformed('the payload is detached')
  // One signed record has one id: nothing that is not signed may stand in its bytes.
  if (!tagged || opened.sign1.unprotectedHeader.size > 0) {
    return malformed('it has tag 18 and nothing in its unprotected header')
  }
  if (protectedHeader.size !== HEADER_LABELS) {
    return malformed('the protected header has alg, content type, kid and CWT claims, and no more')
  }
  try {
    const claims = asMap(protectedHeader.get(LABEL.cwtClaims), 'CWT claims')
    const issuer = asText(claims.get(CWT_CLAIM.iss), 'iss')
    const parsed = parseDidKey(issuer)
    if (!parsed.ok) return malformed(`iss: ${parsed.message}`)
    const { key } = parsed
    if (protectedHeader.get(LABEL.alg) !== CURVE_ALG[key.curve]) {
      return malformed(`alg is not that of the key on ${key.curve} that iss names`)
    }
    const kid = protectedHeader.get(LABEL.kid)
    if (!(kid instanceof Uint8Array) || toHex(kid) !== keyId(key)) {
      return malformed('kid is not the id of the key that iss names')
    }
    const decoded = decodeStrict(payload, LIMITS)
    if (!decoded.ok) return malformed(`payload: ${decoded.message}`)
    const content = readContent(
      protectedHeader.get(LABEL.contentType),
      asMap(decoded.value, 'payload'),
    )
    const subject = asText(claims.get(CWT_CLAIM.sub), 'sub')
    if (subject !== subjectOf(content)) return malformed('sub is not what the payload speaks of')
    const record = {
      recordId: toHex(sha256(bytes)),
      issuer,
      subject,
      issuedAt: asSeconds(claims.get(CWT_CLAIM.iat), 'iat'),
      key,
      content,
      signedBytes: sigStructure(protectedBytes, NO_AAD, payload),
      signature,
    }
    return { ok: true, record }
  } catch (error) {
    if (error instanceof Unreadable) return malformed(error.message)
    throw error
  }
}

/** True if the maker that a record names has signed it. */
export function isSigned({ key, signedBytes, signature }: OriginRecord): boolean {
  return verify(key, signedBytes, signature)
}

/**
 * What does not fit of a part: each record is signed by who it names, the build is from this very design, and the artefact is the one that was built in.
 *
 * @param given.artefact SHA-256 of the file at hand.
 * @param given.maker did:key that the buyer knows the maker by, from elsewhere: without it, anybody may have signed.
 */
export function checkOrigin(given: {
  build: Uint8Array
  design?: Uint8Array | undefined
  artefact?: Hex | undefined
  maker?: string | undefined
}): { build: OriginRecord | undefined; design: OriginRecord | undefined; faults: OriginFault[] } {
  const faults: OriginFault[] = []
  const readAs = (kind: 'build' | 'design', bytes: Uint8Array): OriginRecord | undefined => {
    const read = readOrigin(bytes)
    if (!read.ok || read.record.content.kind !== kind) {
      const why = read.ok ? `it is a ${read.record.content.kind} record` : read.message
      faults.push({ code: 'ORIGIN_MALFORMED', message: `This is no ${kind} record: ${why}.` })
      return undefined
    }
    if (!isSigned(read.record)) {
      faults.push({
        code: 'ORIGIN_SIGNATURE_INVALID',
        message: `The ${kind} record is not signed by ${read.record.issuer}, whom it names as its maker.`,
      })
    }
    return read.record
  }
  const build = readAs('build', given.build)
  const design = given.design && readAs('design', given.design)
  if (build && given.maker !== undefined && build.issuer !== given.maker) {
    faults.push({
      code: 'ORIGIN_MAKER_DIFFERS',
      message: `The build record is by ${build.issuer}, not by ${given.maker}.`,
    })
  }
  if (build?.content.kind !== 'build') return { build, design, faults }
  const { content } = build
  if (design && content.design !== design.recordId) {
    faults.push({
      code: 'ORIGIN_DESIGN_DIFFERS',
      message: `The part was built from the design record ${content.design}; the one given is ${design.recordId}.`,
    })
  }
  if (given.artefact !== undefined && content.artefact !== given.artefact) {
    faults.push({
      code: 'ORIGIN_ARTEFACT_DIFFERS',
      message: `What was built in has the SHA-256 ${content.artefact}; the file given has ${given.artefact}.`,
    })
  }
  return { build, design, faults }
}

function subjectOf(content: Design | Build): string {
  return content.kind === 'design'
    ? `${content.name}@${content.version}`
    : `${content.model}/${content.serial}`
}

const filesMap = (files: readonly NamedDigest[]): CborValue[] =>
  files.map(
    ({ name, digest }): CborMap =>
      new Map<CborValue, CborValue>([
        ['name', name],
        ['sha256', fromHex(digest)],
      ]),
  )

function designMap({ name, version, files }: Design): CborMap {
  return new Map<CborValue, CborValue>([
    ['name', name],
    ['version', version],
    ['files', filesMap(files)],
  ])
}

function buildMap({ model, serial, artefact, design, builtAt, inputs }: Build): CborMap {
  return new Map<CborValue, CborValue>([
    ['model', model],
    ['serial', serial],
    ['artefact', fromHex(artefact)],
    ['design', fromHex(design)],
    ['built', builtAt],
    ['inputs', filesMap(inputs)],
  ])
}

function readContent(contentType: CborValue | undefined, payload: CborMap): Design | Build {
  if (contentType === CONTENT_TYPE.design) {
    only(payload, ['name', 'version', 'files'])
    return {
      kind: 'design',
      name: asText(payload.get('name'), 'name'),
      version: asText(payload.get('version'), 'version'),
      files: asFiles(payload.get('files'), 'files'),
    }
  }
  if (contentType !== CONTENT_TYPE.build) throw new Unreadable('no design or build record')
  only(payload, ['model', 'serial', 'artefact', 'design', 'built', 'inputs'])
  return {
    kind: 'build',
    model: asText(payload.get('model'), 'model'),
    serial: asText(payload.get('serial'), 'serial'),
    artefact: asDigest(payload.get('artefact'), 'artefact'),
    design: asDigest(payload.get('design'), 'design'),
    builtAt: asSeconds(payload.get('built'), 'built'),
    inputs: asFiles(payload.get('inputs'), 'inputs'),
  }
}

class Unreadable extends Error {}

function only(map: CborMap, keys: readonly string[]): void {
  for (const key of map.keys()) {
    if (!keys.includes(String(key))) throw new Unreadable(`${String(key)} has no meaning`)
  }
}

function asMap(value: CborValue | undefined, what: string): CborMap {
  if (value instanceof Map) return value
  throw new Unreadable(`${what} must be a map`)
}

function asText(value: CborValue | undefined, what: string): string {
  if (typeof value === 'string' && WORDS.test(value)) return value
  throw new Unreadable(`${what} must be a line of 1 to 128 letters`)
}

function asSeconds(value: CborValue | undefined, what: string): number {
  if (typeof value === 'number' && value >= 0) return value
  throw new Unreadable(`${what} must be seconds since 1970`)
}

function asDigest(value: CborValue | undefined, what: string): Hex {
  if (value instanceof Uint8Array && value.length === 32) return toHex(value)
  throw new Unreadable(`${what} must be a SHA-256 of 32 bytes`)
}

function asFiles(value: CborValue | undefined, what: string): NamedDigest[] {
  if (!Array.isArray(value) || value.length > MAX_FILES) {
    throw new Unreadable(`${what} must be a list of at most ${MAX_FILES} files`)
  }
  return value.map((one) => {
    const file = asMap(one, `an item of ${what}`)
    only(file, ['name', 'sha256'])
    return {
      name: asText(file.get('name'), 'name'),
      digest: asDigest(file.get('sha256'), 'sha256'),
    }
  })
}

function malformed(message: string): { ok: false; code: 'ORIGIN_MALFORMED'; message: string } {
  return { ok: false, code: 'ORIGIN_MALFORMED', message }
}
