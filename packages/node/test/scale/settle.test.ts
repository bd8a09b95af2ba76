import { expect, test } from 'vitest'
import { atEnd } from '../chain/support.ts'
import { connectDevice } from '../device.ts'
import { hasMosquitto, sayIfNoMosquitto } from '../mosquitto.ts'
import { endProcess, openBusiness, openSite, type Site } from './deployment.ts'

sayIfNoMosquitto('two settle processes')

const TAKE_OVER_MS = 10_000

async function tokenOf(site: Site): Promise<bigint> {
  const { rows } = await site.query(`SELECT token::text FROM leases WHERE name = 'ledger'`)
  return BigInt(rows[0].token)
}

/** Waits until another process has the ledger's lease than when it had `token`; answers how long that took, ms. */
async function takenOver(site: Site, token: bigint): Promise<number> {
  const begun = performance.now()
  await expect
    .poll(() => tokenOf(site), { timeout: TAKE_OVER_MS, interval: 50 })
    .toBeGreaterThan(token)
  return performance.now() - begun
}

test.runIf(hasMosquitto)(
  'two settle processes, the active one stopped in the middle and continued: paid once, one line of nonces',
  async () => {
    const site = await openSite()
    const [api, active] = await Promise.all([
      site.start('api'),
      site.start('settle'),
      site.start('ingest'),
      site.start('meter'),
    ])
    const standby = await site.start('settle')
    const { client, deployment, openMachine } = await openBusiness(site, api.url)
    const { machineId, key, agreementId } = await openMachine()
    const device = await connectDevice({ deployment, mqttUrl: site.mqttUrl }, machineId, key)
    atEnd(() => device.close())

    let grams = 0n
    await device.publish(1_000n)
    const deliver = async () => {
      grams += 1_000n
      expect(await device.publish(1_000n + grams)).toBe('OK')
      const asOf = Math.floor(Date.now() / 1000)
      const answer = await device.meter({ agreementId, registers: [grams], asOf })
      expect(answer).toMatchObject({ code: 'ACCEPTED' })
    }
    const includedIs = (minor: bigint) =>
      expect
        .poll(async () => (await client.agreement(agreementId)).includedMinor, { timeout: 60_000 })
        .toBe(String(minor))

    // No block is made: the transaction is sent, and what became of it is open when its sender is stopped.
    await site.anvil.rpc.call('evm_setAutomine', [false])
    await deliver()
    await expect
      .poll(
        async () => {
          const { rows } = await site.query(
            `SELECT count(*)::int AS sent FROM outbox WHERE kind = 'settle' AND status = 'sent'`,
          )
          return rows[0].sent
        },
        { timeout: 20_000, interval: 10 },
      )
      .toBe(1)
    const first = await tokenOf(site)
    active.child.kill('SIGSTOP')
    const takeOverMs = await takenOver(site, first)
    expect(takeOverMs).toBeLessThan(TAKE_OVER_MS)
    await deliver()
    // Both are there now, and the one that was stopped believes for a moment that it still has the lease.
    active.child.kill('SIGCONT')
    await site.anvil.rpc.call('evm_setAutomine', [true])
    await site.anvil.rpc.call('anvil_mine', ['0x1'])
    await includedIs(840_000n)

    // Stopped at any moment of a settlement, and continued when the other has taken over: to and fro.
    const processes = [standby, active]
    for (const pauseMs of [0, 150]) {
      const [holder, other] = processes
      if (!holder || !other) throw new Error('two settle processes')
      const token = await tokenOf(site)
      const delivered = deliver()
      await delivered
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      holder.child.kill('SIGSTOP')
      await takenOver(site, token)
      holder.child.kill('SIGCONT')
      processes.reverse()
      await includedIs((grams / 1_000n) * 420_000n)
    }

    // The last one dies for good.
    const token = await tokenOf(site)
    const [holder] = processes
    if (holder) await endProcess(holder.child, 'SIGKILL')
    await deliver()
    await takenOver(site, token)
    await includedIs((grams / 1_000n) * 420_000n)

    const { rows } = await site.query(
      `SELECT nonce::int FROM outbox WHERE nonce IS NOT NULL ORDER BY nonce`,
    )
    const nonces = rows.map(({ nonce }) => nonce)
    const sent = Number(
      await site.anvil.rpc.call('eth_getTransactionCount', [site.operator, 'latest']),
    )
    // Every transaction that the operator ever sent on this chain is an intent of its own: none twice, none between.
    expect(nonces).toEqual(
      Array.from({ length: nonces.length }, (_, at) => sent - nonces.length + at),
    )
    const agreement = await client.agreement(agreementId)
    expect(agreement.owedMinor).toBe(String((grams / 1_000n) * 420_000n))
    expect(BigInt(agreement.escrowMinor)).toBe(5_000_000n - (grams / 1_000n) * 420_000n)

    // The process that serves the page tells of the others what the database knows, and of itself alone nothing as if it were all.
    await expect.poll(async () => (await client.operation()).gas.settling.length).toBeGreaterThan(0)
    const operation = await client.operation()
    expect(operation.process).toMatchObject({ role: 'api', workers: { meter: 1, settle: 1 } })
    expect(operation).toMatchObject({
      frames: null,
      lag: { committed: null },
      gas: { spent: null },
      log: { runs: null },
      disk: null,
    })
    expect(operation.notWatched).toContain('LiquefyLogHalted')
    expect(Number(operation.log?.size)).toBeGreaterThan(1)
    expect(operation.gas.settling[0]?.bills).toBe(1)
    expect(Number(operation.gas.settling[0]?.gas)).toBeGreaterThan(21_000)
  },
  180_000,
)
