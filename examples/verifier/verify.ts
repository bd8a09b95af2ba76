// Checks what a Liquefy log has signed, with modules of Node alone. The rules: docs/protocol/receipt.md.
import { fail } from 'node:assert/strict'
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

const USAGE = `node verify.ts <statement file> --log-key <key> --machine-key <key>
node verify.ts <stream file> --log-key <key> --machine-key <key> --to <seq>:<digest> [--from <seq>:<digest>]
node verify.ts <receipt of consistency> --log-key <key> --old-root <hex>
<key>: x and y in hex, or a JWK; --machine-key may be repeated. Exit code: 0 it holds, 1 it does not, 2 wrong usage.`
type Cbor = bigint | string | null | Buffer | Cbor[] | Fields
type Fields = Map<Cbor, Cbor>
type Range = [first: bigint, last: bigint]
type Key = (curve: string) => KeyObject
type Head = { seq: bigint; digest?: string | undefined }
const sha256 = (bytes: Uint8Array[]) => createHash('sha256').update(Buffer.concat(bytes)).digest()
const hex = (bytes: Buffer) => bytes.toString('hex')
const parent = (left: Buffer, right: Buffer) => sha256([Uint8Array.of(1), left, right])

/** One item of CBOR (RFC 8949) with definite lengths, without its tags, and where the next one begins. */
function item(bytes: Buffer, at: number): [value: Cbor, next: number] {
  const [major, minor] = [bytes.readUInt8(at) >> 5, bytes.readUInt8(at) & 31]
  let next = at + 1 + (minor < 24 ? 0 : 1 << (minor - 24))
  if (minor > 27 || next > bytes.length) fail('the CBOR is cut off')
  const argument = minor < 24 ? BigInt(minor) : BigInt(`0x${bytes.toString('hex', at + 1, next)}`)
  if (major < 2) return [major === 0 ? argument : -1n - argument, next]
  if (major === 6) return item(bytes, next)
  if (major === 7) return [minor === 22 ? null : `simple ${argument}`, next]
  if (major < 4) {
    const part = bytes.subarray(next, next + Number(argument))
    if (BigInt(part.length) !== argument) fail('the CBOR is cut off')
    return [major === 2 ? part : part.toString(), next + part.length]
  }
  const items: Cbor[] = []
  for (let left = argument << BigInt(major - 4); left > 0n; left -= 1n) {
    const [value, end] = item(bytes, next)
    items.push(value)
    next = end
  }
  const pairs = items.flatMap((key, n) => (n % 2 ? [] : [[key, items[n + 1] ?? null] as const]))
  return [major === 4 ? items : new Map(pairs), next]
}

function decode<T extends Cbor>(bytes: Buffer): T {
  const [value, end] = item(bytes, 0)
  return end === bytes.length ? (value as T) : fail('bytes are left behind the CBOR')
}
const lengthOf = (n: number) =>
  Uint8Array.from(n < 24 ? [64 + n] : n < 256 ? [88, n] : [89, n >> 8, n & 255])

/** Takes a COSE_Sign1 (RFC 9052) apart; `over` is what it signs with this payload. */
function sign1(bytes: Buffer) {
  if (bytes[0] !== 0xd2) fail('no COSE_Sign1 with tag 18')
  const parts = decode<[Buffer, Fields, Buffer | null, Buffer, ...Cbor[]]>(bytes)
  const [protect, unprotected, payload, signature] = parts
  const header = decode<Fields>(protect)
  const over = (content: Buffer) => {
    const fields = [protect, Buffer.alloc(0), content].flatMap((of) => [lengthOf(of.length), of])
    return Buffer.concat([Buffer.from('\x84jSignature1', 'latin1'), ...fields])
  }
  const verifies = (keyOn: Key, content: Buffer) => {
    const key = keyOn(header.get(1n) === -7n ? 'P-256' : 'secp256k1')
    return verify('sha256', over(content), { key, dsaEncoding: 'ieee-p1363' }, signature)
  }
  return { header, unprotected, payload, over, verifies }
}

/** Climbs a proof of RFC 9162: the hash of all, and that of what stands on the left alone. */
function climb(at: bigint, last: bigint, path: Buffer[], start: Buffer) {
  let [hash, old] = [start, start]
  for (const sibling of path) {
    if (last === 0n) fail('the path is too long')
    const isLeft = (at & 1n) === 1n || at === last
    hash = isLeft ? parent(sibling, hash) : parent(hash, sibling)
    if (isLeft) old = parent(sibling, old)
    while (isLeft && (at & 1n) === 0n && at !== 0n) [at, last] = [at >> 1n, last >> 1n]
    ;[at, last] = [at >> 1n, last >> 1n]
  }
  return last === 0n ? { hash, old } : fail('the path is too short')
}

/** The root that an inclusion proof leads to (RFC 9162, 2.1.3.2). */
export function rootOfInclusion(leaf: Buffer, index: bigint, size: bigint, path: Buffer[]) {
  return index < size ? climb(index, size - 1n, path, leaf).hash : fail('there is no such leaf')
}

/** The root that a consistency proof leads to from the root of `size1` leaves (RFC 9162, 2.1.4.2). */
export function rootOfConsistency(size1: bigint, root1: Buffer, size2: bigint, path: Buffer[]) {
  if (size1 < 1n || size1 >= size2 || path.length === 0) fail('no proof between these sizes')
  const [first = root1, ...rest] = (size1 & (size1 - 1n)) === 0n ? [root1, ...path] : path
  let [at, last] = [size1 - 1n, size2 - 1n]
  while ((at & 1n) === 1n) [at, last] = [at >> 1n, last >> 1n]
  const { hash, old } = climb(at, last, rest, first)
  return old.equals(root1) ? hash : fail('it does not extend that root')
}

/** The proof in a receipt (RFC 9942): its size must be the one that the log has signed. */
function proofIn({ header, unprotected, payload }: ReturnType<typeof sign1>, kind: -1n | -2n) {
  const [proof = fail('no such proof')] = (unprotected.get(396n) as Fields).get(kind) as Buffer[]
  const [a, b, path] = decode<Cbor[]>(proof) as [bigint, bigint, Buffer[]]
  const [size, other] = kind === -1n ? [a, b] : [b, a]
  const isOurs = payload === null && header.get(395n) === 1n && header.get(-70_101n) === size
  return isOurs ? { size, other, path } : fail('no receipt of that kind, or of another size')
}

/** Verifies a statement (RFC 9943): a machine has signed it, and it is in the log. */
function statement(bytes: Buffer, logKey: Key, machineKeys: Key[]) {
  const { header, unprotected, payload, over, verifies } = sign1(bytes)
  if (!payload || !machineKeys.some((key) => verifies(key, payload))) fail('no machine signed it')
  const [given = fail('it has no receipt')] = unprotected.get(394n) as Buffer[]
  const receipt = sign1(given)
  const { size, other: index, path } = proofIn(receipt, -1n)
  const [time, code] = [Buffer.alloc(8), receipt.unprotected.get(-70_103n)]
  if (typeof code !== 'string') fail('the admission code is missing')
  time.writeBigUInt64BE(receipt.unprotected.get(-70_102n) as bigint)
  const digest = sha256([over(payload)])
  const leaf = sha256([Uint8Array.of(0), digest, time, Buffer.from(code)])
  if (!receipt.verifies(logKey, rootOfInclusion(leaf, index, size, path))) fail('no log signed it')
  const [seq, prev] = [header.get(-70_001n) as bigint, header.get(-70_002n) as Buffer]
  const missing = header.has(3n) && code === 'OK' ? decode<Fields>(payload).get(5n) : undefined
  const [a, b] = (missing ?? [1n, 0n]) as [bigint, bigint]
  const stream = [1n, 2n].map((claim) => (header.get(15n) as Fields).get(claim)).join(' ')
  const gap: Range = [a, b < seq ? b : seq - 1n]
  return { stream, seq, prev: hex(prev), digest: hex(digest), code, index, gap }
}

/** What is wrong with a stream between two heads, by seq; what its machine declared missing is no fault. */
function streamFaults(bytes: Buffer, logKey: Key, machineKeys: Key[], from: Head, to: Head) {
  const [faults, covered, seen]: [string[], Range[], Set<string>] = [[], [], new Set()]
  const add = (seq: bigint, what: string) => faults.push(`seq ${seq} ${what}`)
  let last: Head & { index?: bigint; code?: string; stream?: string } = from
  for (let at = 0, next = bytes.length; at < bytes.length; at = next, next = bytes.length) {
    try {
      next = item(bytes, at)[1]
      const one = statement(bytes.subarray(at, next), logKey, machineKeys)
      const { seq, digest, stream } = one
      const later = (last.index ?? -1n) < one.index ? one : last
      const isTorn = seq === last.seq + 1n && last.digest && one.prev !== last.digest
      const isForeign = stream !== (last.stream ?? stream) || seq <= from.seq || seq > to.seq
      if (isForeign) add(seq, 'FOREIGN')
      else if (seen.has(digest)) add(seq, 'DUPLICATED')
      else if (seq < last.seq) add(seq, 'REORDERED')
      else if (isTorn && later.code !== 'CHAIN_BROKEN') add(last.seq, 'ALTERED: next names another')
      seen.add(digest)
      if (isForeign || one.code === 'EQUIVOCATION') continue
      covered.push([seq, seq], one.gap)
      if (seq > last.seq) last = one
    } catch (error) {
      last = { ...last, seq: last.seq + 1n, digest: undefined }
      covered.push([last.seq, last.seq])
      add(last.seq, `ALTERED: ${(error as Error).message}`)
    }
  }
  if (last.seq === to.seq && last.digest && last.digest !== to.digest)
    add(to.seq, 'ALTERED: no such head')
  let next = from.seq + 1n
  covered.push([to.seq + 1n, to.seq + 1n])
  for (const [a, b] of covered.sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (a > next) add(next, `OMITTED, up to seq ${a - 1n}`)
    if (b >= next) next = b + 1n
  }
  return faults
}

function keyOf(text = ''): Key {
  const [, x, y = ''] = /^(?:0x)?(?:04)?([0-9a-f]{64})([0-9a-f]{64})$/i.exec(text) ?? []
  const part = (digits: string) => Buffer.from(digits, 'hex').toString('base64url')
  const jwk = x ? { kty: 'EC', x: part(x), y: part(y) } : JSON.parse(text)
  return (crv) => createPublicKey({ key: { crv, ...jwk }, format: 'jwk' })
}

function faultsIn(args: string[]): string[] {
  const [text, texts] = [{ type: 'string' }, { type: 'string', multiple: true }] as const
  const options = { 'log-key': text, 'machine-key': texts, 'old-root': text, from: text, to: text }
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options })
  const [logKey, machineKeys] = [keyOf(values['log-key']), (values['machine-key'] ?? []).map(keyOf)]
  const [from, to] = [values.from ?? `0:${'0'.repeat(64)}`, values.to ?? ''].map((text): Head => {
    const [seq = '', digest] = text.replace(':0x', ':').split(':')
    return { seq: BigInt(seq), digest }
  })
  const bytes = readFileSync(positionals[0] ?? '')
  process.exitCode = 1
  if (from && to?.digest) return streamFaults(bytes, logKey, machineKeys, from, to)
  if (values['old-root'] === undefined) return statement(bytes, logKey, machineKeys) && []
  const receipt = sign1(bytes)
  const { size, other, path } = proofIn(receipt, -2n)
  const root = rootOfConsistency(other, Buffer.from(values['old-root'], 'hex'), size, path)
  return receipt.verifies(logKey, root) ? [] : ['no such root signed']
}

if (import.meta.main) {
  process.exitCode = 2
  try {
    const faults = faultsIn(process.argv.slice(2))
    process.exitCode = faults.length > 0 ? 1 : 0
    console.log(faults.map((fault) => `FAULT ${fault}`).join('\n') || 'HOLDS')
  } catch (error) {
    console.log(process.exitCode === 1 ? `FAULT ${(error as Error).message}` : `${error}\n${USAGE}`)
  }
}
