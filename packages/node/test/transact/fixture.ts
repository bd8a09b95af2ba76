import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AdmissionCode,
  agreementId,
  type CounterRule,
  decodeEnvelope,
  type EnvelopeInput,
  encodeEnvelope,
  encodeTariffData,
  evidenceHead,
  type Hex,
  machineSigner,
  meterValueDigest,
  type PrivateKey,
  privateKeyFromBytes,
  ruleHash,
  signedMeterValueToJson,
  signTypedDigest,
  type Terms,
  termsToJson,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import pino from 'pino'
import { toHex } from 'viem'
import { createEvents } from '../../src/events.ts'
import { TupleWriter } from '../../src/store/copy.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { insertEnvelopes, writeEnvelopeFields } from '../../src/store/envelopes.ts'
import { bytesOf } from '../../src/store/hex.ts'
import { createAgreements } from '../../src/transact/agreements.ts'
import { createMetering } from '../../src/transact/metering.ts'

export const START_MS = 1_760_000_000_000
export const CHAIN = {
  chainId: 31337,
  clearingHouse: `0x${'c1'.repeat(20)}` as Hex,
  p256Sha256Verifier: `0x${'51'.repeat(20)}` as Hex,
  p256RawVerifier: `0x${'52'.repeat(20)}` as Hex,
}
const REGISTRY: Hex = `0x${'a1'.repeat(20)}`
const LINEAR: Hex = `0x${'11'.repeat(20)}`
const PARTIES = {
  payer: `0x${'01'.repeat(20)}` as Hex,
  payee: `0x${'02'.repeat(20)}` as Hex,
  asset: `0x${'03'.repeat(20)}` as Hex,
}

export const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000', perHour: '100000' },
}

export const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })

/** A database in a folder of its own. `remove` closes it and deletes the folder. */
export async function temporaryDatabase(): Promise<{
  database: Database
  remove(): Promise<void>
}> {
  const dataDir = await mkdtemp(join(tmpdir(), 'liquefy-test-'))
  const database = await openDatabase({ dataDir, logger })
  return {
    database,
    async remove() {
      await database.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

export function termsOf(machineId: bigint, change: Partial<Terms> = {}): Terms {
  return {
    ...PARTIES,
    machineId,
    meters: [{ stream: 'weight', ruleHash: ruleHash(RULE), startHead: ZERO_DIGEST }],
    signerKind: 1,
    signer: machineSigner(machineId),
    tariff: LINEAR,
    tariffData: encodeTariffData({ kind: 'linear', prices: [3n], scale: 0 }),
    limits: [{ burst: 100_000n, perHour: 1_000_000n }],
    capMinor: 1_000_000n,
    start: BigInt(START_MS / 1000),
    periodSeconds: 3600,
    periods: 24,
    backfillSeconds: 86_400,
    lateSeconds: 3600,
    gapTimeoutSeconds: 60,
    settleSeconds: 86_400,
    shared: false,
    openBy: BigInt(START_MS / 1000 + 86_400),
    salt: toHex(randomBytes(32)),
    ...change,
  }
}

/** A machine with one stream, whose envelopes are put straight into the database, as the pipeline would. */
export interface TestMachine {
  machineId: bigint
  key: PrivateKey
  digests: Hex[]
  /** Makes the next envelope; logs it unless told otherwise. */
  publish(
    value: bigint,
    timeMs: number,
    options?: { hold?: boolean; loggedAt?: number },
  ): Promise<HeldEnvelope>
  /** Makes an envelope with any `seq` and content, and does not log it. */
  make(seq: bigint, content: EnvelopeInput['content'], timeMs: number): HeldEnvelope
  log(envelope: HeldEnvelope, loggedAt: number, code?: AdmissionCode): Promise<void>
}

export interface HeldEnvelope {
  bytes: Uint8Array
  digest: Hex
  seq: bigint
}

let block = 0n

/** Everything that metering needs, with machines and agreements put into the tables by hand. */
export async function meteringBench(database: Database, clock: { now: number }) {
  const events = createEvents((error) => logger.error(error))
  const agreements = createAgreements({
    database,
    deployment: {
      linearTariff: LINEAR,
      tieredTariff: `0x${'12'.repeat(20)}`,
      planTariff: `0x${'13'.repeat(20)}`,
      chainId: 31_337,
      registry: `0x${'14'.repeat(20)}`,
      accounts: undefined,
    },
  })
  const start = () =>
    createMetering({
      database,
      agreements,
      clock: { nowMs: () => clock.now },
      events,
      ledger: CHAIN,
      log: `0x${'19'.repeat(20)}`,
      logger,
    })

  const nextBlock = async (): Promise<bigint> => {
    block += 1n
    const number = block
    await database.pool.query('INSERT INTO blocks VALUES ($1, $2, $3, true)', [
      number,
      randomBytes(32),
      START_MS,
    ])
    return number
  }

  const createMachine = async (
    machineId: bigint,
    verifier = CHAIN.p256Sha256Verifier,
  ): Promise<TestMachine> => {
    const key = privateKeyFromBytes('P-256', randomBytes(32))
    const at = await nextBlock()
    await database.pool.query('INSERT INTO machines VALUES ($1, 0, $2, $3)', [
      machineId,
      at,
      START_MS,
    ])
    await database.pool.query(
      `INSERT INTO machine_keys (machine_id, epoch, key_id, curve, x, y, block, log_index, at_ms, verifier)
       VALUES ($1, 1, $2, 1, $3, $4, $5, 0, $6, $7)`,
      [
        machineId,
        randomBytes(32),
        bytesOf(key.publicKey.x),
        bytesOf(key.publicKey.y),
        at,
        START_MS,
        bytesOf(verifier),
      ],
    )
    const digests: Hex[] = []
    const log = async (envelope: HeldEnvelope, loggedAt: number, code: AdmissionCode = 'OK') => {
      const decoded = decodeEnvelope(envelope.bytes)
      if (!decoded.ok) throw new Error(decoded.message)
      const { rows } = await database.pool.query('SELECT count(*) AS size FROM envelopes')
      const writer = new TupleWriter(envelope.bytes.length)
      writeEnvelopeFields(writer, decoded.envelope, envelope.bytes)
      const fields = writer.written()
      await database.transaction((transaction) =>
        insertEnvelopes(transaction, [
          { logIndex: rows[0].size, epoch: 1n, loggedAt, code, fields },
        ]),
      )
    }
    const make = (seq: bigint, content: EnvelopeInput['content'], timeMs: number): HeldEnvelope => {
      const { bytes, digest } = encodeEnvelope({
        signer: key,
        iss: { chainId: CHAIN.chainId, registry: REGISTRY, machineId },
        machineId,
        stream: 'weight',
        iat: Math.floor(timeMs / 1000),
        seq,
        prev: digests.at(-1) ?? ZERO_DIGEST,
        content,
      })
      return { bytes, digest, seq }
    }
    return {
      machineId,
      key,
      digests,
      log,
      make,
      async publish(value, timeMs, options = {}) {
        const seq = BigInt(digests.length + 1)
        const content = { kind: 'readings' as const, readings: [{ unit: 'g', timeMs, value }] }
        const held = make(seq, content, timeMs)
        digests.push(held.digest)
        if (!options.hold) await log(held, options.loggedAt ?? timeMs)
        return held
      },
    }
  }

  const openAgreement = async (terms: Terms): Promise<Hex> => {
    const id = agreementId({ ...CHAIN, terms })
    await database.pool.query(
      'INSERT INTO agreements VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)',
      [
        bytesOf(id),
        terms.machineId,
        bytesOf(terms.payer),
        bytesOf(terms.payee),
        bytesOf(terms.asset),
        JSON.stringify(termsToJson(terms)),
        await nextBlock(),
        randomBytes(32),
        START_MS,
      ],
    )
    return id
  }

  /** The value that an honest machine signs, with what the caller changes. */
  const sign = (
    machine: TestMachine,
    id: Hex,
    value: { period?: number; asOf: number; registers: bigint[]; seq: bigint; evidenceHead?: Hex },
  ): Uint8Array => {
    const digest = machine.digests[Number(value.seq) - 1] ?? ZERO_DIGEST
    const unsigned = {
      agreementId: id,
      period: value.period ?? 0,
      asOf: BigInt(value.asOf),
      registers: value.registers,
      evidenceHead: value.evidenceHead ?? evidenceHead([digest]),
    }
    const signature = signTypedDigest(machine.key, meterValueDigest({ ...CHAIN, value: unsigned }))
    return new TextEncoder().encode(
      JSON.stringify(
        signedMeterValueToJson({
          ...unsigned,
          heads: [{ stream: 'weight', seq: value.seq }],
          signature,
        }),
      ),
    )
  }

  return { agreements, events, start, createMachine, openAgreement, nextBlock, sign }
}
