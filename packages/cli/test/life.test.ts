import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient, type ErasureStatement } from '@liquefy/client'
import { createKey, type Machine, openMachine, type Receipt, saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import {
  type CounterRule,
  type Hex,
  keptRoot,
  leafData,
  leafHash,
  type PrivateKey,
  verifyErasure,
  verifyInclusion,
} from '@liquefy/protocol'
import pino from 'pino'
import { type hashTypedData, recoverTypedDataAddress } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { liquefy, type Run } from './liquefy.ts'
import { type LiveNode, startLiveNode } from './live-node.ts'

const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000000', perHour: '1000000' },
}
const TARIFF = { price: 7n, scale: 0 }
const ESCROW = 50_000_000n
const PATIENCE = { timeout: 60_000 }
const ENVELOPES = 30
const OWED = String(TARIFF.price * BigInt(ENVELOPES - 1))
const SELLER = 'Silowerk AG'
const BUYER = 'Nordmühle GmbH'

interface Site {
  folder: string
  key: PrivateKey
  machineId: bigint
  id: Hex
  device: Machine
}

let live: LiveNode
/** Is sold, and lives on. */
let sold: Site
/** Is decommissioned and erased. */
let scrapped: Site
let database: RunningNode['database']['pool']

beforeAll(async () => {
  live = await startLiveNode({ settle: { minMinor: 1n, maxAgeMs: 200 } })
  database = live.node.database.pool
  sold = await begin('sold')
  scrapped = await begin('scrapped')
  for (const { device } of [sold, scrapped]) await publish(device, 0, ENVELOPES)
}, 180_000)

afterAll(async () => {
  await sold.device.close()
  await live.stop()
})

async function begin(name: string): Promise<Site> {
  const folder = join(live.folder, name)
  const key = createKey(folder)
  const machineId = await live.register(key)
  const id = await live.open({ machineId, rule: RULE, tariff: TARIFF, escrowMinor: ESCROW })
  const { chainId, registry, clearingHouse } = live.node.deployment
  const { mqttUrl } = live.node
  saveIdentity(folder, { machineId, chainId, registry, clearingHouse, mqttUrl })
  const device = await openMachine({
    folder,
    machineId,
    chainId,
    registry,
    clearingHouse,
    mqttUrl,
    signEveryMs: 300,
  })
  return { folder, key, machineId, id, device }
}

async function publish(device: Machine, from: number, to: number): Promise<void> {
  for (let value = from; value < to; value += 1) {
    await device.publish('weight', [{ unit: 'g', value: BigInt(value) }])
  }
  await device.flushed(PATIENCE.timeout)
}

function run(...args: string[]): Promise<Run> {
  const env = { LIQUEFY_URL: live.node.url }
  return liquefy([...args, '--data-dir', join(live.folder, 'data'), '--json'], env)
}

/** Runs a command that must succeed, and answers its JSON. */
async function done(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr, json } = await run(...args)
  expect(code, stdout + stderr).toBe(0)
  await live.node.idle()
  return json() as Record<string, unknown>
}

const refusalOf = async (...args: string[]) => {
  const { code, json } = await run(...args)
  expect(code).not.toBe(0)
  return (json() as { error: { code: string; message: string } }).error
}

/** What the database has of a machine's measurements. */
async function rowsOf(machineId: bigint) {
  const { rows } = await database.query(
    `SELECT count(*)::int AS envelopes, count(raw)::int AS raws,
       (SELECT count(*)::int FROM rollups WHERE machine_id = $1) AS minutes,
       (SELECT count(*)::int FROM hour_rollups WHERE machine_id = $1) AS hours
     FROM envelopes WHERE machine_id = $1`,
    [String(machineId)],
  )
  return rows[0]
}

test('two machines are paid for what they measured', async () => {
  for (const { id } of [sold, scrapped]) {
    await expect
      .poll(() => live.client.agreement(id), PATIENCE)
      .toMatchObject({
        owedMinor: OWED,
        includedMinor: OWED,
      })
  }
}, 180_000)

describe('suspension', () => {
  test('its reason is on the ledger, in the view, in the timeline, and in what the device hears', async () => {
    const { machineId, device } = sold
    const id = String(machineId)
    const reason = 'Sensor 2 zeigt Unsinn, ä €'
    await done('machine', 'suspend', id, '--reason', reason, '--as', SELLER)
    const receipt = new Promise<Receipt>((resolve) => device.on('receipt', resolve))
    await publish(device, ENVELOPES, ENVELOPES + 1)
    expect(await receipt).toMatchObject({ code: 'MACHINE_SUSPENDED', reason })
    const by = live.payee.account.address.toLowerCase()
    const machine = await live.client.machine(id)
    expect(machine).toMatchObject({ state: 'suspended', suspension: { by, reason } })
    const entries = await live.client.timeline(id)
    expect(entries.find(({ code }) => code === 'suspended')).toMatchObject({
      kind: 'state',
      words: `Now suspended, by ${SELLER}: ${reason}`,
      atMs: machine.suspension?.atMs,
    })
    expect(entries.map(({ code }) => code)).toContain('MACHINE_SUSPENDED')
    await done('machine', 'resume', id, '--as', SELLER)
    expect(await live.client.machine(id)).toMatchObject({ state: 'active', suspension: null })
  })

  test('ATK a reason that is too long or empty is refused before anything is sent', async () => {
    const id = String(sold.machineId)
    for (const reason of ['€'.repeat(86), '']) {
      const refused = await refusalOf('machine', 'suspend', id, '--reason', reason, '--as', SELLER)
      expect(refused.code).toBe('TRANSACTION_REVERTED')
      expect(refused.message).toContain('1 to 256 bytes')
    }
    expect(await live.client.machine(id)).toMatchObject({ state: 'active' })
  })

  test('one without a reason works as ever', async () => {
    const id = String(sold.machineId)
    await done('machine', 'suspend', id, '--as', SELLER)
    expect(await live.client.machine(id)).toMatchObject({ suspension: { reason: null } })
    await done('machine', 'resume', id, '--as', SELLER)
  })
})

describe('second-hand sale', () => {
  test('the buyer sees what he needs before he pays, and what the seller said of it goes with him', async () => {
    const id = String(sold.machineId)
    await live.node.nameMachine(sold.machineId, 'Silo 7 of customer Meyer')
    await live.node.placeMachine(sold.machineId, { latitudeE7: 1, longitudeE7: 1 })
    expect(await live.client.machine(id)).toMatchObject({ name: 'Silo 7 of customer Meyer' })
    const before = await done('machine', 'history', id)
    expect(before).toMatchObject({ keyIsOlderThanOwner: false, evidenceComplete: true })

    await done('machine', 'transfer', id, '--to', BUYER, '--as', SELLER)
    expect(await live.client.machine(id)).toMatchObject({ name: id, place: null })
    const life = await live.client.life(id)
    const [seller, buyer] = [live.payee, live.payer].map(({ account }) =>
      account.address.toLowerCase(),
    )
    expect(life).toMatchObject({
      state: 'active',
      owners: [{ owner: seller }, { owner: buyer }],
      keys: [{ epoch: '1', until: null }],
      keyIsOlderThanOwner: true,
      suspensions: [
        { by: seller, reason: 'Sensor 2 zeigt Unsinn, ä €', untilMs: expect.any(Number) },
        { by: seller, reason: null, untilMs: expect.any(Number) },
      ],
      agreements: [{ agreementId: sold.id, payee: seller, closedMs: null, streams: ['weight'] }],
      streams: [
        { stream: 'weight', envelopes: ENVELOPES + 1, missing: '0', takenBy: sold.id, erased: 0 },
      ],
      evidenceComplete: true,
    })
  })

  test('the open agreement goes on earning for the seller, who may do nothing else with the machine', async () => {
    const { device, id } = sold
    await publish(device, ENVELOPES + 1, ENVELOPES + 5)
    const owed = String(TARIFF.price * BigInt(ENVELOPES + 4))
    await expect
      .poll(() => live.client.agreement(id), PATIENCE)
      .toMatchObject({
        includedMinor: owed,
        payee: live.payee.account.address.toLowerCase(),
      })
    const refused = await refusalOf('machine', 'suspend', String(sold.machineId), '--as', SELLER)
    expect(refused.message).toContain('only the owner may do this')
  })

  test('the buyer takes the key away that the seller may have kept, and gives the device a new one', async () => {
    const id = String(sold.machineId)
    await live.node.anchorNow()
    await sold.device.close()
    await done('machine', 'revoke', id, '--yes', '--as', BUYER)
    await done('machine', 'rekey', sold.folder, '--as', BUYER)
    expect(await live.client.life(id)).toMatchObject({
      keys: [
        { epoch: '1', until: { why: 'revoked' } },
        { epoch: '2', until: null },
      ],
      keyIsOlderThanOwner: false,
    })
  })
})

describe('erasure', () => {
  const machine = () => String(scrapped.machineId)
  let copy: string
  let statement: ErasureStatement

  test('ATK it is refused while anything rests on the readings, and to whoever is not the owner', async () => {
    const erase = (as: string) => refusalOf('machine', 'erase', machine(), '--yes', '--as', as)
    expect((await refusalOf('machine', 'erase', machine(), '--as', SELLER)).code).toBe(
      'ERASE_UNCONFIRMED',
    )
    expect(await erase(BUYER)).toMatchObject({ code: 'NOT_OWNER' })
    expect(await erase(SELLER)).toMatchObject({ code: 'MACHINE_NOT_DECOMMISSIONED' })
    await expect(
      createClient({ url: live.node.url }).eraseMachine(machine()),
    ).rejects.toMatchObject({
      code: 'SESSION_MISSING',
    })
    await scrapped.device.close()
    await done('machine', 'decommission', machine(), '--yes', '--as', SELLER)
    expect(await erase(SELLER)).toMatchObject({
      code: 'AGREEMENTS_OPEN',
      message: expect.stringContaining(scrapped.id),
    })
    await done('agreement', 'close', scrapped.id, '--as', SELLER)
    await live.node.anchorNow()
    await live.node.idle()
    expect(await rowsOf(scrapped.machineId)).toMatchObject({
      envelopes: ENVELOPES,
      raws: ENVELOPES,
    })
  })

  test('ATK it is refused while bytes are in an archive that no node can erase', async () => {
    const folder = join(live.folder, 'archive')
    const { files } = (await done(
      'archive',
      '--to',
      folder,
      '--before',
      new Date().toISOString(),
    )) as { files: string[] }
    expect(await refusalOf('machine', 'erase', machine(), '--yes', '--as', SELLER)).toMatchObject({
      code: 'EVIDENCE_ARCHIVED',
      message: expect.stringContaining(files[0] ?? 'no file'),
    })
    await done('archive', 'restore', '--from', folder)
  })

  test('cut short in the middle, nothing is erased and nothing is stated', async () => {
    const blocker = await database.connect()
    await blocker.query('BEGIN')
    await blocker.query('LOCK TABLE hour_rollups IN ACCESS EXCLUSIVE MODE')
    const erasing = run('machine', 'erase', machine(), '--yes', '--as', SELLER)
    // It has taken the bytes out, and waits for the charts.
    const waiting = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM hour_rollups%'`
    try {
      await expect.poll(async () => (await database.query(waiting)).rowCount, PATIENCE).toBe(1)
      const { rows } = await database.query(waiting)
      await database.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
      expect((await erasing).code).toBe(2)
    } finally {
      await blocker.query('ROLLBACK')
      blocker.release()
    }
    expect(await rowsOf(scrapped.machineId)).toMatchObject({ raws: ENVELOPES, minutes: 1 })
    expect(await live.client.erasures(machine())).toEqual([])
  })

  test('what people measured is gone from every table; the statement is signed by the log and says how much', async () => {
    copy = join(live.folder, 'copy.ndjson')
    await done('evidence', 'export', scrapped.id, '--out', copy)
    const raws = readFileSync(copy, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{"type":"envelope"'))
      .map((line) => Buffer.from((JSON.parse(line) as { raw: string }).raw, 'base64'))
    const other = await rowsOf(sold.machineId)

    statement = (await done(
      'machine',
      'erase',
      machine(),
      '--yes',
      '--as',
      SELLER,
    )) as unknown as ErasureStatement
    expect(await rowsOf(scrapped.machineId)).toEqual({
      envelopes: ENVELOPES,
      raws: 0,
      minutes: 0,
      hours: 0,
    })
    const { rows } = await database.query(
      'SELECT count(*)::int AS registers FROM metered WHERE agreement_id = $1 AND period >= 0',
      [Buffer.from(scrapped.id.slice(2), 'hex')],
    )
    expect(rows[0].registers).toBe(1)
    expect(await rowsOf(sold.machineId)).toEqual(other)
    expect(statement).toMatchObject({
      machineId: machine(),
      owner: live.payee.account.address.toLowerCase(),
      log: live.node.deployment.log,
      streams: [
        {
          stream: 'weight',
          firstSeq: '1',
          lastSeq: String(ENVELOPES),
          envelopes: String(ENVELOPES),
          bytes: String(raws.reduce((sum, { length }) => sum + length, 0)),
        },
      ],
    })
    expect(await live.client.erasures(machine())).toEqual([statement])
    // By a library that nobody here wrote, from the types as docs/protocol/life.md has them.
    const types = {
      Erasure: [
        { name: 'machineId', type: 'uint256' },
        { name: 'owner', type: 'address' },
        { name: 'erasedAt', type: 'uint64' },
        { name: 'streams', type: 'ErasedStream[]' },
        { name: 'keptRoot', type: 'bytes32' },
        { name: 'logSize', type: 'uint64' },
        { name: 'logRoot', type: 'bytes32' },
      ],
      ErasedStream: [
        { name: 'stream', type: 'string' },
        { name: 'firstSeq', type: 'uint64' },
        { name: 'lastSeq', type: 'uint64' },
        { name: 'envelopes', type: 'uint64' },
        { name: 'bytes', type: 'uint64' },
      ],
    }
    const signed = {
      domain: {
        name: 'Liquefy EvidenceLog',
        version: '1',
        chainId: statement.chainId,
        verifyingContract: statement.evidenceAnchor,
      },
      types,
      primaryType: 'Erasure',
      message: { ...statement, erasedAt: BigInt(statement.erasedAtMs) },
    } as unknown as Parameters<typeof hashTypedData>[0]
    const { signature } = statement
    expect(await recoverTypedDataAddress({ ...signed, signature })).toBe(
      live.node.keys.operator.address,
    )
  })

  test('every kept leaf is under the root of the statement and, by its proof, in the log', async () => {
    const places = await live.client.envelopes(machine(), { limit: 500 })
    const leaves = await Promise.all(
      places.reverse().map(({ logIndex }) => live.client.keptLeaf(logIndex)),
    )
    expect(leaves).toHaveLength(ENVELOPES)
    const kept = leaves.map(({ digest, loggedAtMs, admission }) => ({
      digest,
      loggedAt: loggedAtMs,
      code: admission,
    }))
    expect(keptRoot(kept)).toBe(statement.keptRoot)
    for (const [at, { logIndex, bytes, proof, checkpoint }] of leaves.entries()) {
      const { digest, loggedAt, code } = kept[at] ?? { digest: '0x', loggedAt: 0, code: '' }
      const leaf = leafHash(leafData(digest, loggedAt, code))
      expect(bytes).toBe('erased')
      expect(
        verifyInclusion({
          leafHash: leaf,
          index: BigInt(logIndex),
          size: BigInt(checkpoint.size),
          proof,
          root: checkpoint.root,
        }),
      ).toBe(true)
    }
    await expect(live.client.envelope(leaves[0]?.logIndex ?? '')).rejects.toMatchObject({
      code: 'ENVELOPE_ERASED',
      status: 410,
    })
  })

  test('ATK a statement with one number changed is signed by nobody', async () => {
    const erasure = {
      chainId: statement.chainId,
      anchor: statement.evidenceAnchor,
      machineId: scrapped.machineId,
      owner: statement.owner,
      erasedAt: statement.erasedAtMs,
      streams: statement.streams.map((stream) => ({
        stream: stream.stream,
        firstSeq: BigInt(stream.firstSeq),
        lastSeq: BigInt(stream.lastSeq),
        envelopes: BigInt(stream.envelopes),
        bytes: BigInt(stream.bytes),
      })),
      keptRoot: statement.keptRoot,
      logSize: BigInt(statement.logSize),
      logRoot: statement.logRoot,
    }
    const { signature, log } = statement
    expect(verifyErasure(erasure, signature, log)).toBe(true)
    const fewer = erasure.streams.map((stream) => ({ ...stream, bytes: stream.bytes - 1n }))
    expect(verifyErasure({ ...erasure, streams: fewer }, signature, log)).toBe(false)
    expect(verifyErasure({ ...erasure, erasedAt: 1 }, signature, log)).toBe(false)
  })

  test('an audit says ENVELOPE_ERASED; with a copy that the owner kept, it goes through to the last unit against what the node kept', async () => {
    const audited = await run('audit', scrapped.id)
    expect(audited.code).toBe(1)
    expect(audited.json()).toMatchObject({
      firstFault: { code: 'ENVELOPE_ERASED', stream: 'weight', seq: '1' },
    })
    expect(await done('audit', scrapped.id, '--copy', copy)).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      envelopes: ENVELOPES,
      settledMinor: OWED,
    })
    const forged = join(live.folder, 'forged.ndjson')
    const lines = readFileSync(copy, 'utf8').split('\n')
    writeFileSync(forged, lines.filter((line) => !line.includes('"seq":"7"')).join('\n'))
    expect(await refusalOf('audit', scrapped.id, '--copy', forged)).toMatchObject({
      code: 'ERASED',
    })
    expect(await done('audit', sold.id)).toMatchObject({ firstFault: null, differenceMinor: '0' })
  })

  test('asked again, it states nothing new; the buyer of scrap sees what is left; the view of money still equals the ledger', async () => {
    expect(await done('machine', 'erase', machine(), '--yes', '--as', SELLER)).toEqual(statement)
    expect(await done('machine', 'history', machine())).toMatchObject({
      state: 'decommissioned',
      evidenceComplete: false,
      streams: [{ stream: 'weight', envelopes: ENVELOPES, missing: '0', erased: ENVELOPES }],
      erasures: [{ keptRoot: statement.keptRoot, isSigned: true }],
    })
    expect(await live.node.checkMoney()).toMatchObject({ ok: true })
    expect(await live.client.agreement(scrapped.id)).toMatchObject({
      owedMinor: OWED,
      includedMinor: OWED,
    })
  })
})

describe('origin', () => {
  test('a buyer checks a part against the record that its machine shows, and what does not fit is named', async () => {
    const file = (name: string, text: string) => {
      const path = join(live.folder, name)
      writeFileSync(path, text)
      return path
    }
    const folder = join(live.folder, 'maker')
    createKey(folder)
    const [design, build] = ['design.cose', 'build.cose'].map((name) => join(live.folder, name))
    if (!design || !build) throw new Error('two records')
    const firmware = file('firmware.bin', 'firmware 2.1')
    const { issuer } = await done(
      'origin',
      'design',
      folder,
      '--name',
      'radar',
      '--design-version',
      '2.1',
      '--file',
      file('board.txt', 'board'),
      file('case.txt', 'case'),
      '--out',
      design,
    )
    await done(
      'origin',
      'build',
      folder,
      '--model',
      'SR-2',
      '--serial',
      '000417',
      '--out',
      build,
      '--artefact',
      firmware,
      '--design',
      design,
      '--input',
      file('gcc.txt', 'gcc'),
    )
    const id = String(sold.machineId)
    expect(await refusalOf('origin', 'add', id, build, '--as', SELLER)).toMatchObject({
      code: 'NOT_OWNER',
    })
    const { recordId } = await done('origin', 'add', id, build, '--as', BUYER)
    expect(recordId).toBe(`0x${createHash('sha256').update(readFileSync(build)).digest('hex')}`)
    expect(await live.client.records(id)).toMatchObject([
      { recordId, kind: 'build', issuer, subject: 'SR-2/000417' },
    ])
    const served = join(live.folder, 'served.cose')
    writeFileSync(served, await live.client.record(id, recordId as Hex))
    const check = (...more: string[]) => run('origin', 'check', served, ...more)
    const good = await check('--design', design, '--artefact', firmware, '--maker', String(issuer))
    expect(good.code, good.stdout).toBe(0)
    expect(good.json()).toMatchObject({ faults: [], build: { serial: '000417' } })
    const bad = await check('--artefact', file('other.bin', 'firmware 2.2'))
    expect(bad.code).toBe(1)
    expect(bad.json()).toMatchObject({ faults: [{ code: 'ORIGIN_ARTEFACT_DIFFERS' }] })
    const forged = file('forged.cose', '')
    writeFileSync(forged, readFileSync(build).with(-1, (readFileSync(build).at(-1) ?? 0) ^ 1))
    expect(await refusalOf('origin', 'add', id, forged, '--as', BUYER)).toMatchObject({
      code: 'ORIGIN_SIGNATURE_INVALID',
    })
    expect(await refusalOf('origin', 'add', id, firmware, '--as', BUYER)).toMatchObject({
      code: 'ORIGIN_MALFORMED',
    })
  })
})

describe('a node that is started again', () => {
  test('opens its log, has the statement, and meters on', async () => {
    const before = await live.client.logHead()
    const statements = await live.client.erasures(String(scrapped.machineId))
    expect(statements).toHaveLength(1)
    await live.node.stop()
    const again = await startNode({
      dataDir: join(live.folder, 'data'),
      port: 0,
      mqttPort: 0,
      rpcPort: 0,
      logger: pino({ level: 'silent' }),
    })
    try {
      await again.idle()
      const client = createClient({ url: again.url })
      expect(await client.logHead()).toMatchObject({ size: before.size, root: before.root })
      expect(await client.erasures(String(scrapped.machineId))).toEqual(statements)
      expect(await client.agreement(sold.id)).toMatchObject({ problem: null })
      const health = await fetch(new URL('/healthz', again.url))
      expect(await health.json()).toMatchObject({ ok: true })
    } finally {
      await again.stop()
    }
  }, 120_000)
})
