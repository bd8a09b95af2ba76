import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditBundle, viemLedgerReader } from '@liquefy/audit'
import {
  activateMachine,
  authorizeAgreement,
  createClient,
  openAgreement,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import {
  type AdmissionCode,
  decodeEnvelope,
  foldStream,
  foldTermsOf,
  type Hex,
  type LoggedEnvelope,
  privateKeyFromBytes,
  termsFromJson,
  verifyCheckpoint,
} from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'
import { RULE, termsOf } from '../business.ts'
import { connectDevice } from '../device.ts'

const GAP_TIMEOUT_SECONDS = 1

let dataDir: string
let node: RunningNode

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-bundle-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    anchorIntervalMs: 3_600_000,
    logger: pino({ level: 'silent' }),
  })
}, 300_000)

afterAll(async () => {
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

interface EnvelopeLine {
  type: string
  raw: string
  loggedAt: number
  code: AdmissionCode
  metered: { meter: number; code: string; registers: Record<string, string> }[]
}

function loggedOf({ raw, loggedAt, code }: EnvelopeLine): LoggedEnvelope {
  const decoded = decodeEnvelope(Buffer.from(raw, 'base64'))
  if (!decoded.ok) throw new Error(decoded.message)
  const { seq, digest, content, iat } = decoded.envelope
  return { seq, digest, content, iat, loggedAt, code }
}

test('a gap that time alone ended is ended in the bundle too: its checkpoint is of that time', async () => {
  const { deployment } = node
  const { publicClient } = node.chain
  const [payer, payee] = node.keys.people.map(
    ({ account }): Wallet =>
      createWalletClient({ account, chain: publicClient.chain, transport: http(node.rpcUrl) }),
  )
  if (!payer || !payee) throw new Error('business takes two')
  const by = (wallet: Wallet) => ({ deployment, publicClient, wallet })
  const client = createClient({ url: node.url })
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...by(payee), key })
  await activateMachine({ ...by(payee), machineId })
  await client.submitRules([RULE])
  const terms = {
    ...termsOf(machineId, { deployment, payer, payee }),
    gapTimeoutSeconds: GAP_TIMEOUT_SECONDS,
  }
  const payerSignature = await authorizeAgreement({ ...by(payer), terms })
  const agreementId = await openAgreement({ ...by(payee), terms, payerSignature })
  await node.idle()

  const device = await connectDevice(node, machineId, key)
  expect(await device.publish(1_000n)).toBe('OK')
  // The second is lost for good; the third waits for it.
  device.digests.push(device.next(1_200n).digest)
  expect(await device.publish(1_500n)).toBe('OK')
  const before = await client.logHead()
  const owed = async () => (await client.agreement(agreementId)).owedMinor
  expect(await owed()).toBe('0')
  await expect.poll(owed, { timeout: 90_000 }).toBe('210000')
  expect(await client.logHead()).toEqual(before)

  const lines: Record<string, unknown>[] = []
  for await (const line of client.bundle(agreementId)) lines.push(JSON.parse(line))
  const [header, stated] = lines as [{ log: Hex; terms: unknown }, typeof before]
  const checkpoint = { ...stated, size: BigInt(stated.size) }
  expect(checkpoint).toMatchObject({ size: 2n, root: before.root })
  const { chainId, evidenceAnchor: anchor } = deployment
  expect(verifyCheckpoint({ ...checkpoint, chainId, anchor }, stated.signature, header.log)).toBe(
    true,
  )

  // What an audit does: fold the evidence with the clock at the checkpoint, and compare envelope by envelope.
  const envelopes = (lines as unknown as EnvelopeLine[]).filter(({ type }) => type === 'envelope')
  const foldTerms = foldTermsOf(termsFromJson(header.terms), 0, RULE, 1n)
  const claimed = envelopes.flatMap(({ metered }) => metered)
  const foldAt = (timestamp: number) =>
    foldStream(foldTerms, envelopes.map(loggedOf), timestamp).steps.map(({ code, registers }) => ({
      meter: 0,
      code,
      registers: Object.fromEntries(Object.entries(registers).map(([p, r]) => [p, String(r)])),
    }))
  expect(claimed).toHaveLength(2)
  expect(foldAt(checkpoint.timestamp)).toEqual(claimed)
  expect(foldAt(before.timestamp)).not.toEqual(claimed)
  await device.close()
})

test('an agreement that begins behind an envelope: the bundle carries it, and the audit starts from there', async () => {
  const { deployment } = node
  const { publicClient } = node.chain
  const [payer, payee] = node.keys.people.map(
    ({ account }): Wallet =>
      createWalletClient({ account, chain: publicClient.chain, transport: http(node.rpcUrl) }),
  )
  if (!payer || !payee) throw new Error('business takes two')
  const by = (wallet: Wallet) => ({ deployment, publicClient, wallet })
  const client = createClient({ url: node.url })
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...by(payee), key })
  await activateMachine({ ...by(payee), machineId })
  await client.submitRules([RULE])
  await node.idle()
  const device = await connectDevice(node, machineId, key)
  for (const gram of [100n, 200n]) expect(await device.publish(gram)).toBe('OK')
  const startHead = device.digests.at(-1) ?? '0x'
  const terms = termsOf(machineId, { deployment, payer, payee })
  const meters = terms.meters.map((meter) => ({ ...meter, startHead }))
  const continued = { ...terms, meters }
  const payerSignature = await authorizeAgreement({ ...by(payer), terms: continued })
  const agreementId = await openAgreement({ ...by(payee), terms: continued, payerSignature })
  await node.idle()
  for (const gram of [300n, 450n]) expect(await device.publish(gram)).toBe('OK')
  await device.close()
  await node.idle()

  const lines: string[] = []
  for await (const line of client.bundle(agreementId)) lines.push(line)
  const envelopes = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'envelope')
  expect(envelopes.map(({ seq, metered }) => [seq, metered.length])).toEqual([
    ['2', 0],
    ['3', 1],
    ['4', 1],
  ])
  const ledger = viemLedgerReader({ rpcUrl: node.rpcUrl, tariffs: deployment })
  expect(await auditBundle({ lines, ledger })).toMatchObject({
    firstFault: null,
    envelopes: 2,
    priced: 2,
    owedMinor: String(150n * 420n),
  })
})
