import { expect, test } from 'vitest'
import { atEnd } from '../chain/support.ts'
import { connectDevice } from '../device.ts'
import { hasMosquitto, sayIfNoMosquitto } from '../mosquitto.ts'
import { endProcess, openBusiness, openSite, type Site } from './deployment.ts'

sayIfNoMosquitto('two meter processes')

const MACHINES = 4
const TAKE_OVER_MS = 10_000

/** Partitions of each process that holds some. */
async function shares(site: Site): Promise<number[]> {
  const { rows } = await site.query(
    `SELECT count(*)::int AS count FROM leases
     WHERE name LIKE 'meter/%' AND expires_at >= clock_timestamp() GROUP BY holder ORDER BY 1`,
  )
  return rows.map(({ count }) => count)
}

/** All that folding has made, without the times at which it did. */
async function foldsOf(site: Site): Promise<unknown[]> {
  const owed = await site.query(
    'SELECT agreement_id, period, registers, as_of, owed_minor, heads FROM owed ORDER BY agreement_id, period',
  )
  const metered = await site.query(
    'SELECT * FROM metered ORDER BY agreement_id, meter, seq, period',
  )
  const folds = await site.query(
    'SELECT agreement_id, meter, cursor, state::text FROM folds ORDER BY agreement_id, meter',
  )
  return [owed.rows, metered.rows, folds.rows]
}

test.runIf(hasMosquitto)(
  'two meter processes, one killed: the other takes over, and the registers are those of an undisturbed run',
  async () => {
    const site = await openSite()
    const [api, one, two] = await Promise.all([
      site.start('api'),
      site.start('meter'),
      site.start('meter'),
      site.start('ingest'),
      site.start('settle'),
    ])
    const { client, deployment, openMachine } = await openBusiness(site, api.url)
    const devices: {
      agreementId: `0x${string}`
      device: Awaited<ReturnType<typeof connectDevice>>
    }[] = []
    for (let count = 0; count < MACHINES; count += 1) {
      const { machineId, key, agreementId } = await openMachine()
      const device = await connectDevice({ deployment, mqttUrl: site.mqttUrl }, machineId, key)
      atEnd(() => device.close())
      devices.push({ agreementId, device })
    }
    await expect.poll(() => shares(site), { timeout: 10_000 }).toEqual([32, 32])
    const publish = async (values: readonly bigint[]) => {
      for (const value of values) {
        const codes = await Promise.all(devices.map(({ device }) => device.publish(value)))
        expect(new Set(codes)).toEqual(new Set(['OK']))
      }
    }
    const owed = async () =>
      Promise.all(
        devices.map(async ({ agreementId }) => (await client.agreement(agreementId)).owedMinor),
      )
    await publish([1_000n, 1_100n, 1_200n])
    await expect.poll(owed, { timeout: 10_000 }).toEqual(devices.map(() => '84000'))

    const publishing = publish([1_300n, 1_400n, 1_500n, 1_600n])
    const killedMs = performance.now()
    await endProcess(one.child, 'SIGKILL')
    await publishing
    await expect
      .poll(owed, { timeout: TAKE_OVER_MS, interval: 50 })
      .toEqual(devices.map(() => '252000'))
    const takeOverMs = performance.now() - killedMs
    expect(takeOverMs).toBeLessThan(TAKE_OVER_MS)
    await expect.poll(() => shares(site), { timeout: 10_000 }).toEqual([64])
    // Whoever signs now is judged by the one that is left.
    const asOf = Math.floor(Date.now() / 1000)
    const answers = await Promise.all(
      devices.map(({ device, agreementId }) =>
        device.meter({ agreementId, registers: [600n], asOf }),
      ),
    )
    expect(answers.map(({ code }) => code)).toEqual(devices.map(() => 'ACCEPTED'))

    const disturbed = await foldsOf(site)
    await endProcess(two.child)
    for (const table of ['owed', 'metered', 'metered_late', 'folds']) {
      await site.query(`DELETE FROM ${table}`)
    }
    await site.start('meter')
    await expect.poll(owed, { timeout: 20_000 }).toEqual(devices.map(() => '252000'))
    expect(await foldsOf(site)).toEqual(disturbed)
    process.stderr.write(`folding taken over in ${Math.round(takeOverMs)} ms\n`)
  },
  180_000,
)
