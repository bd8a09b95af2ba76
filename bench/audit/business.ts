import type { LedgerReader } from '@liquefy/audit'
import {
  agreementId,
  append,
  type CounterRule,
  checkpointDigest,
  decodeEnvelope,
  type Envelope,
  emptyFrontier,
  encodeTariffData,
  frontierRoot,
  type Hex,
  inclusionProof,
  keyId,
  leafData,
  leafHash,
  machineSigner,
  type PrivateKey,
  ruleHash,
  signTypedDigest,
  type Terms,
  termsToJson,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { padHex, toHex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'

/** A bundle, and the ledger that it is held against. */
export interface AuditedBusiness {
  lines: string[]
  ledger: LedgerReader
}

export const STREAM = 'energy'
export const CHAIN_ID = 31_337
export const MACHINE_ID = 7n
const DAY_SECONDS = 86_400
/** One period has everything. */
const PERIOD_SECONDS = 4 * 365 * DAY_SECONDS
const PRICE_MINOR = 30n
const SEND_DELAY_MS = 100

const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'Wh',
  scale: 0,
  registerUnit: 'Wh',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000000000', perHour: '1000000000' },
}

const address = (byte: number): Hex => padHex(toHex(byte), { size: 20 })
export const REGISTRY = address(1)
const CLEARING_HOUSE = address(2)
const EVIDENCE_ANCHOR = address(3)
const LINEAR_TARIFF = address(4)

/**
 * The evidence of one agreement as a node would export it: one machine, one stream, one meter, everything anchored, nothing settled yet.
 *
 * @param envelopes of one stream, in order, the first reading at `fromMs`.
 */
export async function businessOf(
  machineKey: PrivateKey,
  logKey: PrivateKey,
  envelopes: readonly Uint8Array[],
  fromMs: number,
): Promise<AuditedBusiness> {
  const log = privateKeyToAddress(toHex(logKey.d)).toLowerCase() as Hex
  const logged = envelopes.map((raw) => {
    const decoded = decodeEnvelope(raw)
    if (!decoded.ok) throw new Error(decoded.message)
    const { digest, seq, iat, content } = decoded.envelope
    return { raw, digest, seq, loggedAt: iat * 1_000 + SEND_DELAY_MS, values: valuesOf(content) }
  })
  const last = logged.at(-1)
  if (!last) throw new RangeError('There is no envelope.')
  const { loggedAt: lastMs } = last
  // The counter's first reading is its baseline.
  const baseline = logged[0]?.values[0] ?? 0n
  const used = (last.values.at(-1) ?? 0n) - baseline
  const startSeconds = Math.floor(fromMs / 1_000)
  const terms = termsFrom(startSeconds)
  const id = agreementId({ chainId: CHAIN_ID, clearingHouse: CLEARING_HOUSE, terms })
  const { root, read } = treeOf(logged)
  const size = BigInt(logged.length)
  const timestamp = lastMs + 1_000
  const checkpoint = { chainId: CHAIN_ID, anchor: EVIDENCE_ANCHOR, size, root, timestamp }
  const lines: object[] = [
    {
      type: 'header',
      version: 1,
      chainId: CHAIN_ID,
      registry: REGISTRY,
      clearingHouse: CLEARING_HOUSE,
      evidenceAnchor: EVIDENCE_ANCHOR,
      log,
      agreementId: id,
      terms: termsToJson(terms),
      rules: [RULE],
    },
    {
      type: 'checkpoint',
      size: String(size),
      root,
      timestamp,
      signature: signTypedDigest(logKey, checkpointDigest(checkpoint)),
    },
    { type: 'anchor', size: String(size), root, consistency: [] },
  ]
  for (const [index, { raw, seq, loggedAt, values }] of logged.entries()) {
    lines.push({
      type: 'envelope',
      stream: STREAM,
      seq: String(seq),
      logIndex: String(index),
      loggedAt,
      code: 'OK',
      raw: Buffer.from(raw).toString('base64'),
      proof: await inclusionProof(BigInt(index), size, read),
      // As a node says what it made of each.
      metered: [
        { meter: 0, code: 'OK', registers: { 0: String((values.at(-1) ?? 0n) - baseline) } },
      ],
    })
  }
  lines.push({
    type: 'claim',
    period: 0,
    registers: [String(used)],
    owedMinor: String(used * PRICE_MINOR),
    settledMinor: '0',
    heads: [{ stream: STREAM, seq: String(last.seq) }],
  })
  lines.push({ type: 'end', lines: lines.length + 1 })
  const anchor = { size, root, blockSeconds: Math.floor(lastMs / 1_000), transaction: ZERO_DIGEST }
  return {
    lines: lines.map((line) => JSON.stringify(line)),
    ledger: ledgerOf(machineKey, id, startSeconds, anchor),
  }
}

function valuesOf(content: Envelope['content']): bigint[] {
  if (content.kind !== 'readings') return []
  return content.readings.flatMap(({ value }) => (value.kind === 'decimal' ? [value.mantissa] : []))
}

function termsFrom(startSeconds: number): Terms {
  return {
    payer: address(11),
    payee: address(12),
    asset: address(13),
    machineId: MACHINE_ID,
    meters: [{ stream: STREAM, ruleHash: ruleHash(RULE), startHead: ZERO_DIGEST }],
    signerKind: 1,
    signer: machineSigner(MACHINE_ID),
    tariff: LINEAR_TARIFF,
    tariffData: encodeTariffData({ kind: 'linear', prices: [PRICE_MINOR], scale: 0 }),
    limits: [{ burst: 10n ** 12n, perHour: 10n ** 12n }],
    capMinor: 10n ** 15n,
    start: BigInt(startSeconds),
    periodSeconds: PERIOD_SECONDS,
    periods: 1,
    backfillSeconds: DAY_SECONDS,
    lateSeconds: DAY_SECONDS,
    gapTimeoutSeconds: 3_600,
    settleSeconds: DAY_SECONDS,
    shared: false,
    openBy: BigInt(startSeconds + DAY_SECONDS),
    salt: padHex('0x01', { size: 32 }),
  }
}

function treeOf(logged: readonly { digest: Hex; loggedAt: number }[]) {
  const nodes = new Map<string, Hex>()
  let frontier = emptyFrontier
  for (const { digest, loggedAt } of logged) {
    const grown = append(frontier, leafHash(leafData(digest, loggedAt, 'OK')))
    frontier = grown.frontier
    for (const { level, index, hash } of grown.completed) nodes.set(`${level}/${index}`, hash)
  }
  return {
    root: frontierRoot(frontier),
    async read(level: number, index: bigint): Promise<Hex> {
      const hash = nodes.get(`${level}/${index}`)
      if (!hash) throw new RangeError(`The log has no node ${level}/${index}.`)
      return hash
    },
  }
}

function ledgerOf(
  machineKey: PrivateKey,
  id: Hex,
  startSeconds: number,
  anchor: Awaited<ReturnType<LedgerReader['anchors']>>[number],
): LedgerReader {
  const { publicKey } = machineKey
  const machine = {
    machineId: MACHINE_ID,
    owner: address(12),
    controller: 0n,
    keys: [
      {
        epoch: 1n,
        keyId: keyId(publicKey),
        key: publicKey,
        signsRawDigest: false,
        fromSeconds: startSeconds - 100,
        endSeconds: undefined,
        end: undefined,
        heads: [],
      },
    ],
    states: [{ state: 'active', fromSeconds: startSeconds - 90 }],
  }
  return {
    chainId: async () => CHAIN_ID,
    registryOf: async () => REGISTRY,
    verifiers: async () => ({ p256Sha256Verifier: address(6), p256RawVerifier: address(7) }),
    opening: async (_, wanted) =>
      wanted === id ? { openedSeconds: startSeconds - 50 } : undefined,
    payments: async () => [],
    machine: async (_, machineId) => (machineId === MACHINE_ID ? machine : undefined),
    anchors: async () => [anchor],
    tariffKind: async () => 'linear',
    async callTariff() {
      throw new Error('The tariff is one of ours.')
    },
  }
}
