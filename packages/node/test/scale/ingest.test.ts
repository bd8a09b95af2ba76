import { randomBytes } from 'node:crypto'
import { activateMachines, registerMachines } from '@liquefy/client'
import { encodeEnvelope, type Hex, privateKeyFromBytes, ZERO_DIGEST } from '@liquefy/protocol'
import mqtt from 'mqtt'
import { expect, test } from 'vitest'
import { atEnd } from '../chain/support.ts'
import { hasMosquitto, sayIfNoMosquitto } from '../mosquitto.ts'
import { openBusiness, openSite } from './deployment.ts'

sayIfNoMosquitto('two ingest processes')

const MACHINES = 16
const ENVELOPES = 120
const WINDOW = 8
/** What has no receipt is sent again after that: as devices do (docs/protocol/transport.md). */
const REPEAT_MS = 1_000

interface Sent {
  bytes: Uint8Array
  digest: Hex
  /** When its receipt came, by `performance.now()`. */
  receiptMs?: number
  sentMs?: number
}

/** Sends envelopes in their order, so many on the way at once, and again what has no receipt. */
async function startDevice(mqttUrl: string, machineId: bigint, envelopes: readonly Sent[]) {
  const client = await mqtt.connectAsync(mqttUrl, { reconnectPeriod: 100 })
  atEnd(() => client.endAsync(true))
  const byDigest = new Map(envelopes.map((sent) => [sent.digest, sent]))
  client.on('message', (_topic, payload) => {
    const { entries } = JSON.parse(payload.toString()) as { entries: { digest: Hex }[] }
    for (const { digest } of entries) {
      const sent = byDigest.get(digest)
      if (sent) sent.receiptMs ??= performance.now()
    }
    send()
  })
  await client.subscribeAsync(`liquefy/v1/${machineId}/receipt`, { qos: 1 })
  const send = () => {
    const nowMs = performance.now()
    const open = envelopes.filter(({ receiptMs }) => receiptMs === undefined).slice(0, WINDOW)
    for (const sent of open) {
      if (sent.sentMs !== undefined && nowMs - sent.sentMs < REPEAT_MS) continue
      sent.sentMs = nowMs
      client.publish(`liquefy/v1/${machineId}/envelope`, Buffer.from(sent.bytes), { qos: 1 })
    }
  }
  const timer = setInterval(send, 50)
  atEnd(async () => clearInterval(timer))
}

// Of a process that stands still the broker learns by its silence: 3 to 4 s, and mosquitto looks for silence every 6 s.
test.runIf(hasMosquitto).for([
  { signal: 'SIGKILL', became: 'killed', takeOverMs: 10_000 },
  { signal: 'SIGSTOP', became: 'stopped', takeOverMs: 15_000 },
] as const)(
  'two ingest processes, one $became under load: all is logged exactly once, and the other goes on',
  { timeout: 180_000 },
  async ({ signal, became, takeOverMs }) => {
    const site = await openSite()
    const [api, one] = await Promise.all([
      site.start('api'),
      site.start('ingest'),
      site.start('ingest'),
      site.start('settle'),
    ])
    const { client, deployment, payee, publicClient } = await openBusiness(site, api.url)
    const { chainId, registry } = deployment
    const keys = Array.from({ length: MACHINES }, () =>
      privateKeyFromBytes('P-256', randomBytes(32)),
    )
    const action = { deployment, publicClient, wallet: payee }
    const machineIds = await registerMachines(action, keys)
    await activateMachines(action, machineIds)
    await expect
      .poll(
        async () => (await client.machines()).filter(({ state }) => state === 'active').length,
        {
          timeout: 30_000,
        },
      )
      .toBe(MACHINES)

    const nowMs = Date.now() - ENVELOPES
    const devices = keys.map((signer, index) => {
      const machineId = machineIds[index] ?? 0n
      let prev: Hex = ZERO_DIGEST
      return Array.from({ length: ENVELOPES }, (_, at): Sent => {
        const timeMs = nowMs + at
        const { bytes, digest } = encodeEnvelope({
          signer,
          iss: { chainId, registry, machineId },
          machineId,
          stream: 'weight',
          iat: Math.floor(timeMs / 1_000),
          seq: BigInt(at + 1),
          prev,
          content: { kind: 'readings', readings: [{ unit: 'g', timeMs, value: BigInt(at) }] },
        })
        prev = digest
        return { bytes, digest }
      })
    })
    const all = devices.flat()
    const receipted = () => all.filter(({ receiptMs }) => receiptMs !== undefined).length
    await Promise.all(
      devices.map((envelopes, index) =>
        startDevice(site.mqttUrl, machineIds[index] ?? 0n, envelopes),
      ),
    )
    await expect.poll(receipted, { timeout: 30_000, interval: 10 }).toBeGreaterThan(all.length / 5)
    const onTheWay = all.filter(
      ({ sentMs, receiptMs }) => sentMs !== undefined && receiptMs === undefined,
    )
    expect(onTheWay.length).toBeGreaterThan(0)
    const killedMs = performance.now()
    one.child.kill(signal)
    const missing = new Set(onTheWay)
    await expect
      .poll(() => [...missing].filter(({ receiptMs }) => receiptMs === undefined).length, {
        timeout: takeOverMs,
        interval: 20,
      })
      .toBe(0)
    const tookMs = Math.max(...onTheWay.map(({ receiptMs = 0 }) => receiptMs)) - killedMs
    expect(tookMs).toBeLessThan(takeOverMs)
    // Who was only stopped goes on where he was, with what others have logged meanwhile.
    one.child.kill('SIGCONT')
    await expect.poll(receipted, { timeout: 60_000 }).toBe(all.length)

    const { rows } = await site.query(
      `SELECT count(*)::int AS logged, count(DISTINCT digest)::int AS distinct, max(log_index)::int AS newest,
         count(*) FILTER (WHERE code = 'OK')::int AS ok FROM envelopes`,
    )
    expect(rows[0]).toEqual({
      logged: all.length,
      distinct: all.length,
      newest: all.length - 1,
      ok: all.length,
    })
    const logged = await site.query(`SELECT '0x' || encode(digest, 'hex') AS digest FROM envelopes`)
    expect(new Set(logged.rows.map(({ digest }) => digest))).toEqual(
      new Set(all.map(({ digest }) => digest)),
    )
    // The head is signed over what two processes appended, and its root follows from the leaves.
    expect((await client.logHead()).size).toBe(String(all.length))
    process.stderr.write(`${became}: taken over in ${Math.round(tookMs)} ms\n`)
  },
)
