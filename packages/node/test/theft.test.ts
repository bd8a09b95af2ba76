import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearingHouseAbi } from '@liquefy/abi'
import { auditBundle } from '@liquefy/audit'
import { provenLedgerReader } from '@liquefy/audit/proof'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  type Client,
  createClient,
  fund,
  openAgreement,
  registerMachine,
  rekeyMachine,
  resumeMachine,
  revokeMachineKey,
  rotateMachineKey,
  signMeterValue,
  suspendMachine,
  transferMachine,
  type Wallet,
} from '@liquefy/client'
import {
  encodeEnvelope,
  evidenceHead,
  type Hex,
  type PrivateKey,
  privateKeyFromBytes,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import fc from 'fast-check'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../src/index.ts'
import { RULE, termsOf } from './business.ts'
import { connectDevice, type Device } from './device.ts'

const RUNS = process.env.LIQUEFY_NIGHTLY ? 200 : 16
const PRICE = 420n
const BURST = 4_000n
const PER_SECOND = 1n
/** Readings are this old when they are signed, so that a value's `asOf` may lie between them and now. */
const READING_AGE_MS = 5_000

/** What may happen to a machine on the real ledger in the middle of an agreement. */
type Act =
  | { kind: 'read'; rise: number }
  | { kind: 'settle' | 'anchor' | 'rotate' | 'revoke' | 'rekey' | 'transfer' | 'suspend' }
  /** Whoever has the key goes on where the log stands, says a second thing, or breaks the chain. */
  | { kind: 'forge'; way: 'extend' | 'equivocate' | 'break'; rise: number }
  /** He settles by himself the most that the ledger takes, or one unit more. */
  | { kind: 'steal'; beyond: 0 | 1 }

const one = <Kind extends Act['kind']>(kind: Kind) => fc.constant({ kind })
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('read' as const), rise: fc.nat(40) }),
  },
  { weight: 3, arbitrary: one('settle') },
  { weight: 3, arbitrary: one('anchor') },
  { weight: 2, arbitrary: one('rotate') },
  { weight: 2, arbitrary: one('revoke') },
  { weight: 2, arbitrary: one('rekey') },
  { weight: 1, arbitrary: one('transfer') },
  { weight: 1, arbitrary: one('suspend') },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('forge' as const),
      way: fc.constantFrom('extend' as const, 'equivocate' as const, 'break' as const),
      rise: fc.integer({ min: -50, max: 900 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('steal' as const),
      beyond: fc.constantFrom(0 as const, 1 as const),
    }),
  },
)

let dataDir: string
let node: RunningNode
let client: Client
let payer: Wallet
let payee: Wallet

const seconds = () => BigInt(Math.floor(Date.now() / 1000))
const by = (wallet: Wallet) => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet,
})
const newKey = () => privateKeyFromBytes('P-256', randomBytes(32))
const otherOf = (wallet: Wallet) => (wallet === payee ? payer : payee)

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-theft-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    settle: { minMinor: 10n ** 15n, maxAgeMs: 3_600_000 },
    anchorIntervalMs: 3_600_000,
    logger: pino({ level: process.env.LOG_LEVEL ?? 'silent' }),
  })
  client = createClient({ url: node.url })
  const [first, second] = node.keys.people.map(
    ({ account }): Wallet =>
      createWalletClient({
        account,
        chain: node.chain.publicClient.chain,
        transport: http(node.rpcUrl),
      }),
  )
  if (!first || !second) throw new Error('business takes two')
  payer = first
  payee = second
  await client.submitRules([RULE])
}, 300_000)

afterAll(async () => {
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

/** One envelope of the log, in its order. */
interface Entry {
  seq: bigint
  digest: Hex
  value: bigint
  epoch: number
  code: string
  logIndex: number
}

/** An agreement on a machine of its own, and what has happened to it. */
interface Story {
  terms: Terms
  agreementId: Hex
  machineId: bigint
  owner: Wallet
  /** The machine's key, which the thief has too; undefined once it was revoked. */
  key: PrivateKey | undefined
  epoch: number
  device: Device
  /** What the device itself has signed, which a thief may have overtaken. */
  own: Hex[]
  counter: bigint
  entries: Entry[]
  /** Leaves that count under each revoked key. */
  cuts: Map<number, number>
  anchored: number
  /** The largest register that reached the ledger, and the largest that a thief took there. */
  proven: bigint
  stolen: bigint
}

async function begin(): Promise<Story> {
  const key = newKey()
  const machineId = await registerMachine({ ...by(payee), key })
  await activateMachine({ ...by(payee), machineId })
  const terms: Terms = {
    ...termsOf(machineId, { deployment: node.deployment, payer, payee }),
    limits: [{ burst: BURST, perHour: PER_SECOND * 3_600n }],
  }
  const payerSignature = await authorizeAgreement({ ...by(payer), terms })
  const agreementId = await openAgreement({ ...by(payee), terms, payerSignature })
  const amountMinor = 10_000_000n
  await approve({ ...by(payer), asset: terms.asset, amountMinor })
  await fund({ ...by(payer), agreementId, amountMinor })
  await node.idle()
  const device = await connectDevice(node, machineId, key)
  return {
    terms,
    agreementId,
    machineId,
    owner: payee,
    key,
    epoch: 1,
    device,
    own: [],
    counter: 0n,
    entries: [],
    cuts: new Map(),
    anchored: 0,
    proven: 0n,
    stolen: 0n,
  }
}

/** What the log has first at each `seq`, in order. */
function chainOf({ entries }: Story): Entry[] {
  const first = new Map<bigint, Entry>()
  for (const entry of entries) if (!first.has(entry.seq)) first.set(entry.seq, entry)
  return [...first.values()].sort((a, b) => Number(a.seq - b.seq))
}

/** The register, counted by hand from what was admitted and not cut off: each rise above all that counts before it. */
function registerOf(story: Story): bigint {
  let register = 0n
  let baseline: bigint | undefined
  for (const { code, epoch, logIndex, value } of chainOf(story)) {
    if (code !== 'OK' || logIndex >= (story.cuts.get(epoch) ?? Infinity)) continue
    if (baseline !== undefined && value < baseline) continue
    register += baseline === undefined ? 0n : value - baseline
    baseline = value
  }
  return register
}

async function countLeaves(): Promise<number> {
  const { rows } = await node.database.pool.query('SELECT count(*) AS count FROM envelopes')
  return Number(rows[0]?.count)
}

function envelopeOf(
  { machineId }: Story,
  signer: PrivateKey,
  at: { seq: bigint; prev: Hex; value: bigint },
) {
  const timeMs = Date.now() - READING_AGE_MS
  return encodeEnvelope({
    signer,
    iss: { ...node.deployment, machineId },
    machineId,
    stream: 'weight',
    iat: Math.floor(timeMs / 1000),
    seq: at.seq,
    prev: at.prev,
    content: { kind: 'readings', readings: [{ unit: 'g', timeMs, value: at.value }] },
  })
}

/** Publishes an envelope and notes with which code it was logged. */
async function log(story: Story, at: { seq: bigint; prev: Hex; value: bigint }): Promise<Hex> {
  const { device, epoch, key } = story
  if (!key) throw new Error('no key, no envelope')
  const logIndex = await countLeaves()
  const { bytes, digest } = envelopeOf(story, key, at)
  await device.send(bytes)
  const entryIn = (json: Record<string, unknown>) =>
    (json.entries as { digest: Hex; code: string }[]).find((entry) => entry.digest === digest)
  const code = entryIn(await device.hears('receipt', (json) => entryIn(json) !== undefined))?.code
  story.entries.push({ seq: at.seq, digest, value: at.value, epoch, code: code ?? '', logIndex })
  return digest
}

async function read(story: Story, rise: number): Promise<void> {
  story.counter += BigInt(rise)
  const prev = story.own.at(-1) ?? ZERO_DIGEST
  const seq = BigInt(story.own.length + 1)
  story.own.push(await log(story, { seq, prev, value: story.counter }))
}

async function forge(story: Story, { way, rise }: Extract<Act, { kind: 'forge' }>): Promise<void> {
  const chain = chainOf(story)
  const newest = chain.at(-1)
  const known = newest?.value ?? 0n
  const value = known + BigInt(rise) < 0n ? 0n : known + BigInt(rise)
  if (way === 'equivocate' && newest) {
    const prev = chain.at(-2)?.digest ?? ZERO_DIGEST
    await log(story, { seq: newest.seq, prev, value: value + 1n })
  } else {
    const prev = way === 'break' && newest ? (`0x${'77'.repeat(32)}` as const) : newest?.digest
    await log(story, { seq: (newest?.seq ?? 0n) + 1n, prev: prev ?? ZERO_DIGEST, value })
  }
}

/** A device with another key goes on behind what the log has. */
async function changeDevice(story: Story, key: PrivateKey): Promise<void> {
  const old = story.key
  await node.idle()
  await story.device.close()
  story.key = key
  story.epoch += 1
  story.device = await connectDevice(node, story.machineId, key)
  story.own = chainOf(story).map(({ digest }) => digest)
  if (old) await refuses(story, old)
}

/** An old key signs nothing more, however well it fits. */
async function refuses(story: Story, old: PrivateKey): Promise<void> {
  const seq = BigInt(story.own.length + 1)
  const prev = story.own.at(-1) ?? ZERO_DIGEST
  const { bytes, digest } = envelopeOf(story, old, { seq, prev, value: story.counter + 999n })
  await story.device.send(bytes)
  const refusal = await story.device.hears('refused', (json) => json.digest === digest)
  expect(refusal.code).toBe('KEY_REVOKED')
}

async function revoke(story: Story): Promise<void> {
  const stolen = story.key
  await revokeMachineKey({ ...by(story.owner), machineId: story.machineId })
  story.cuts.set(story.epoch, story.anchored)
  await node.idle()
  if (stolen) expect(await settleBy(story, stolen, bound(story, seconds() - 1n))).toBe(false)
  story.key = undefined
}

async function rekey(story: Story): Promise<void> {
  const key = newKey()
  await rekeyMachine({ ...by(story.owner), machineId: story.machineId, newKey: key })
  await changeDevice(story, key)
}

async function rotate(story: Story): Promise<void> {
  const { machineId, key: oldKey } = story
  if (!oldKey) return
  const key = newKey()
  const heads = chainOf(story)
    .slice(-1)
    .map(({ seq, digest }) => ({ stream: 'weight', seq, digest }))
  // Anybody may send it: both keys sign.
  await rotateMachineKey({ ...by(payer), machineId, oldKey, newKey: key, heads })
  await changeDevice(story, key)
}

/** A value that folds nothing right is answered with what was cut off. */
async function expectCutsTold(story: Story): Promise<void> {
  const { agreementId, machineId, key, cuts } = story
  const newest = chainOf(story).at(-1)
  if (!key || !newest) return
  const value = {
    agreementId,
    period: 0,
    asOf: seconds() - 2n,
    registers: [registerOf(story) + 1n],
    evidenceHead: evidenceHead([newest.digest]),
    heads: [{ stream: 'weight', seq: newest.seq }],
  }
  const { deployment } = node
  const signed = await signMeterValue({ deployment, by: { machineId, key }, value })
  const answer = await node.metering.submitMeterValue(signed)
  if (answer.code !== 'METER_MISMATCH') throw new Error(`not a mismatch but ${answer.code}`)
  const told = answer.beyondCut.flatMap(({ first, last }) =>
    Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => Number(first) + index),
  )
  const cut = chainOf(story)
    .filter(
      ({ code, epoch, logIndex }) => code === 'OK' && logIndex >= (cuts.get(epoch) ?? Infinity),
    )
    .map(({ seq }) => Number(seq))
  expect(told).toEqual(cut)
}

const bound = ({ terms }: Story, asOf: bigint) => BURST + PER_SECOND * (asOf - terms.start)

/** Sends a value to the ledger past the node; whether it was paid for. */
async function settleBy(story: Story, key: PrivateKey, register: bigint): Promise<boolean> {
  const { agreementId, machineId } = story
  const value = {
    agreementId,
    period: 0,
    asOf: seconds() - 1n,
    registers: [register],
    evidenceHead: ZERO_DIGEST,
    heads: [],
  }
  const { deployment } = node
  const signed = await signMeterValue({ deployment, by: { machineId, key }, value })
  const hash = await payee.writeContract({
    chain: node.chain.publicClient.chain,
    account: payee.account,
    address: deployment.clearingHouse,
    abi: clearingHouseAbi,
    functionName: 'settle',
    args: [[value], [signed.signature]],
  })
  await node.chain.publicClient.waitForTransactionReceipt({ hash })
  await node.idle()
  const paid = await paidOf(story)
  const best = story.proven > register ? story.proven : register
  return register > story.proven && paid === best * PRICE
}

async function paidOf({ agreementId }: Story): Promise<bigint> {
  return BigInt((await client.agreement(agreementId)).includedMinor)
}

async function steal(story: Story, beyond: bigint): Promise<void> {
  if (!story.key) return
  const most = bound(story, seconds() - 1n)
  if (beyond > 0n) {
    // Whole minutes beyond, so that the time until it is mined does not make it true.
    expect(await settleBy(story, story.key, most + 600n)).toBe(false)
    return
  }
  expect(await settleBy(story, story.key, most)).toBe(most > story.proven)
  story.stolen = most
  if (most > story.proven) story.proven = most
}

/** The device signs what its streams say, the node compares and relays it. */
async function settle(story: Story): Promise<void> {
  const { agreementId, machineId, key } = story
  const newest = chainOf(story).at(-1)
  if (!key || !newest) return
  const register = registerOf(story)
  const value = {
    agreementId,
    period: 0,
    asOf: seconds() - 2n,
    registers: [register],
    evidenceHead: evidenceHead([newest.digest]),
    heads: [{ stream: 'weight', seq: newest.seq }],
  }
  const signed = await signMeterValue({
    deployment: node.deployment,
    by: { machineId, key },
    value,
  })
  expect(await client.submitMeterValue(signed)).toMatchObject({ code: 'ACCEPTED' })
  await node.settleNow()
  if (register > story.proven) story.proven = register
}

async function suspendAndResume(story: Story): Promise<void> {
  const owned = { ...by(story.owner), machineId: story.machineId }
  await suspendMachine(owned)
  await node.idle()
  if (story.key) {
    await read(story, 7)
    expect(['MACHINE_SUSPENDED', 'EQUIVOCATION', 'CHAIN_BROKEN']).toContain(
      story.entries.at(-1)?.code,
    )
  }
  await resumeMachine(owned)
  await node.idle()
}

async function anchor(story: Story): Promise<void> {
  await node.anchorNow()
  story.anchored = await countLeaves()
}

async function transfer(story: Story): Promise<void> {
  const { owner, machineId } = story
  const next = otherOf(owner)
  await transferMachine({ ...by(owner), machineId, to: next.account.address })
  story.owner = next
}

async function perform(story: Story, one: Act): Promise<void> {
  switch (one.kind) {
    case 'read':
      return story.key && read(story, one.rise)
    case 'forge':
      return story.key && forge(story, one)
    case 'settle':
      return settle(story)
    case 'steal':
      return steal(story, BigInt(one.beyond))
    case 'anchor':
      return anchor(story)
    case 'rotate':
      return rotate(story)
    case 'revoke':
      return story.key && revoke(story)
    case 'rekey':
      return story.key ? undefined : rekey(story)
    case 'transfer':
      return transfer(story)
    case 'suspend':
      return suspendAndResume(story)
  }
}

async function audited(agreementId: Hex) {
  const { hash: blockHash } = await node.chain.publicClient.getBlock()
  return auditBundle({
    lines: client.bundle(agreementId),
    ledger: provenLedgerReader({ rpcUrl: node.rpcUrl, blockHash }),
    expected: { ...node.deployment, agreementId },
  })
}

/** One story that surely has both: what the closing lines ask for must not hang on chance. */
const THEFT_AND_CUT: Act[] = [
  { kind: 'read', rise: 10 },
  { kind: 'anchor' },
  { kind: 'read', rise: 20 },
  { kind: 'forge', way: 'extend', rise: 100 },
  { kind: 'steal', beyond: 0 },
  { kind: 'revoke' },
]

test('INV-18 on the ledger: evidence pays what counts up to the cut and not one unit more, a thief takes at most the rate bound', async () => {
  let [cuts, thefts] = [0, 0]
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 4, maxLength: 16 }), async (acts) => {
      const story = await begin()
      try {
        for (const each of acts) await perform(story, each)
        if (!story.key) await rekey(story)
        await expectCutsTold(story)
        await settle(story)
        const owed = registerOf(story) * PRICE
        expect((await client.agreement(story.agreementId)).owedMinor).toBe(String(owed))
        expect(await paidOf(story)).toBe(story.proven * PRICE)
        expect(story.stolen).toBeLessThanOrEqual(bound(story, seconds()))
        const report = await audited(story.agreementId)
        expect(report.owedMinor, JSON.stringify(report.firstFault)).toBe(String(owed))
        // What a thief took, and what was paid for readings that a later revocation has cut off, is paid: an audit shows how much,
        // unless it was paid after the bundle's checkpoint, which its node may not have seen.
        const { settledMinor, settledAfterMinor, differenceMinor } = report
        const paid = story.proven * PRICE
        expect(BigInt(settledMinor) + BigInt(settledAfterMinor)).toBe(paid)
        if (settledAfterMinor === '0') expect(BigInt(differenceMinor)).toBe(paid - owed)
        if (story.cuts.size > 0) cuts += 1
        if (story.stolen > 0n) thefts += 1
      } finally {
        await story.device.close()
      }
    }),
    { numRuns: RUNS, examples: [[THEFT_AND_CUT]] },
  )
  expect(await node.checkMoney()).toMatchObject({ ok: true })
  expect(Math.min(cuts, thefts)).toBeGreaterThan(0)
}, 1_800_000)
