import {
  decodeEnvelope,
  keyId,
  leafData,
  leafHash,
  type PrivateKey,
  verifyCheckpoint,
  verifyEnvelope,
  verifyInclusion,
} from '@liquefy/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../src/store/database.ts'
import { countEnvelopes, readStream } from '../src/store/envelopes.ts'
import { readFineSeries } from '../src/store/fine-series.ts'
import { readRefusalCounts, readRefusals } from '../src/store/refusals.ts'
import { readSeries } from '../src/store/rollups.ts'
import {
  ANCHOR,
  addKey,
  CHAIN_ID,
  connectDevice,
  freshDatabase,
  type Ingest,
  LOG_ACCOUNT,
  newKey,
  REGISTRY,
  registerMachine,
  seal,
  sealChain,
  setState,
  startIngest,
  tempDatabase,
  until,
} from './ingest-fixture.ts'

let database: Database
let ingest: Ingest

beforeAll(async () => {
  database = await tempDatabase()
  ingest = await startIngest({ database })
})
afterAll(async () => {
  await ingest.stop()
  await database.close()
})

async function newDevice() {
  const machine = await registerMachine(database)
  return { machine, device: await connectDevice(ingest.broker.port, machine) }
}

async function refusalsOf(machineId: bigint): Promise<Record<string, number>> {
  await ingest.pipeline.idle()
  const counts = await readRefusalCounts(database.pool, machineId)
  return Object.fromEntries(counts.map(({ code, count }) => [code, Number(count)]))
}

describe('what is authentic is logged', () => {
  test('INV-21 each reading has one log position, and its proof verifies offline', async () => {
    const { machine, device } = await newDevice()
    const chain = sealChain(machine, 3)
    for (const { bytes } of chain) await device.send(bytes)
    const positions = new Set<string>()
    for (const { digest } of chain) {
      const entry = await device.receipt(digest)
      expect(entry.code).toBe('OK')
      positions.add(entry.logIndex)
      const head = await ingest.evidence.head()
      const size = BigInt(head.size)
      const index = BigInt(entry.logIndex)
      expect(
        verifyInclusion({
          leafHash: leafHash(leafData(digest, entry.loggedAt, entry.code)),
          index,
          size,
          proof: await ingest.evidence.inclusionProof(index, size),
          root: head.root,
        }),
      ).toBe(true)
      const { root, timestamp } = head
      const checkpoint = { chainId: CHAIN_ID, anchor: ANCHOR, size, root, timestamp }
      expect(verifyCheckpoint(checkpoint, head.signature, LOG_ACCOUNT.address)).toBe(true)
    }
    expect(positions.size).toBe(3)
    await device.close()
  })

  test('INV-15 stored bytes are the bytes sent, and verify again under the key of their time', async () => {
    const { machine, device } = await newDevice()
    const sent = seal(machine)
    await device.send(sent.bytes)
    await device.receipt(sent.digest)
    await addKey(database, machine.machineId, 1n, undefined)
    ingest.identity.refresh([machine.machineId])
    const [row] = await readStream(database.pool, {
      machineId: machine.machineId,
      stream: 'level',
      afterIndex: -1n,
      limit: 10,
    })
    expect(Buffer.from(row?.raw ?? []).equals(Buffer.from(sent.bytes))).toBe(true)
    const again = decodeEnvelope(row?.raw ?? new Uint8Array())
    if (!again.ok) throw new Error(again.message)
    expect(verifyEnvelope(again.envelope, machine.key.publicKey)).toBe(true)
    await device.close()
  })

  test('a replay is answered with the first receipt and counted as duplicate', async () => {
    const { machine, device } = await newDevice()
    const { bytes, digest } = seal(machine)
    await device.send(bytes)
    const first = await device.receipt(digest)
    await Promise.all([device.send(bytes), device.send(bytes)])
    const entries = await until(() => {
      const all = device.receipts.flatMap((receipt) => receipt.entries)
      return all.length >= 3 ? all : undefined
    })
    for (const entry of entries) expect(entry).toEqual(first)
    expect(await refusalsOf(machine.machineId)).toEqual({ DUPLICATE: 2 })
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({ OK: 1 })
    await device.close()
  })

  test('the same envelope twice in one commit is one envelope', async () => {
    const machine = await registerMachine(database)
    const { bytes } = seal(machine)
    await Promise.all([1, 2, 3].map(() => ingest.pipeline.envelope(machine.machineId, bytes)))
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({ OK: 1 })
    expect(await refusalsOf(machine.machineId)).toEqual({ DUPLICATE: 2 })
  })

  test('INV-14 ATK equivocation: both are kept, the first logged stays OK', async () => {
    const { machine, device } = await newDevice()
    const first = seal(machine, { values: [100n] })
    const second = seal(machine, { values: [999n] })
    await device.send(first.bytes)
    await device.send(second.bytes)
    expect((await device.receipt(first.digest)).code).toBe('OK')
    expect((await device.receipt(second.digest)).code).toBe('EQUIVOCATION')
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({
      OK: 1,
      EQUIVOCATION: 1,
    })
    await device.close()
  })

  test('INV-14 of two with one seq in one commit the first is OK', async () => {
    const machine = await registerMachine(database)
    const both = [seal(machine, { values: [1n] }), seal(machine, { values: [2n] })]
    await Promise.all(both.map(({ bytes }) => ingest.pipeline.envelope(machine.machineId, bytes)))
    const rows = await readStream(database.pool, {
      machineId: machine.machineId,
      stream: 'level',
      afterIndex: -1n,
      limit: 10,
    })
    expect(rows.map(({ digest, code }) => [digest, code])).toEqual([
      [both[0]?.digest, 'OK'],
      [both[1]?.digest, 'EQUIVOCATION'],
    ])
  })

  test('a chain that arrives in reverse order is whole', async () => {
    const { machine, device } = await newDevice()
    const chain = sealChain(machine, 5)
    for (const { bytes } of chain.toReversed()) await device.send(bytes)
    for (const { digest } of chain) expect((await device.receipt(digest)).code).toBe('OK')
    await device.close()
  })

  test('CHAIN_BROKEN: prev is not the digest before, or the one behind names another', async () => {
    const { machine, device } = await newDevice()
    const [one, two, three] = sealChain(machine, 3)
    if (!one || !two || !three) throw new Error('three')
    const foreign = seal(machine, { seq: 2n, prev: `0x${'ab'.repeat(32)}` })
    await device.send(one.bytes)
    await device.send(foreign.bytes)
    expect((await device.receipt(foreign.digest)).code).toBe('CHAIN_BROKEN')

    const other = await newDevice()
    const chain = sealChain(other.machine, 3)
    const forged = seal(other.machine, { seq: 2n, prev: chain[0]?.digest ?? '0x', values: [7n] })
    await other.device.send(chain[0]?.bytes ?? new Uint8Array())
    await other.device.send(chain[2]?.bytes ?? new Uint8Array())
    await other.device.send(forged.bytes)
    expect((await other.device.receipt(forged.digest)).code).toBe('CHAIN_BROKEN')
    await device.close()
    await other.device.close()
  })

  test('ATK clock in the future: CLOCK_SKEW, and the chain goes on behind it', async () => {
    const { machine, device } = await newDevice()
    const early = seal(machine, { timeMs: Date.now() + 130_000 })
    await device.send(early.bytes)
    expect((await device.receipt(early.digest)).code).toBe('CLOCK_SKEW')
    const good = seal(machine, { seq: 2n, prev: early.digest })
    await device.send(good.bytes)
    expect((await device.receipt(good.digest)).code).toBe('OK')
    await device.close()
  })

  test('MACHINE_SUSPENDED: while the machine, or its controller, is not active', async () => {
    const { machine, device } = await newDevice()
    const controlled = await registerMachine(database, { controller: machine.machineId })
    const chain = sealChain(machine, 2)
    const ofOther = sealChain(machine, 2, { machineId: controlled.machineId })
    const send = async (one: { bytes: Uint8Array; digest: `0x${string}` } | undefined) => {
      if (one === undefined) throw new Error('none')
      await device.send(one.bytes)
      return (await device.receipt(one.digest)).code
    }
    expect(await send(ofOther[0])).toBe('OK')
    await setState(database, machine.machineId, 'suspended')
    ingest.identity.refresh([machine.machineId])
    expect(await send(chain[0])).toBe('MACHINE_SUSPENDED')
    expect(await send(ofOther[1])).toBe('MACHINE_SUSPENDED')
    await setState(database, machine.machineId, 'active')
    ingest.identity.refresh([machine.machineId])
    expect(await send(chain[1])).toBe('OK')
    await device.close()
  })

  test('one receipt for a stream and commit; metering and listeners are told', async () => {
    const { machine, device } = await newDevice()
    const level = sealChain(machine, 4)
    const energy = sealChain(machine, 2, { stream: 'energy' })
    await Promise.all(
      [...level, ...energy].map(({ bytes }) => ingest.pipeline.envelope(machine.machineId, bytes)),
    )
    await device.receipt(energy[1]?.digest ?? '0x')
    expect(device.receipts.map(({ stream, entries }) => [stream, entries.length])).toEqual([
      ['level', 4],
      ['energy', 2],
    ])
    const { machineId } = machine
    expect(ingest.kicked).toContainEqual({ machineId, stream: 'energy' })
    expect(ingest.events).toContainEqual(
      expect.objectContaining({
        type: 'logged',
        machineId: String(machineId),
        stream: 'level',
        seq: '4',
      }),
    )
    await device.close()
  })

  test('readings become minute rollups; what was not admitted does not', async () => {
    const machine = await registerMachine(database)
    const timeMs = Math.floor(Date.now() / 60_000) * 60_000 - 600_000 + 30_000
    const first = seal(machine, { timeMs, values: [10n, 30n, 20n] })
    const rival = seal(machine, { timeMs, values: [999n] })
    const second = seal(machine, {
      timeMs: timeMs + 1_000,
      seq: 2n,
      prev: first.digest,
      values: [40n],
    })
    for (const { bytes } of [first, rival, second]) {
      await ingest.pipeline.envelope(machine.machineId, bytes)
    }
    const series = await readSeries(database.pool, {
      machineId: machine.machineId,
      stream: 'level',
      fromMs: timeMs - 60_000,
      toMs: timeMs + 60_000,
      points: 100,
    })
    expect(series).toHaveLength(1)
    expect(series[0]).toMatchObject({ stream: 'level', unit: 'kg', bucketMs: 60_000 })
    expect(series[0]?.buckets).toEqual([
      { timeMs: timeMs - 30_000, count: 4, min: 10, max: 40, mean: 25, last: 40 },
    ])
    const fine = await readFineSeries(database.pool, {
      machineId: machine.machineId,
      stream: 'level',
      fromMs: timeMs - 1_000,
      toMs: timeMs + 1_000,
      points: 2,
    })
    expect(fine).toMatchObject([{ stream: 'level', name: 'level', unit: 'kg', bucketMs: 1_000 }])
    expect(fine[0]?.buckets).toMatchObject([
      { timeMs: timeMs - 1_000, count: 3, min: 10, mean: 20, last: 20 },
      { timeMs, count: 1, min: 40, max: 40 },
    ])
  })

  test('a position, two records of one name, is two series', async () => {
    const machine = await registerMachine(database)
    const timeMs = Math.floor(Date.now() / 60_000) * 60_000 - 600_000
    const record = (unit: string, mantissa: bigint) => ({
      unit,
      timeMs,
      value: { mantissa, exponent: -7 },
    })
    const readings = [record('lat', 600_000_000n), record('lon', 235_000_000n)]
    const { bytes } = seal(machine, { stream: 'position', content: { kind: 'readings', readings } })
    await ingest.pipeline.envelope(machine.machineId, bytes)
    const query = { machineId: machine.machineId, stream: 'position', points: 100 }
    const span = { fromMs: timeMs, toMs: timeMs + 60_000 }
    for (const read of [readSeries, readFineSeries]) {
      const series = await read(database.pool, { ...query, ...span })
      const shown = series.map(({ name, unit, buckets }) => [name, unit, buckets[0]?.mean])
      expect(shown).toEqual([
        ['position', 'lat', 60],
        ['position', 'lon', 23.5],
      ])
    }
  })
})

describe('what is not authentic is refused with its code, and the good reading behind it is accepted', () => {
  type Case = (machine: { machineId: bigint; key: PrivateKey }) => Promise<Uint8Array> | Uint8Array
  const flip = (bytes: Uint8Array, at: number) => {
    const flipped = Uint8Array.from(bytes)
    flipped[at] = (flipped.at(at) ?? 0) ^ 1
    return flipped
  }
  const cases: Record<string, [code: string, bad: Case]> = {
    'larger than an envelope': ['TOO_LARGE', () => new Uint8Array(65_600)],
    'nested too deep': ['TOO_LARGE', () => new Uint8Array(1_000).fill(0x81)],
    'no CBOR': ['ENVELOPE_MALFORMED', () => Buffer.from('{"level": 100}')],
    'nothing at all': ['ENVELOPE_MALFORMED', () => new Uint8Array(0)],
    'trailing byte': ['ENVELOPE_MALFORMED', (machine) => Buffer.from([...seal(machine).bytes, 0])],
    'seq beyond what is stored': [
      'ENVELOPE_MALFORMED',
      (machine) => seal(machine, { seq: 2n ** 63n, prev: `0x${'01'.repeat(32)}` }).bytes,
    ],
    'alg of another curve than the key': [
      'ALG_MISMATCH',
      (machine) => {
        const { d } = newKey('secp256k1')
        const signer: PrivateKey = { curve: 'secp256k1', d, publicKey: machine.key.publicKey }
        return seal(machine, { signer }).bytes
      },
    ],
    'another ledger': [
      'DEVICE_UNKNOWN',
      (machine) =>
        seal(machine, { iss: { chainId: 1, registry: REGISTRY, machineId: machine.machineId } })
          .bytes,
    ],
    'a measured machine that nobody registered': [
      'DEVICE_UNKNOWN',
      (machine) => seal(machine, { machineId: 4_711n }).bytes,
    ],
    'a key that was never its own': [
      'KEY_UNKNOWN',
      (machine) => seal(machine, { signer: newKey() }).bytes,
    ],
    'a machine that it does not control': [
      'SIGNER_NOT_CONTROLLER',
      async (machine) =>
        seal(machine, { machineId: (await registerMachine(database)).machineId }).bytes,
    ],
    "another machine's envelope on its topic": [
      'TOPIC_MISMATCH',
      async () => seal(await registerMachine(database)).bytes,
    ],
    'one bit of the signature': [
      'SIGNATURE_INVALID',
      (machine) => {
        const { bytes } = seal(machine)
        return flip(bytes, bytes.length - 1)
      },
    ],
  }
  for (const [name, [code, bad]] of Object.entries(cases)) {
    test(`ATK ${name}: ${code}`, async () => {
      const { machine, device } = await newDevice()
      const bytes = await bad(machine)
      await device.send(bytes)
      expect((await device.refusal(code)).message).not.toBe('')
      const good = seal(machine)
      await device.send(good.bytes)
      expect((await device.receipt(good.digest)).code).toBe('OK')
      expect(await refusalsOf(machine.machineId)).toEqual({ [code]: 1 })
      const [sample] = await readRefusals(database.pool, machine.machineId, 10)
      expect(sample).toMatchObject({ code })
      expect(sample?.sample?.length).toBe(Math.min(bytes.length, 1_024))
      await device.close()
    })
  }

  test('ATK key off the curve: KEY_INVALID', async () => {
    const { machine, device } = await newDevice()
    const publicKey = { ...machine.key.publicKey, y: machine.key.publicKey.x }
    const broken: PrivateKey = { ...machine.key, publicKey }
    await addKey(database, machine.machineId, 2n, broken)
    await addKey(database, machine.machineId, 3n, machine.key)
    ingest.identity.refresh([machine.machineId])
    const { bytes } = seal(machine)
    const id = Buffer.from(keyId(machine.key.publicKey).slice(2), 'hex')
    const at = Buffer.from(bytes).indexOf(id)
    const swapped = Buffer.from(bytes)
    Buffer.from(keyId(publicKey).slice(2), 'hex').copy(swapped, at)
    await device.send(swapped)
    await device.refusal('KEY_INVALID')
    await device.close()
  })

  test('INV-18 ATK revoked key: KEY_REVOKED, what was logged before is still receipted', async () => {
    const { machine, device } = await newDevice()
    const [before, after] = sealChain(machine, 2)
    if (!before || !after) throw new Error('two')
    await device.send(before.bytes)
    await device.receipt(before.digest)
    await addKey(database, machine.machineId, 1n, undefined)
    // Not through refresh: the connection, too, would end.
    await ingest.pipeline.idle()
    const fresh = await startIngest({ database })
    await fresh.pipeline.envelope(machine.machineId, after.bytes)
    await fresh.pipeline.envelope(machine.machineId, before.bytes)
    expect(fresh.pipeline.counts()).toMatchObject({ logged: 0, duplicate: 1, refused: 1 })
    expect(await refusalsOf(machine.machineId)).toEqual({ KEY_REVOKED: 1, DUPLICATE: 1 })
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({ OK: 1 })
    await fresh.stop()
    await device.close()
  })

  test('rotation: the old key counts up to the heads declared, the new one from there', async () => {
    const machine = await registerMachine(database)
    const [one, two, three] = sealChain(machine, 3)
    if (!one || !two || !three) throw new Error('three')
    const next = { machineId: machine.machineId, key: newKey('secp256k1') }
    const heads = [{ stream: 'level', seq: '2', digest: two.digest }]
    await addKey(database, machine.machineId, 2n, next.key, heads)
    ingest.identity.refresh([machine.machineId])
    const device = await connectDevice(ingest.broker.port, next)
    await device.send(three.bytes)
    await device.refusal('KEY_REVOKED')
    await device.send(seal(machine, { stream: 'other' }).bytes)
    await until(() => device.refused.length >= 2 || undefined)
    await device.send(seal(machine, { seq: 2n, prev: one.digest, values: [5n] }).bytes)
    await until(() => device.refused.length >= 3 || undefined)
    const continued = seal(next, { seq: 3n, prev: two.digest })
    for (const good of [one, two, continued]) {
      await device.send(good.bytes)
      expect((await device.receipt(good.digest)).code).toBe('OK')
    }
    expect(await refusalsOf(machine.machineId)).toEqual({ KEY_REVOKED: 3 })
    await device.close()
  })
})

describe('the sums hold', () => {
  test('INV-16 frames received = logged + duplicate + refused, in memory and in the database', async () => {
    const own = await freshDatabase(database)
    const node = await startIngest({ database: own })
    const machine = await registerMachine(own)
    const device = await connectDevice(node.broker.port, machine)
    const chain = sealChain(machine, 20)
    const frames = [
      ...chain.map(({ bytes }) => bytes),
      ...chain.slice(5, 10).map(({ bytes }) => bytes),
      ...[1, 2, 3].map((byte) => Uint8Array.of(byte)),
      seal(machine, { values: [77n] }).bytes,
    ]
    await Promise.all(frames.map((bytes) => device.send(bytes)))
    await node.pipeline.idle()
    expect(node.pipeline.counts()).toEqual({
      received: 29,
      logged: 21,
      duplicate: 5,
      refused: 3,
      held: 0,
      heldBytes: 0,
    })
    const counts = await readRefusalCounts(own.pool)
    const logged = await countEnvelopes(own.pool)
    expect(logged).toEqual({ OK: 20, EQUIVOCATION: 1 })
    expect(counts.map(({ code, count }) => [code, count])).toEqual([
      ['DUPLICATE', 5n],
      ['ENVELOPE_MALFORMED', 3n],
    ])
    await device.close()
    await node.stop()
    await own.close()
  })

  test('only the newest 20 samples of a code are kept, all are counted', async () => {
    const machine = await registerMachine(database)
    for (let index = 0; index < 30; index += 1) {
      await ingest.pipeline.envelope(machine.machineId, Uint8Array.of(index))
    }
    expect(await refusalsOf(machine.machineId)).toEqual({ ENVELOPE_MALFORMED: 30 })
    const samples = await readRefusals(database.pool, machine.machineId, 100)
    expect(samples).toHaveLength(20)
    expect(samples[0]?.sample?.[0]).toBe(29)
  })
})

describe('of whom the ledger does not know', () => {
  const countOf = async (code: string) =>
    (await readRefusalCounts(database.pool, 0n)).find((one) => one.code === code)?.count ?? 0n

  test('what came through a broker that lets everybody in names its sender', async () => {
    await ingest.pipeline.envelope(4_711n, Buffer.from('no CBOR'))
    const [sample] = await readRefusals(database.pool, 0n, 1)
    expect(sample).toMatchObject({
      code: 'ENVELOPE_MALFORMED',
      message: expect.stringMatching(/^as 4711: ./),
    })
  })

  test('INV-28 ATK a flood of names is counted, the newest 20 are kept, and memory is bounded', async () => {
    const before = await countOf('TOPIC_FORBIDDEN')
    for (let index = 0; index < 5_000; index += 1) {
      const message = `publish to ${index}`
      ingest.pipeline.deny({ machineId: 0n, code: 'TOPIC_FORBIDDEN', message })
    }
    await ingest.pipeline.idle()
    expect((await countOf('TOPIC_FORBIDDEN')) - before).toBe(5_000n)
    const kept = await readRefusals(database.pool, 0n, 1_000)
    expect(kept.filter(({ code }) => code === 'TOPIC_FORBIDDEN')).toHaveLength(20)
    expect(kept.map(({ message }) => message)).toContain('publish to 4999')
  })
})

describe('nothing stops the stream', () => {
  test('ATK poison message: what cannot be stored is refused alone, its batch is logged', async () => {
    const machine = await registerMachine(database)
    const poison = await registerMachine(database)
    await database.pool.query(`
      CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.machine_id = ${poison.machineId} THEN RAISE EXCEPTION 'poison' USING ERRCODE = '22000'; END IF;
        RETURN NEW; END $$;
      CREATE TRIGGER poison BEFORE INSERT ON envelopes FOR EACH ROW EXECUTE FUNCTION poison()`)
    const chain = sealChain(machine, 4)
    await Promise.all([
      ...chain.slice(0, 2).map(({ bytes }) => ingest.pipeline.envelope(machine.machineId, bytes)),
      ingest.pipeline.envelope(poison.machineId, seal(poison).bytes),
      ...chain.slice(2).map(({ bytes }) => ingest.pipeline.envelope(machine.machineId, bytes)),
    ])
    await database.pool.query('DROP FUNCTION poison() CASCADE')
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({ OK: 4 })
    expect(await refusalsOf(poison.machineId)).toEqual({ ENVELOPE_MALFORMED: 1 })
  })

  test('a database that fails leaves frames unacknowledged, and loses none', async () => {
    const { machine, device } = await newDevice()
    await database.pool.query('ALTER TABLE envelopes RENAME TO envelopes_away')
    const chain = sealChain(machine, 3)
    let acknowledged = 0
    const sent = chain.map(({ bytes }) => device.send(bytes).then(() => (acknowledged += 1)))
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(acknowledged).toBe(0)
    expect(device.receipts).toEqual([])
    await database.pool.query('ALTER TABLE envelopes_away RENAME TO envelopes')
    await Promise.all(sent)
    for (const { digest } of chain) expect((await device.receipt(digest)).code).toBe('OK')
    await device.close()
  })

  test('INV-28 back-pressure: what is held is bounded, the rest is OVERLOADED and may come again', async () => {
    const own = await freshDatabase(database)
    const limits = { heldFrames: 50, heldBytes: 1_000_000, batchFrames: 10 }
    const node = await startIngest({ database: own, limits })
    const machine = await registerMachine(own)
    const chain = sealChain(machine, 300)
    await own.pool.query('ALTER TABLE envelopes RENAME TO envelopes_away')
    const all = chain.map(({ bytes }) => node.pipeline.envelope(machine.machineId, bytes))
    expect(node.pipeline.whenRoom()).toBeInstanceOf(Promise)
    expect(node.pipeline.counts()).toMatchObject({ held: 100, refused: 200 })
    const room = node.pipeline.whenRoom()
    await own.pool.query('ALTER TABLE envelopes_away RENAME TO envelopes')
    await room
    await Promise.all(all)
    await node.pipeline.idle()
    expect(node.pipeline.whenRoom()).toBeUndefined()
    const counts = await readRefusalCounts(own.pool)
    expect(counts).toEqual([{ machineId: machine.machineId, code: 'OVERLOADED', count: 200n }])
    const device = await connectDevice(node.broker.port, machine)
    for (const { bytes } of chain) await device.send(bytes)
    expect(await countEnvelopes(own.pool)).toEqual({ OK: 300 })
    await device.close()
    await node.stop()
    await own.close()
  })

  test('signed meter values are answered on their topic, also behind one that cannot be judged', async () => {
    let calls = 0
    const other = await startIngest({
      database,
      acceptMeterValue: async (senderId, payload) => {
        calls += 1
        if (calls === 1) throw new Error('database away')
        return { code: 'ACCEPTED', senderId: String(senderId), echo: JSON.parse(String(payload)) }
      },
    })
    const machine = await registerMachine(database)
    const device = await connectDevice(other.broker.port, machine)
    await device.client.publishAsync(`liquefy/v1/${machine.machineId}/meter`, '{"period":0}', {
      qos: 1,
    })
    await until(() => device.answers[0] ?? undefined)
    expect(device.answers).toEqual([
      { code: 'ACCEPTED', senderId: String(machine.machineId), echo: { period: 0 } },
    ])
    await device.close()
    await other.stop()
  })
})
