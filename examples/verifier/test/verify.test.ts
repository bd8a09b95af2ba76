import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Entry, LOG_KEY, memoryLog } from '../../../packages/protocol/test/trust/memory-log.ts'
import { KEY, memoryStream } from '../../../packages/protocol/test/trust/memory-stream.ts'
import { listVectors, vectorsFolder } from '../../../packages/protocol/test/trust/shared-vectors.ts'
import { rootOfConsistency, rootOfInclusion } from '../verify.ts'

const VERIFIER = join(import.meta.dirname, '..', 'verify.ts')
const MOST_LINES = 200
/** Bits that are flipped, one by one, each in a file of its own. */
const FLIPS = process.env.LIQUEFY_NIGHTLY ? 2_000 : 40

const point = ({ x, y }: { x: string; y: string }) => `04${x.slice(2)}${y.slice(2)}`
const jwk = ({ x, y }: { x: string; y: string }) => {
  const part = (hex: string) => Buffer.from(hex.slice(2), 'hex').toString('base64url')
  return JSON.stringify({ kty: 'EC', crv: 'P-256', x: part(x), y: part(y) })
}
const LOG = ['--log-key', point(LOG_KEY.publicKey)]
const KEYS = [...LOG, '--machine-key', point(KEY.publicKey)]

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'liquefy-verifier-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs it as anybody would, in a process of its own. */
function run(content: Uint8Array, args: readonly string[]) {
  const file = join(folder, 'given')
  writeFileSync(file, content)
  const { status, stdout } = spawnSync(process.execPath, [VERIFIER, file, ...args], {
    encoding: 'utf8',
  })
  return { status, lines: stdout.trimEnd().split('\n') }
}

const faults = (parts: readonly Uint8Array[], args: readonly string[]) => {
  const { status, lines } = run(Buffer.concat(parts), args)
  return [status, ...lines.map((line) => line.replace(/^FAULT seq (\d+) ([A-Z]+).*/, '$1 $2'))]
}

const HOLDS = [0, 'HOLDS']

async function statementsOf(entries: readonly Entry[]): Promise<Uint8Array[]> {
  const log = memoryLog(entries)
  return Promise.all(entries.map((_, index) => log.statement(index)))
}

async function plainStream(count = 12) {
  const stream = memoryStream()
  const entries = Array.from({ length: count }, (_, index) => stream.read(BigInt(index)))
  const { seq, digest } = stream.head()
  return { statements: await statementsOf(entries), args: [...KEYS, '--to', `${seq}:${digest}`] }
}

const flip = (bytes: Uint8Array, bit: number) =>
  bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)))

describe('what it is', () => {
  const text = readFileSync(VERIFIER, 'utf8')

  test(`at most ${MOST_LINES} lines`, () => {
    expect(text.split('\n').length - 1).toBeLessThanOrEqual(MOST_LINES)
  })

  test('with modules of Node alone', () => {
    const imports = [...text.matchAll(/\bfrom '([^']+)'|\bimport\(|\brequire\(/g)]
    expect(imports.length).toBeGreaterThan(2)
    for (const [, name] of imports) expect(name).toMatch(/^node:/)
  })
})

describe('a statement', () => {
  test('holds, with the machine key in hex or as a JWK', async () => {
    const [first = new Uint8Array(0)] = (await plainStream()).statements
    expect(run(first, KEYS)).toEqual({ status: 0, lines: ['HOLDS'] })
    const asJwk = [...LOG, '--machine-key', jwk(KEY.publicKey)]
    expect(run(first, asJwk)).toEqual({ status: 0, lines: ['HOLDS'] })
  })

  test('any bit that is flipped is found', async () => {
    const statement = (await plainStream()).statements[7] ?? new Uint8Array(0)
    const step = Math.max(1, Math.floor((statement.length * 8) / FLIPS))
    let flipped = 0
    for (let bit = 3; bit < statement.length * 8; bit += step + 1) {
      const { status, lines } = run(flip(statement, bit), KEYS)
      expect([status, lines[0]?.slice(0, 5)], `bit ${bit}`).toEqual([1, 'FAULT'])
      flipped += 1
    }
    expect(flipped).toBeGreaterThan(20)
  }, 600_000)

  test('of another machine or another log does not hold', async () => {
    const [first = new Uint8Array(0)] = (await plainStream()).statements
    const log = point(LOG_KEY.publicKey)
    const machine = point(KEY.publicKey)
    const strange = point({ x: `0x${'00'.repeat(31)}01`, y: `0x${'00'.repeat(32)}` })
    expect(run(first, ['--log-key', log, '--machine-key', log]).status).toBe(1)
    expect(run(first, ['--log-key', machine, '--machine-key', machine]).status).toBe(1)
    expect(run(first, ['--log-key', strange, '--machine-key', machine]).status).toBe(1)
  })
})

describe('a stream', () => {
  test('that is whole holds', async () => {
    const { statements, args } = await plainStream()
    expect(faults(statements, args)).toEqual(HOLDS)
  })

  test('each kind of tampering is named by seq', async () => {
    const { statements, args } = await plainStream()
    const [a, b] = [statements[4], statements[5]]
    if (!a || !b) throw new Error('there are twelve')
    const foreign = await statementsOf([memoryStream('mass').read(1n)])
    const stranger = `12:0x${'ab'.repeat(32)}`
    expect(faults(statements.toSpliced(4, 1), args)).toEqual([1, '5 OMITTED'])
    expect(faults(statements.toSpliced(0, 1), args)).toEqual([1, '1 OMITTED'])
    expect(faults(statements.toSpliced(11, 1), args)).toEqual([1, '12 OMITTED'])
    expect(faults(statements.with(4, b).with(5, a), args)).toEqual([1, '5 REORDERED'])
    expect(faults(statements.toSpliced(4, 0, a), args)).toEqual([1, '5 DUPLICATED'])
    expect(faults(statements.toSpliced(4, 0, ...foreign), args)).toEqual([1, '1 FOREIGN'])
    expect(faults(statements, [...KEYS, '--to', stranger])).toEqual([1, '12 ALTERED'])
    const spoilt = flip(a, 8 * (a.length - 5))
    expect(faults(statements.with(4, spoilt), args)).toEqual([1, '5 ALTERED'])
  })

  test('what the machine declared missing is no fault, and what lies behind the declaration is', async () => {
    const stream = memoryStream()
    const entries = [stream.read(1n)]
    for (const value of [2n, 3n]) stream.read(value)
    entries.push(stream.gap([2n, 9n], 'the memory card was lost'), stream.read(4n), stream.read(5n))
    const { seq, digest } = stream.head()
    const args = [...KEYS, '--to', `${seq}:${digest}`]
    const statements = await statementsOf(entries)
    expect(faults(statements, args)).toEqual(HOLDS)
    expect(faults(statements.toSpliced(2, 1), args)).toEqual([1, '5 OMITTED'])
    expect(faults(statements.toSpliced(1, 1), args)).toEqual([1, '2 OMITTED'])
  })

  test('a second envelope under one number, and a broken link that the log says, are no faults', async () => {
    const stream = memoryStream()
    const entries = [stream.read(1n), stream.read(2n)]
    entries.push(stream.read(9n, { seq: 2n }, 'EQUIVOCATION'))
    entries.push(stream.read(3n, { prev: `0x${'77'.repeat(32)}` }, 'CHAIN_BROKEN'), stream.read(4n))
    const { seq, digest } = stream.head()
    const args = [...KEYS, '--to', `${seq}:${digest}`]
    expect(faults(await statementsOf(entries), args)).toEqual(HOLDS)
  })
})

describe('a receipt of consistency', () => {
  test('holds from the old root alone', async () => {
    const stream = memoryStream()
    const log = memoryLog(Array.from({ length: 11 }, (_, index) => stream.read(BigInt(index))))
    for (const size of [1, 4, 7]) {
      const receipt = await log.consistency(size, 11)
      const root = log.rootOf(size).slice(2)
      expect(run(receipt, [...LOG, '--old-root', root])).toEqual({ status: 0, lines: ['HOLDS'] })
      const other = log.rootOf(size + 1).slice(2)
      expect(run(receipt, [...LOG, '--old-root', other]).status).toBe(1)
    }
  })
})

describe('wrong usage is 2 and says how', () => {
  test.each([
    ['no key', []],
    ['an option that is none', [...KEYS, '--trust-me']],
    ['a head that is none', [...KEYS, '--to', 'twelve']],
  ])('%s', (_, args) => {
    const { status, lines } = run(new Uint8Array(0), args)
    expect(status).toBe(2)
    expect(lines.join()).toContain('node verify.ts')
  })
})

const vectors = vectorsFolder('merkle-rfc6962')

describe.skipIf(!vectors)('RFC 6962 vectors of transparency-dev/merkle', () => {
  if (!vectors) return
  /** Beyond 2^53 JSON would round. */
  const read = (file: string) => {
    const text = readFileSync(join(vectors, file), 'utf8')
    const exact = text.replace(/: (\d+)(,?)$/gm, ': "$1"$2')
    return JSON.parse(exact) as Record<string, string | null> & {
      proof: string[] | null
      wantErr: boolean
    }
  }
  const bytes = (text: string | null | undefined) => Buffer.from(text ?? '', 'base64')
  const holds = (root: () => Buffer, expected: Buffer) => {
    try {
      return root().equals(expected)
    } catch {
      return false
    }
  }

  test.each(listVectors(vectors, /^inclusion_.*\.json$/))('%s', (file) => {
    const { leafHash, leafIdx, treeSize, root, proof, wantErr } = read(file)
    const [index, size] = [BigInt(leafIdx ?? 0), BigInt(treeSize ?? 0)]
    const path = (proof ?? []).map(bytes)
    const found = () => rootOfInclusion(bytes(leafHash), index, size, path)
    const isHash = [bytes(leafHash), ...path].every(({ length }) => length === 32)
    expect(isHash && holds(found, bytes(root))).toBe(!wantErr)
  })

  test.each(listVectors(vectors, /^consistency_.*\.json$/))('%s', (file) => {
    const { size1, size2, root1, root2, proof, wantErr } = read(file)
    const [old, size] = [BigInt(size1 ?? 0), BigInt(size2 ?? 0)]
    const path = (proof ?? []).map(bytes)
    // Equal sizes have no proof, and a receipt of them there is none.
    const isSame = old === size && path.length === 0 && bytes(root1).equals(bytes(root2))
    const found = () => rootOfConsistency(old, bytes(root1), size, path)
    expect(isSame || holds(found, bytes(root2))).toBe(!wantErr)
  })
})
