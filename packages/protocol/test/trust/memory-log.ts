import {
  accountOf,
  append,
  consistencyProof,
  emptyFrontier,
  emptyRoot,
  encodeConsistencyReceipt,
  encodeInclusionReceipt,
  encodeRootHeader,
  encodeStatement,
  frontierRoot,
  type Hex,
  inclusionProof,
  type LogIdentity,
  leafData,
  leafHash,
  type PrivateKey,
  privateKeyFromBytes,
  rootSigningHash,
  type SignedRoot,
  signDigest,
} from '../../src/index.ts'
import { fromHex } from '../../src/trust/bytes.ts'

export const LOG_KEY = privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(9))
export const IDENTITY: LogIdentity = {
  chainId: 31_337,
  log: accountOf(LOG_KEY.publicKey),
  anchor: '0x0303030303030303030303030303030303030303',
}

/** What a log takes in. */
export type Entry = { bytes: Uint8Array; digest: Hex; loggedAt: number; code: string }

/** A log in memory that signs receipts. */
export function memoryLog(entries: readonly Entry[], key: PrivateKey = LOG_KEY) {
  const nodes = new Map<string, Hex>()
  const roots: Hex[] = [emptyRoot]
  let frontier = emptyFrontier
  for (const { digest, loggedAt, code } of entries) {
    const grown = append(frontier, leafHash(leafData(digest, loggedAt, code)))
    frontier = grown.frontier
    roots.push(frontierRoot(frontier))
    for (const { level, index, hash } of grown.completed) nodes.set(`${level}/${index}`, hash)
  }
  const read = async (level: number, index: bigint) => nodes.get(`${level}/${index}`) ?? emptyRoot

  const sign = (size: number, root: Hex = roots[size] ?? emptyRoot): SignedRoot => {
    const identity = { ...IDENTITY, log: accountOf(key.publicKey) }
    const header = { key: key.publicKey, size: BigInt(size), iat: 1_760_000_000 }
    const protectedBytes = encodeRootHeader(identity, header)
    const signature = signDigest(key, fromHex(rootSigningHash(protectedBytes, root)))
    return { size: BigInt(size), root, protectedBytes, signature }
  }
  const entryAt = (index: number) => {
    const entry = entries[index]
    if (!entry) throw new Error(`no entry ${index}`)
    return entry
  }
  const receipt = async (index: number, size = entries.length) => {
    const { loggedAt, code } = entryAt(index)
    const path = await inclusionProof(BigInt(index), BigInt(size), read)
    return encodeInclusionReceipt(sign(size), { index: BigInt(index), path, loggedAt, code })
  }
  return {
    rootOf: (size: number) => roots[size] ?? emptyRoot,
    sign,
    receipt,
    consistency: async (size1: number, size2: number) => {
      const path = await consistencyProof(BigInt(size1), BigInt(size2), read)
      return encodeConsistencyReceipt(sign(size2), { size1: BigInt(size1), path })
    },
    statement: async (index: number, size = entries.length) =>
      encodeStatement(entryAt(index).bytes, [await receipt(index, size)]),
  }
}
