import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKey } from '@liquefy/machine'
import type { RunningNode } from '@liquefy/node'
import { didKey } from '@liquefy/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy, type Run } from './liquefy.ts'
import { runningNode } from './running-node.ts'

const root = mkdtempSync(join(tmpdir(), 'liquefy-credential-'))
// As root, the database runs under an account of its own, which has to pass through.
chmodSync(root, 0o711)
const dataDir = join(root, 'data')
const maker = join(root, 'maker')
const device = join(root, 'device')
const issuers = join(root, 'issuers.json')
const file = join(root, 'credential.jwt')
const statusList = join(maker, 'status-list.jwt')
const PRODUCT = ['--manufacturer', 'Silotech GmbH', '--model', 'Level 3000']

let node: RunningNode
let did: string

const run = (...args: string[]): Promise<Run> =>
  liquefy([...args, '--json'], { LIQUEFY_DATA_DIR: dataDir })

const issue = (subject: string, ...more: string[]) =>
  run('credential', 'issue', maker, '--subject', subject, ...PRODUCT, '--out', file, ...more)

beforeAll(async () => {
  const makerDid = didKey(createKey(maker).publicKey)
  writeFileSync(issuers, JSON.stringify([{ did: makerDid, name: 'Silotech' }]))
  process.env.LIQUEFY_TRUSTED_ISSUERS = issuers
  node = await runningNode(dataDir)
})

afterAll(async () => {
  delete process.env.LIQUEFY_TRUSTED_ISSUERS
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

test('a maker issues, anybody checks, the machine shows it, and the maker takes it back', async () => {
  did = ((await run('machine', 'keygen', device)).json() as { did: string }).did
  await run('machine', 'register', device, '--as', 'silowerk')
  expect((await issue(did, '--serial', 'SN-0042')).json()).toMatchObject({ subject: did, index: 0 })

  const checked = await run('credential', 'check', file, '--status-list', statusList)
  expect(checked.json()).toMatchObject({ code: 'OK', subject: did, serial: 'SN-0042' })
  expect(checked.code).toBe(0)
  const trusted = ['--issuers', issuers, '--status-list', statusList]
  expect((await run('credential', 'check', file, ...trusted)).code).toBe(0)

  await node.idle()
  const early = await run('machine', 'attest', '1', file)
  expect(early.json()).toMatchObject({ error: { code: 'STATUS_LIST_MISSING' } })
  const attested = await run('machine', 'attest', '1', file, '--status-list', statusList)
  expect(attested.json()).toMatchObject({ issuerName: 'Silotech', state: 'valid' })
  const { stdout } = await liquefy(['machine', 'show', '1'], { LIQUEFY_DATA_DIR: dataDir })
  expect(stdout).toContain('Silotech GmbH Level 3000, serial number SN-0042, says Silotech (valid)')

  const before = readFileSync(statusList, 'utf8')
  expect((await run('credential', 'revoke', maker, file)).code).toBe(0)
  const revoked = await run('credential', 'check', file, '--status-list', statusList)
  expect(revoked.json()).toMatchObject({ code: 'CREDENTIAL_REVOKED' })
  expect(revoked.code).toBe(1)
  expect((await run('credential', 'publish', statusList)).code).toBe(0)
  const state = async () => (await run('machine', 'show', '1')).json()
  expect(await state()).toMatchObject({ credential: { state: 'revoked' } })

  // Neither the next credential nor a renewal takes the revocation back, and the old list is of no use.
  expect((await issue(did, '--serial', 'SN-0043')).json()).toMatchObject({ index: 1 })
  expect((await run('credential', 'renew', maker, '--days', '7')).code).toBe(0)
  expect((await run('credential', 'publish', statusList)).code).toBe(0)
  expect(await state()).toMatchObject({ credential: { state: 'revoked' } })
  writeFileSync(join(root, 'before.jwt'), before)
  const older = await run('credential', 'publish', join(root, 'before.jwt'))
  expect(older.json()).toMatchObject({ error: { code: 'STATUS_LIST_OLDER' } })
})

test('what cannot be is said before anything is written', async () => {
  const code = async (answer: Promise<Run>) =>
    ((await answer).json() as { error?: { code: string } }).error?.code
  expect(await code(issue('did:web:example.com', '--serial', '1'))).toBe('SUBJECT_INVALID')
  expect(await code(issue(did, '--serial', ''))).toBe('CREDENTIAL_INVALID')
  expect(await code(issue(did, '--serial', '1', '--days', '0'))).toBe('DAYS_INVALID')
  expect(await code(run('credential', 'revoke', device, file))).toBe('ISSUER_UNTRUSTED')
  expect(await code(run('credential', 'renew', device))).toBe('STATUS_LIST_UNKNOWN')
  expect(await code(run('credential', 'check', join(root, 'none')))).toBe('FILE_UNREADABLE')
  expect(await code(run('credential', 'renew', join(root, 'nobody')))).toBe('KEY_MISSING')
  // A maker's list that is damaged is not begun anew: that would take back what was revoked.
  writeFileSync(statusList, 'gone')
  expect(await code(run('credential', 'renew', maker))).toBe('CREDENTIAL_MALFORMED')
})
