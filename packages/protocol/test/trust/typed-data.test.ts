import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Address, Hex, TypedDataDefinition } from 'viem'
import { hashTypedData, keccak256, stringToBytes } from 'viem/utils'
import { describe, expect, it } from 'vitest'
import {
  CURVE_NUMBER,
  type Curve,
  checkpointDigest,
  headsHash,
  keyId,
  privateKeyFromBytes,
  recoverAccount,
  registerControlledDigest,
  registerDigest,
  rekeyDigest,
  rotateDigest,
  signTypedDigest,
  verifyCheckpoint,
  verifyTypedDigest,
} from '../../src/index.ts'
import { fromHex } from '../../src/trust/bytes.ts'
import { readVector, vectorsFolder } from './shared-vectors.ts'

type KeyVector = { curve: number; privateKey: Hex; x: Hex; y: Hex; keyId: Hex; account?: Address }
type Signed = { message: Record<string, string>; digest: Hex; signature: Hex }
type Vectors = {
  domains: Record<'registry' | 'log', { chainId: number; verifyingContract: Address }>
  keys: Record<'device' | 'nextDevice' | 'edge' | 'log', KeyVector>
  register: Signed
  registerSecp256k1: Signed
  registerControlled: Signed
  rotate: Signed & {
    heads: { stream: string; seq: string; digest: Hex }[]
    oldSignature: Hex
    newSignature: Hex
  }
  rekey: Signed
  checkpoint: Signed
}

const root = join(import.meta.dirname, '..', '..', '..', '..')
const vectors: Vectors = JSON.parse(
  readFileSync(join(root, 'docs', 'protocol', 'vectors', 'eip712.json'), 'utf8'),
)
const { chainId, verifyingContract: registry } = vectors.domains.registry
const at = { chainId, registry }
const keys = Object.fromEntries(
  Object.entries(vectors.keys).map(([name, vector]) => {
    const curve: Curve = vector.curve === CURVE_NUMBER.secp256k1 ? 'secp256k1' : 'P-256'
    return [name, privateKeyFromBytes(curve, fromHex(vector.privateKey))]
  }),
) as Record<keyof Vectors['keys'], ReturnType<typeof privateKeyFromBytes>>

const digestOfRegister = ({ message }: Signed) =>
  registerDigest({
    ...at,
    owner: message.owner as Address,
    keyId: message.keyId as Hex,
    verifier: message.verifier as Address,
    deadline: BigInt(message.deadline ?? 0),
  })

describe('docs/protocol/vectors/eip712.json, which the contracts read too', () => {
  it('keys', () => {
    for (const [name, vector] of Object.entries(vectors.keys)) {
      const key = keys[name as keyof typeof keys].publicKey
      expect([key.x, key.y, keyId(key)]).toEqual([vector.x, vector.y, vector.keyId])
    }
  })

  it('Register', () => {
    expect(digestOfRegister(vectors.register)).toBe(vectors.register.digest)
    expect(verifies('device', vectors.register)).toBe(true)
    expect(digestOfRegister(vectors.registerSecp256k1)).toBe(vectors.registerSecp256k1.digest)
    expect(verifies('edge', vectors.registerSecp256k1)).toBe(true)
    expect(signTypedDigest(keys.edge, vectors.registerSecp256k1.digest)).toBe(
      vectors.registerSecp256k1.signature,
    )
  })

  it('RegisterControlled', () => {
    const { message, digest } = vectors.registerControlled
    const computed = registerControlledDigest({
      ...at,
      owner: message.owner as Address,
      controller: BigInt(message.controller ?? 0),
      salt: message.salt as Hex,
      deadline: BigInt(message.deadline ?? 0),
    })
    expect(computed).toBe(digest)
    expect(verifies('edge', vectors.registerControlled)).toBe(true)
  })

  it('Rotate, signed by both keys', () => {
    const { message, heads, digest, oldSignature, newSignature } = vectors.rotate
    const hash = headsHash(heads.map((head) => ({ ...head, seq: BigInt(head.seq) })))
    expect(hash).toBe(message.headsHash)
    const computed = rotateDigest({
      ...at,
      machineId: BigInt(message.machineId ?? 0),
      newKeyId: message.newKeyId as Hex,
      newVerifier: message.newVerifier as Address,
      headsHash: hash,
      nonce: BigInt(message.nonce ?? 0),
      deadline: BigInt(message.deadline ?? 0),
    })
    expect(computed).toBe(digest)
    expect(verifies('device', { digest, signature: oldSignature })).toBe(true)
    expect(verifies('nextDevice', { digest, signature: newSignature })).toBe(true)
    expect(verifies('device', { digest, signature: newSignature })).toBe(false)
  })

  it('Rekey', () => {
    const { message, digest } = vectors.rekey
    const computed = rekeyDigest({
      ...at,
      machineId: BigInt(message.machineId ?? 0),
      newKeyId: message.newKeyId as Hex,
      newVerifier: message.newVerifier as Address,
      nonce: BigInt(message.nonce ?? 0),
      deadline: BigInt(message.deadline ?? 0),
    })
    expect(computed).toBe(digest)
    expect(verifies('nextDevice', vectors.rekey)).toBe(true)
  })

  it('Checkpoint', () => {
    const { message, digest, signature } = vectors.checkpoint
    const checkpoint = {
      chainId: vectors.domains.log.chainId,
      anchor: vectors.domains.log.verifyingContract,
      size: BigInt(message.size ?? 0),
      root: message.root as Hex,
      timestamp: Number(message.timestamp),
    }
    const log = vectors.keys.log.account ?? '0x'
    expect(checkpointDigest(checkpoint)).toBe(digest)
    expect(verifyCheckpoint(checkpoint, signature, log)).toBe(true)
    expect(verifyCheckpoint({ ...checkpoint, size: 124n }, signature, log)).toBe(false)
    expect(verifyCheckpoint(checkpoint, signature, registry)).toBe(false)
    expect(verifyCheckpoint(checkpoint, '0x1234', log)).toBe(false)
  })

  it('INV-08 a signature counts only for its chain, contract and content', () => {
    const { message, digest, signature } = vectors.register
    const input = {
      ...at,
      owner: message.owner as Address,
      keyId: message.keyId as Hex,
      verifier: message.verifier as Address,
      deadline: BigInt(message.deadline ?? 0),
    }
    const changes = [
      { chainId: chainId + 1 },
      { registry: message.owner as Address },
      { owner: registry },
      { keyId: digest },
      { verifier: registry },
      { deadline: 1n },
    ]
    for (const change of changes) {
      const other = registerDigest({ ...input, ...change })
      expect(other).not.toBe(digest)
      expect(verifies('device', { digest: other, signature })).toBe(false)
    }
  })
})

type MailVector = {
  typedData: TypedDataDefinition
  expect: { signHash: Hex; address: Address; v: number; r: Hex; s: Hex }
}

const folder = vectorsFolder('eip712')

describe.skipIf(!folder)('EIP-712 example of the EIP', () => {
  if (!folder) return
  const vector = readVector<MailVector>(folder, 'mail-httpOrigin.json')

  it('hash, signer and signature', () => {
    // The domain of this example has a field that EIP-712 does not define, so viem needs its type spelled out.
    const digest = hashTypedData(vector.typedData)
    expect(digest).toBe(vector.expect.signHash)
    const key = privateKeyFromBytes('secp256k1', fromHex(keccak256(stringToBytes('cow'))))
    const { r, s, v, address } = vector.expect
    const signature: Hex = `${r}${s.slice(2)}${v.toString(16)}`
    expect(signTypedDigest(key, digest)).toBe(signature)
    expect(recoverAccount(digest, signature)).toBe(address.toLowerCase())
    console.log('eip712: 1 vector')
  })
})

function verifies(
  name: keyof Vectors['keys'],
  { digest, signature }: { digest: Hex; signature: Hex },
): boolean {
  return verifyTypedDigest(keys[name].publicKey, digest, signature)
}
