import { createPrivateKey, type KeyObject, sign as nodeSign, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  createAccount,
  type OneAccount,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import { type Hex, type PrivateKey, privateKeyFromBytes } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http, type PublicClient } from 'viem'
import { type RunningNode, startNode } from '../../src/index.ts'

/** A node, a machine of one of its people with a P-256 key, and the machine's account. */
export interface AccountWorld {
  node: RunningNode
  publicClient: PublicClient
  owner: Wallet
  buyer: Wallet
  /** Sends what others signed; owns nothing. */
  relayer: Wallet
  key: PrivateKey
  machine: OneAccount
  stop(): Promise<void>
}

export async function openAccountWorld(): Promise<AccountWorld> {
  const dataDir = await mkdtemp(join(tmpdir(), 'liquefy-account-'))
  const node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    logger: pino({ level: process.env.LOG_LEVEL ?? 'silent' }),
  })
  const { publicClient } = node.chain
  const [owner, buyer, relayer] = [
    ...node.keys.people.map(({ account }) => account),
    node.keys.operator,
  ].map(
    (account): Wallet =>
      createWalletClient({ account, chain: publicClient.chain, transport: http(node.rpcUrl) }),
  )
  if (!owner || !buyer || !relayer) throw new Error('business takes three')
  const { deployment } = node
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const by = { deployment, publicClient, wallet: owner }
  const machineId = await registerMachine({ ...by, key })
  await activateMachine({ ...by, machineId })
  const machine = { deployment, publicClient, machineId }
  await createAccount({ ...machine, wallet: relayer })
  await node.idle()
  return {
    node,
    publicClient,
    owner,
    buyer,
    relayer,
    key,
    machine,
    async stop() {
      await node.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

const base64url = (hex: Hex) => Buffer.from(hex.slice(2), 'hex').toString('base64url')

/** The device's key as node:crypto holds it. */
export function nodeKey({ d, publicKey: { x, y } }: PrivateKey): KeyObject {
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: base64url(x),
    y: base64url(y),
    d: Buffer.from(d).toString('base64url'),
  }
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

/** `r || s` over SHA-256 of the bytes, as node:crypto makes it. */
export function signByNode(key: KeyObject, bytes: Uint8Array): Buffer {
  return nodeSign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' })
}
