import { expect, test } from 'vitest'
import { atEnd } from '../chain/support.ts'
import { connectDevice } from '../device.ts'
import { hasMosquitto, sayIfNoMosquitto } from '../mosquitto.ts'
import { openBusiness, openSite } from './deployment.ts'

sayIfNoMosquitto('roles in processes of their own')

test.runIf(hasMosquitto)(
  'ingest, meter, settle and api apart: a signed reading becomes settled money',
  async () => {
    const site = await openSite()
    // In any order: those without keys wait for the one that has them.
    const [api] = await Promise.all([
      site.start('api'),
      site.start('ingest'),
      site.start('meter'),
      site.start('settle'),
    ])
    const { client, deployment, openMachine } = await openBusiness(site, api.url)
    const { machineId, key, agreementId } = await openMachine()
    const device = await connectDevice({ deployment, mqttUrl: site.mqttUrl }, machineId, key)
    atEnd(() => device.close())
    expect(await device.publish(1_000n)).toBe('OK')
    expect(await device.publish(2_000n)).toBe('OK')
    await device.hears('agreement', (json) => json.agreementId === agreementId)
    await expect
      .poll(async () => (await client.agreement(agreementId)).owedMinor, { timeout: 10_000 })
      .toBe('420000')
    const asOf = Math.floor(Date.now() / 1000)
    const answer = await device.meter({ agreementId, registers: [1_000n], asOf })
    expect(answer).toMatchObject({ code: 'ACCEPTED' })
    await expect
      .poll(async () => (await client.agreement(agreementId)).includedMinor, { timeout: 30_000 })
      .toBe('420000')
    const head = await client.logHead()
    expect(head.size).toBe('2')
    await expect
      .poll(async () => (await client.logHead()).anchored?.size, { timeout: 30_000 })
      .toBe('2')
  },
  120_000,
)
