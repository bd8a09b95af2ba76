import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import { createTokenKey, type Machine, openMachine } from '@liquefy/machine'
import type { RunningNode } from '@liquefy/node'
import { didKey } from '@liquefy/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  hasSoftHsm,
  MODULE,
  makeToken,
  sayIfNoSoftHsm,
  useTokens,
} from '../../machine/test/softhsm.ts'
import { liquefy, type Run } from './liquefy.ts'
import { runningNode } from './running-node.ts'

const PIN = '2468'
const NEVER_MS = 2 ** 31 - 1
const root = mkdtempSync(join(tmpdir(), 'liquefy-token-'))
// As root, the database runs under an account of its own, which has to pass through.
chmodSync(root, 0o711)
const dataDir = join(root, 'data')
const folder = join(root, 'pump')
const maker = join(root, 'maker')
const pinFile = join(root, 'pin')
const OFFER = {
  payer: 'Nordmühle GmbH',
  payee: 'Silowerk AG',
  machineId: '1',
  meters: [
    {
      stream: 'volume',
      rule: {
        rule: 'counter',
        version: 1,
        unit: 'l',
        scale: 3,
        registerUnit: 'ml',
        factor: { numerator: 1, denominator: 1 },
        maxRate: { burst: '100000', perHour: '60000000' },
      },
      limit: { burst: '1000000', perHour: '60000000' },
    },
  ],
  tariff: { kind: 'linear', prices: ['2'], scale: 0 },
  capMinor: '1000000000',
  fundMinor: '100000000',
}

let node: RunningNode
let machine: Machine | undefined

const run = (...args: string[]): Promise<Run> =>
  liquefy([...args, '--json'], { LIQUEFY_DATA_DIR: dataDir, LIQUEFY_MACHINE_PIN_FILE: pinFile })

afterAll(async () => {
  await machine?.close()
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

sayIfNoSoftHsm('a machine whose key is in a token')

describe.runIf(hasSoftHsm)('a machine whose key is in a token (SoftHSM)', () => {
  beforeAll(async () => {
    useTokens(root)
    makeToken('pump', PIN)
    makeToken('maker', PIN)
    const makerToken = { module: MODULE, token: 'maker' }
    const { publicKey } = createTokenKey(maker, makerToken, 'P-256', PIN)
    writeFileSync(pinFile, `${PIN}\n`, { mode: 0o600 })
    node = await runningNode(dataDir, {
      trustedIssuers: [{ did: didKey(publicKey), name: 'Pumpwerk' }],
      settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
      anchorIntervalMs: NEVER_MS,
    })
  })

  test('the token makes its key, and the command line says what is wrong with another', async () => {
    const half = await run('machine', 'keygen', folder, '--token', 'pump')
    expect(half.json()).toMatchObject({ error: { code: 'TOKEN_INCOMPLETE' } })
    const inToken = ['machine', 'keygen', folder, '--pkcs11', MODULE, '--token', 'pump']
    const wrong = await liquefy([...inToken, '--json'], { LIQUEFY_MACHINE_PIN: '1111' })
    expect(wrong.json()).toMatchObject({ error: { code: 'TOKEN_PIN_WRONG' } })
    const made = await run(...inToken)
    expect(made.code, made.stdout).toBe(0)
    expect(made.json()).toMatchObject({
      curve: 'P-256',
      did: expect.stringMatching(/^did:key:zDn/),
    })
    expect(readFileSync(join(folder, 'key.json'), 'utf8')).not.toMatch(/"d"/)
  })

  test('it registers, measures, signs its meter values, and is paid on the ledger', async () => {
    const registered = await run('machine', 'register', folder, '--as', 'silowerk')
    expect(registered.json()).toMatchObject({ machineId: '1' })
    writeFileSync(join(root, 'offer.json'), JSON.stringify(OFFER))
    const opened = await run('agreement', 'open', join(root, 'offer.json'))
    expect(opened.code, opened.stdout).toBe(0)
    const { agreementId } = opened.json() as { agreementId: string }

    expect(await paidFor([0n, 1_500n, 4_000n])).toBe('8000')

    await machine?.close()
    const rotated = await run('machine', 'rotate', folder, '--as', 'silowerk')
    expect(rotated.code, rotated.stdout).toBe(0)
    expect(JSON.parse(readFileSync(join(folder, 'key.json'), 'utf8'))).toMatchObject({
      pkcs11: { token: 'pump' },
    })
    await node.idle()
    expect(await paidFor([5_000n])).toBe('10000')

    await node.anchorNow()
    const audited = await run('audit', agreementId)
    expect(audited.code, audited.stdout).toBe(0)
    expect(audited.json()).toMatchObject({ differenceMinor: '0', settledMinor: '10000' })
  })

  test('its maker, whose key is in a token too, says which product it is', async () => {
    const { key } = await createClient({ url: node.url }).machine('1')
    if (!key) throw new Error('no key')
    const file = join(root, 'credential.jwt')
    const product = ['--manufacturer', 'Pumpwerk AG', '--model', 'P 7', '--serial', 'SN-7']
    const subject = ['--subject', didKey(key)]
    const issued = await run('credential', 'issue', maker, ...subject, ...product, '--out', file)
    expect(issued.code, issued.stdout).toBe(0)
    const { statusList } = issued.json() as { statusList: string }
    const attested = await run('machine', 'attest', '1', file, '--status-list', statusList)
    expect(attested.json()).toMatchObject({
      issuerName: 'Pumpwerk',
      serial: 'SN-7',
      state: 'valid',
    })
  })

  /** What is settled in all after these readings, in thousandths of a litre. */
  async function paidFor(readings: readonly bigint[]): Promise<string> {
    machine = await openMachine({ folder, pin: PIN, signEveryMs: NEVER_MS })
    await expect.poll(() => machine?.agreements()).toHaveLength(1)
    for (const mantissa of readings) {
      await machine.sample('volume', { unit: 'l', value: { mantissa, exponent: -3 } })
    }
    await machine.flushed()
    await node.idle()
    expect((await machine.meterNow()).map(({ kind }) => kind)).toContain('accepted')
    await node.settleNow()
    return ((await run('status')).json() as { settledMinor: string }).settledMinor
  }
})
