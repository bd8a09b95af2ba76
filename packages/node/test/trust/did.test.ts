import { randomBytes } from 'node:crypto'
import { machineRegistryAbi } from '@liquefy/abi'
import {
  accountAddress,
  publishMachineKey,
  revokeMachineKey,
  rotateMachineKey,
} from '@liquefy/client'
import {
  compressedPoint,
  didEthr,
  didKey,
  multikey,
  type PrivateKey,
  type PublicKey,
  privateKeyFromBytes,
} from '@liquefy/protocol'
import { createVerifiableCredentialJwt, verifyCredential } from 'did-jwt-vc'
import { type DIDDocument, Resolver } from 'did-resolver'
import { getResolver } from 'ethr-did-resolver'
import { toHex } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AccountWorld, nodeKey, openAccountWorld, signByNode } from './account-world.ts'

let world: AccountWorld
let did: string

beforeAll(async () => {
  world = await openAccountWorld()
  const { chainId } = world.node.deployment
  did = didEthr({ chainId, account: accountAddress(world.machine) })
}, 300_000)

afterAll(() => world?.stop())

/** did-resolver and ethr-did-resolver as they are published, on the node's own ledger. */
function resolver(): Resolver {
  const { node } = world
  const { chainId, accounts } = node.deployment
  const network = {
    name: toHex(chainId),
    chainId,
    rpcUrl: node.rpcUrl,
    registry: accounts?.didRegistry,
  }
  return new Resolver({ ...getResolver({ networks: [network] }), key: resolveDidKey })
}

/** A document of one key, which is all that a `did:key` has. */
async function resolveDidKey(id: string) {
  const encoded = id.slice('did:key:'.length)
  const method = `${id}#${encoded}`
  const didDocument: DIDDocument = {
    id,
    verificationMethod: [
      { id: method, type: 'Multikey', controller: id, publicKeyMultibase: encoded },
    ],
    assertionMethod: [method],
    authentication: [method],
  }
  return { didDocument, didDocumentMetadata: {}, didResolutionMetadata: {} }
}

async function resolve() {
  const { didDocument, didDocumentMetadata, didResolutionMetadata } = await resolver().resolve(did)
  expect(didResolutionMetadata.error).toBeUndefined()
  if (!didDocument) throw new Error('no document')
  return { document: didDocument, deactivated: didDocumentMetadata.deactivated ?? false }
}

const pointHex = (key: PublicKey) => Buffer.from(compressedPoint(key)).toString('hex')
const keysOf = ({ verificationMethod }: DIDDocument) =>
  (verificationMethod ?? []).flatMap(({ publicKeyHex }) => publicKeyHex ?? [])

const publish = () => publishMachineKey({ ...world.machine, wallet: world.relayer })

/** A credential that `issuer` signs with a P-256 key in node:crypto. */
function issue(issuer: string, key: PrivateKey, subject: string): Promise<string> {
  const signer = async (data: string | Uint8Array) =>
    signByNode(nodeKey(key), typeof data === 'string' ? Buffer.from(data) : data).toString(
      'base64url',
    )
  const vc = {
    '@context': ['https://www.w3.org/2018/credentials/v1'],
    type: ['VerifiableCredential'],
    credentialSubject: { id: subject, calibrated: true },
  }
  const nbf = Math.floor(Date.now() / 1_000) - 60
  return createVerifiableCredentialJwt(
    { sub: subject, nbf, vc },
    { did: issuer, signer, alg: 'ES256' },
  )
}

/** did-jwt-vc takes any resolver; its types are those of an older did-resolver. */
const verify = (jwt: string) =>
  verifyCredential(jwt, resolver() as unknown as Parameters<typeof verifyCredential>[1])

test('before anything is published the document names the account, and no key of the machine', async () => {
  const { document, deactivated } = await resolve()
  expect(deactivated).toBe(false)
  expect(document.id).toBe(did)
  expect(document.verificationMethod).toMatchObject([
    { id: `${did}#controller`, type: 'EcdsaSecp256k1RecoveryMethod2020' },
  ])
})

test('what anybody publishes is the machine’s key, and a credential that it signs verifies', async () => {
  await publish()
  const { document } = await resolve()
  expect(document.verificationMethod?.[1]).toEqual({
    id: `${did}#delegate-1`,
    type: 'Multikey',
    controller: did,
    publicKeyHex: pointHex(world.key.publicKey),
  })
  expect(document.assertionMethod).toContain(`${did}#delegate-1`)

  const jwt = await issue(did, world.key, 'did:example:meter')
  const verified = await verify(jwt)
  expect(verified).toMatchObject({ verified: true, issuer: did })
  const stranger = privateKeyFromBytes('P-256', randomBytes(32))
  const forged = await issue(did, stranger, 'did:example:meter')
  await expect(verify(forged)).rejects.toThrow(/invalid_signature/)
})

test('a credential about the machine verifies, by a did:key and by the machine itself', async () => {
  const laboratory = privateKeyFromBytes('P-256', randomBytes(32))
  const issuer = didKey(laboratory.publicKey)
  expect(issuer).toBe(`did:key:${multikey(laboratory.publicKey)}`)
  const jwt = await issue(issuer, laboratory, did)
  const verified = await verify(jwt)
  expect(verified).toMatchObject({
    issuer,
    verifiableCredential: { credentialSubject: { id: did } },
  })
})

test('after a rotation the document names the new key alone', async () => {
  const { machine, owner, key: oldKey } = world
  const newKey = privateKeyFromBytes('P-256', randomBytes(32))
  const old = await issue(did, oldKey, 'did:example:meter')
  await rotateMachineKey({ ...machine, wallet: owner, oldKey, newKey, heads: [] })
  expect(keysOf((await resolve()).document)).toEqual([pointHex(oldKey.publicKey)])
  await publish()
  expect(keysOf((await resolve()).document)).toEqual([pointHex(newKey.publicKey)])
  await expect(verify(old)).rejects.toThrow(/invalid_signature/)
  const jwt = await issue(did, newKey, 'did:example:meter')
  expect(await verify(jwt)).toMatchObject({ verified: true })
  world.key = newKey
})

test('after a revocation it names none', async () => {
  const { machine, owner, key } = world
  await revokeMachineKey({ ...machine, wallet: owner })
  await publish()
  const { document, deactivated } = await resolve()
  expect(keysOf(document)).toEqual([])
  expect(deactivated).toBe(false)
  const jwt = await issue(did, key, 'did:example:meter')
  await expect(verify(jwt)).rejects.toThrow()
})

test('after decommissioning it is deactivated', async () => {
  const { machine, owner, publicClient } = world
  const hash = await owner.writeContract({
    address: machine.deployment.registry,
    abi: machineRegistryAbi,
    functionName: 'decommission',
    args: [machine.machineId],
    chain: owner.chain ?? null,
    account: owner.account,
  })
  await publicClient.waitForTransactionReceipt({ hash })
  await publish()
  const { document, deactivated } = await resolve()
  expect(deactivated).toBe(true)
  expect(document).toMatchObject({ id: did, verificationMethod: [], assertionMethod: [] })
})
