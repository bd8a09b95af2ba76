import { ROLES, type RunningRole } from '@liquefy/node'
import { expect, test } from 'vitest'
import { atEnd } from '../../node/test/chain/support.ts'
import { connectDevice } from '../../node/test/device.ts'
import { hasMosquitto, sayIfNoMosquitto } from '../../node/test/mosquitto.ts'
import { openBusiness, openSite, type Site } from '../../node/test/scale/deployment.ts'
import { finished, lineOf, liquefyAlone, start } from './liquefy.ts'

sayIfNoMosquitto('roles in processes of their own')

/** One command a role, as an operator starts it; answers what it prints. */
async function up(site: Site, role: RunningRole['role']): Promise<{ role: string; url?: string }> {
  const child = start(['up', '--role', role, '--port', '0', '--json'], await site.environment(role))
  const ended = finished(child)
  atEnd(async () => {
    child.kill('SIGTERM')
    expect((await ended).code).toBe(0)
  })
  return JSON.parse(await lineOf(child, (text) => text.startsWith('{"role"') && text.endsWith('}')))
}

test('a role without what its processes share: refused with what to give', async () => {
  const refused = await liquefyAlone(['up', '--role', 'meter', '--json'], {
    DATABASE_URL: 'postgres://127.0.0.1/liquefy',
  })
  expect(refused.code).toBe(2)
  expect(refused.json()).toMatchObject({
    error: { code: 'CONFIG_INVALID', message: expect.stringContaining('MQTT_URL and RPC_URL') },
  })
  const unknown = await liquefyAlone(['up', '--role', 'boss'])
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('ingest')
})

test.runIf(hasMosquitto)(
  'ingest, meter, settle and api apart: a signed reading becomes settled money',
  async () => {
    const site = await openSite()
    // In any order: those without keys wait for the one that has them.
    const printed = await Promise.all([...ROLES].reverse().map((role) => up(site, role)))
    expect(printed.map(({ role }) => role)).toEqual([...ROLES].reverse())
    const [api] = printed
    const { client, deployment, openMachine } = await openBusiness(site, api?.url)
    const { machineId, key, agreementId } = await openMachine()
    const heard = new Set<string>()
    const listening = new AbortController()
    atEnd(async () => listening.abort())
    const events = client.events({
      signal: listening.signal,
      onEvent: ({ type }) => heard.add(type),
    })
    events.catch(() => undefined)
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
    // What happens in the other processes is told here.
    await expect
      .poll(() => [...heard], { timeout: 10_000 })
      .toEqual(expect.arrayContaining(['logged', 'owed', 'meter-value', 'settled']))
    const head = await client.logHead()
    expect(head.size).toBe('2')
    await expect
      .poll(async () => (await client.logHead()).anchored?.size, { timeout: 60_000 })
      .toBe('2')
    // Its head is signed for the bundle by the process that has the key.
    const bundle: string[] = []
    for await (const line of client.bundle(agreementId)) bundle.push(line)
    expect(bundle.join('\n')).toContain(head.root.slice(2))
  },
  120_000,
)
