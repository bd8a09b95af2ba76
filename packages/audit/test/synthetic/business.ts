import {
  agreementId,
  append,
  type CompletedNode,
  type CounterRule,
  checkpointDigest,
  consistencyProof,
  type EnvelopeInput,
  emptyFrontier,
  emptyRoot,
  encodeEnvelope,
  encodeTariffData,
  evidenceHead,
  frontierRoot,
  inclusionProof,
  keyId,
  leafData,
  leafHash,
  type MeterValue,
  machineSigner,
  meterValueDigest,
  type PrivateKey,
  privateKeyFromBytes,
  ruleHash,
  signTypedDigest,
  type Terms,
  termsToJson,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { type Hex, padHex, toHex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import type { LedgerReader, Payment } from '../../src/index.ts'

export const CHAIN_ID = 31_337
const START_SECONDS = 1_760_000_000
const address = (byte: number): Hex => padHex(toHex(byte), { size: 20 })

const REGISTRY = address(1)
export const CLEARING_HOUSE = address(2)
const EVIDENCE_ANCHOR = address(3)
const MACHINE_ID = 7n
const LINEAR_TARIFF = address(4)
const LOG_KEY = privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(9))
const LOG = privateKeyToAddress(toHex(LOG_KEY.d)).toLowerCase() as Hex
export const MACHINE_KEY = privateKeyFromBytes('P-256', new Uint8Array(32).fill(5))
export const EDGE_KEY = privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(6))

const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000000', perHour: '1000000' },
}

export const TERMS: Terms = {
  payer: address(11),
  payee: address(12),
  asset: address(13),
  machineId: MACHINE_ID,
  meters: [
    { stream: 'mass', ruleHash: ruleHash(RULE), startHead: ZERO_DIGEST },
    { stream: 'volume', ruleHash: ruleHash(RULE), startHead: ZERO_DIGEST },
  ],
  signerKind: 1,
  signer: machineSigner(MACHINE_ID),
  tariff: LINEAR_TARIFF,
  tariffData: encodeTariffData({ kind: 'linear', prices: [30n, 7n], scale: 1 }),
  limits: [
    { burst: 10n ** 9n, perHour: 0n },
    { burst: 10n ** 9n, perHour: 0n },
  ],
  capMinor: 10n ** 12n,
  start: BigInt(START_SECONDS),
  periodSeconds: 3_600,
  periods: 24,
  backfillSeconds: 86_400,
  lateSeconds: 3_600,
  gapTimeoutSeconds: 600,
  settleSeconds: 86_400,
  shared: false,
  openBy: BigInt(START_SECONDS + 86_400),
  salt: padHex('0x01', { size: 32 }),
}

export const AGREEMENT = agreementId({
  chainId: CHAIN_ID,
  clearingHouse: CLEARING_HOUSE,
  terms: TERMS,
})

/** A logged envelope of the synthetic machine. */
export interface Logged {
  stream: string
  seq: bigint
  digest: Hex
  loggedAt: number
  code: string
  raw: Uint8Array
  logIndex: bigint
  metered: { meter: number; code: string; registers: Record<number, string> }[]
}

/** A machine, its log and its ledger, all in memory: what a node would have, if everyone is honest. */
export interface Business {
  logged: Logged[]
  payments: Payment[]
  meterValues: object[]
  claims: object[]
  ledger: LedgerReader
  /** `timestampMs`: what the checkpoint says, if not the truth. */
  bundle(timestampMs?: number): Promise<string[]>
}

type Content = EnvelopeInput['content']

/** Says otherwise than an honest node: each field replaces what would follow by itself. */
export interface Departures {
  signer?: PrivateKey
  prev?: Hex
  seq?: bigint
  code?: string
  loggedAt?: number
  content?: Content
  registry?: Hex
}

/**
 * An untouched agreement: counters of two streams, one reading an envelope, settled half-way in two periods and once
 * more at the end.
 */
export async function honestBusiness(): Promise<Business> {
  const business = emptyBusiness()
  for (let step = 0; step < 8; step += 1) {
    const seconds = START_SECONDS + step * 900
    const period = step < 4 ? 0 : 1
    const inPeriod = BigInt(step < 4 ? step : step - 3)
    for (const [meter, stream, unit] of [
      [0, 'mass', 1_000n],
      [1, 'volume', 100n],
    ] as const) {
      const entry = business.log(stream, BigInt(step) * unit, seconds)
      const registers = step === 0 ? {} : { [period]: String(inPeriod * unit) }
      entry.metered.push({ meter, code: 'OK', registers })
    }
    if (step === 4) business.settle(0, START_SECONDS + 3_600, ['4', '4'], [3_000n, 300n], 9_210n)
  }
  business.settle(0, START_SECONDS + 3_600, ['4', '4'], [3_000n, 300n], 0n)
  business.settle(1, START_SECONDS + 6_300, ['8', '8'], [4_000n, 400n], 12_280n)
  business.claim(0, ['8', '8'], [3_000n, 300n], 9_210n, 9_210n)
  business.claim(1, ['8', '8'], [4_000n, 400n], 12_280n, 12_280n)
  return business
}

/** How a line of a signed meter value is signed. */
export type SignValue = (value: MeterValue) => { signature: Hex; batch?: Hex[] }

/** By a key, as `signTypedDigest` does, or whatever `sign` makes of the digest. */
export const signBy =
  (sign: (digest: Hex) => Hex): SignValue =>
  (value) => ({
    signature: sign(meterValueDigest({ chainId: CHAIN_ID, clearingHouse: CLEARING_HOUSE, value })),
  })

const signByMachine = signBy((digest) => signTypedDigest(MACHINE_KEY, digest))

/** The parts of a business, to be put together otherwise. */
export function emptyBusiness(terms: Terms = TERMS) {
  const id = agreementId({ chainId: CHAIN_ID, clearingHouse: CLEARING_HOUSE, terms })
  const logged: Logged[] = []
  const payments: Payment[] = []
  const meterValues: object[] = []
  const claims: object[] = []
  const heads = new Map<string, { seq: bigint; digest: Hex }>()
  const digests = new Map<string, Hex>()
  let nowMs = START_SECONDS * 1000
  let clockSkipped = false

  const headOf = (seqs: readonly string[]) =>
    evidenceHead(
      terms.meters.map(
        (meter, index) => digests.get(`${meter.stream}/${seqs[index]}`) ?? meter.startHead,
      ),
    )
  const named = (seqs: readonly string[]) =>
    terms.meters.map(({ stream }, index) => ({ stream, seq: seqs[index] ?? '0' }))

  const pay = (value: MeterValue, paidMinor: bigint, blockSeconds: number) => {
    const { period, asOf, registers, evidenceHead } = value
    payments.push({
      kind: 'settled',
      period,
      asOf,
      registers: [...registers],
      evidenceHead,
      paidMinor,
      blockSeconds,
      transaction: padHex(toHex(payments.length), { size: 32 }),
    })
  }

  return {
    logged,
    payments,
    meterValues,
    claims,
    /** Signs and logs one reading of a counter. */
    log(stream: string, value: bigint, seconds: number, departures: Departures = {}): Logged {
      const head = heads.get(stream)
      const seq = departures.seq ?? (head?.seq ?? 0n) + 1n
      const { bytes, digest } = encodeEnvelope({
        signer: departures.signer ?? MACHINE_KEY,
        iss: {
          chainId: CHAIN_ID,
          registry: departures.registry ?? REGISTRY,
          machineId: MACHINE_ID,
        },
        machineId: MACHINE_ID,
        stream,
        iat: seconds,
        seq,
        prev: departures.prev ?? head?.digest ?? ZERO_DIGEST,
        content: departures.content ?? {
          kind: 'readings',
          readings: [{ unit: 'g', timeMs: seconds * 1000, value }],
        },
      })
      nowMs = Math.max(nowMs, departures.loggedAt ?? seconds * 1000 + 50)
      const entry = {
        stream,
        seq,
        digest,
        loggedAt: departures.loggedAt ?? seconds * 1000 + 50,
        code: departures.code ?? 'OK',
        raw: bytes,
        logIndex: BigInt(logged.length),
        metered: [],
      }
      logged.push(entry)
      if (entry.code !== 'EQUIVOCATION') {
        heads.set(stream, { seq, digest })
        digests.set(`${stream}/${seq}`, digest)
      }
      return entry
    },
    /** A meter value, signed, accepted and paid. */
    settle(
      period: number,
      asOf: number,
      seqs: readonly string[],
      registers: bigint[],
      paidMinor: bigint,
      blockSeconds = Math.floor(nowMs / 1000),
      sign: SignValue | undefined = signByMachine,
    ): void {
      const value = {
        agreementId: id,
        period,
        asOf: BigInt(asOf),
        registers,
        evidenceHead: terms.meters.length > 0 ? headOf(seqs) : ZERO_DIGEST,
      }
      meterValues.push({
        type: 'meterValue',
        agreementId: id,
        period,
        asOf,
        registers: registers.map(String),
        evidenceHead: value.evidenceHead,
        heads: named(seqs),
        ...sign(value),
      })
      pay(value, paidMinor, blockSeconds)
    },
    /** A payment for which nobody signed: time alone counts. */
    settleTime(period: number, asOf: number, paidMinor: bigint, blockSeconds: number): void {
      const time = { agreementId: id, period, asOf: BigInt(asOf), registers: [] }
      pay({ ...time, evidenceHead: ZERO_DIGEST }, paidMinor, blockSeconds)
    },
    claim(
      period: number,
      seqs: readonly string[],
      registers: bigint[],
      owedMinor: bigint,
      settledMinor: bigint,
      asOf?: number,
    ): void {
      claims.push({
        type: 'claim',
        period,
        ...(asOf === undefined ? {} : { asOf }),
        registers: registers.map(String),
        owedMinor: String(owedMinor),
        settledMinor: String(settledMinor),
        heads: named(seqs),
      })
    },
    /** Lets an hour pass before the bundle is written. */
    wait(): void {
      clockSkipped = true
    },
    id,
    ledger: ledgerOf(payments, id, () => logged),
    bundle: (timestampMs?: number) =>
      writeBundle(
        terms,
        id,
        logged,
        claims,
        meterValues,
        timestampMs ?? nowMs + (clockSkipped ? 3_600_000 : 5_000),
      ),
  }
}

/** How much of the log is anchored on the ledger; at most what there is. */
const ANCHORED = 12n

function ledgerOf(payments: Payment[], id: Hex, logged: () => Logged[]): LedgerReader {
  const machine = {
    machineId: MACHINE_ID,
    owner: TERMS.payee,
    controller: 0n,
    keys: [
      {
        epoch: 1n,
        keyId: keyId(MACHINE_KEY.publicKey),
        key: MACHINE_KEY.publicKey,
        signsRawDigest: false,
        fromSeconds: START_SECONDS - 100,
        endSeconds: undefined,
        end: undefined,
        heads: [],
      },
    ],
    states: [
      { state: 'registered', fromSeconds: START_SECONDS - 100 },
      { state: 'active', fromSeconds: START_SECONDS - 90 },
    ],
  }
  return {
    chainId: async () => CHAIN_ID,
    registryOf: async () => REGISTRY,
    verifiers: async () => ({ p256Sha256Verifier: address(6), p256RawVerifier: address(7) }),
    opening: async (_, wanted) =>
      wanted === id ? { openedSeconds: START_SECONDS - 50 } : undefined,
    payments: async () => payments,
    machine: async (_, machineId) => (machineId === MACHINE_ID ? machine : undefined),
    async anchors() {
      const tree = await treeOf(logged())
      const size = least(ANCHORED, BigInt(logged().length))
      const root = tree.rootOf(size)
      return [{ size, root, blockSeconds: START_SECONDS + 5_000, transaction: ZERO_DIGEST }]
    },
    tariffKind: async () => 'linear',
    callTariff: () => {
      throw new Error('the tariff is one of ours')
    },
  }
}

async function treeOf(logged: readonly Logged[]) {
  const nodes = new Map<string, Hex>()
  const roots: Hex[] = [emptyRoot]
  let frontier = emptyFrontier
  for (const { digest, loggedAt, code } of logged) {
    const grown = append(frontier, leafHash(leafData(digest, loggedAt, code)))
    frontier = grown.frontier
    for (const { level, index, hash } of grown.completed satisfies CompletedNode[]) {
      nodes.set(`${level}/${index}`, hash)
    }
    roots.push(frontierRoot(frontier))
  }
  return {
    rootOf: (size: bigint) => roots[Number(size)] ?? emptyRoot,
    read: async (level: number, index: bigint) => nodes.get(`${level}/${index}`) ?? emptyRoot,
  }
}

async function writeBundle(
  terms: Terms,
  id: Hex,
  logged: readonly Logged[],
  claims: object[],
  meterValues: object[],
  timestamp: number,
): Promise<string[]> {
  const tree = await treeOf(logged)
  const size = BigInt(logged.length)
  const root = tree.rootOf(size)
  const anchored = least(ANCHORED, size)
  const checkpoint = { chainId: CHAIN_ID, anchor: EVIDENCE_ANCHOR, size, root, timestamp }
  const lines: object[] = [
    {
      type: 'header',
      version: 1,
      chainId: CHAIN_ID,
      registry: REGISTRY,
      clearingHouse: CLEARING_HOUSE,
      evidenceAnchor: EVIDENCE_ANCHOR,
      log: LOG,
      agreementId: id,
      terms: termsToJson(terms),
      rules: terms.meters.length > 0 ? [RULE] : [],
    },
    {
      type: 'checkpoint',
      size: String(size),
      root,
      timestamp,
      signature: signTypedDigest(LOG_KEY, checkpointDigest(checkpoint)),
    },
    {
      type: 'anchor',
      size: String(anchored),
      root: tree.rootOf(anchored),
      consistency: await consistencyProof(anchored, size, tree.read),
    },
  ]
  for (const { stream } of terms.meters) {
    for (const entry of logged.filter((one) => one.stream === stream)) {
      lines.push({
        type: 'envelope',
        stream,
        seq: String(entry.seq),
        logIndex: String(entry.logIndex),
        loggedAt: entry.loggedAt,
        code: entry.code,
        raw: Buffer.from(entry.raw).toString('base64'),
        proof: await inclusionProof(entry.logIndex, size, tree.read),
        metered: entry.metered,
      })
    }
  }
  lines.push(...claims, ...meterValues)
  lines.push({ type: 'end', lines: lines.length + 1 })
  return lines.map((line) => JSON.stringify(line))
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
