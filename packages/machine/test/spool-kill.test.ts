import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { decodeEnvelope, ZERO_DIGEST } from '@liquefy/protocol'
import { expect, test } from 'vitest'
import { createKey, saveIdentity } from '../src/index.ts'
import { openSpool } from '../src/spool.ts'
import { scratchFolder } from './folder.ts'
import { ledger } from './tiny-node.ts'

const KILLS = 10
const limits = { maxBytes: 1e9, segmentBytes: 20_000, historyBytes: 40_000 }

test('kill -9 at any moment: no seq with two contents, no promised envelope lost', async () => {
  const folder = scratchFolder()
  createKey(folder)
  saveIdentity(folder, { machineId: 7n, ...ledger })
  const kept = new Map<string, string>()
  const sent = new Map<string, string>()
  for (let kill = 0; kill < KILLS; kill += 1) {
    const lines = await runAndKill(folder, 20 + kill * 15)
    for (const line of lines) {
      const [what, ...rest] = line.split(' ')
      if (what === 'kept') note(kept, `7/${rest[0]} ${rest[1]}`, rest[2] ?? '')
      if (what !== 'sent') continue
      const decoded = decodeEnvelope(Buffer.from(rest[0] ?? '', 'base64'))
      if (!decoded.ok) throw new Error(decoded.message)
      const { stream, seq, digest } = decoded.envelope
      note(sent, `7/${stream} ${seq}`, digest)
    }
  }
  expect(kept.size).toBeGreaterThan(KILLS)
  const spool = openSpool(folder, limits, () => {})
  const onDisk = new Map([...spool.pending()].map((e) => [`${e.chain} ${e.seq}`, e.digest]))
  for (const [place, digest] of [...kept, ...sent]) expect(onDisk.get(place)).toBe(digest)
  for (const chain of ['7/level', '7/temperature']) {
    let prev: string = ZERO_DIGEST
    for (const [index, entry] of spool.kept(chain).entries()) {
      const decoded = decodeEnvelope(spool.read(entry))
      if (!decoded.ok) throw new Error(decoded.message)
      expect(decoded.envelope).toMatchObject({
        seq: BigInt(index) + 1n,
        prev,
        digest: entry.digest,
      })
      prev = entry.digest
    }
  }
  console.log(`${kept.size} envelopes promised over ${KILLS} kills, ${onDisk.size} on disk`)
  await spool.close()
})

function note(seen: Map<string, string>, place: string, digest: string): void {
  expect(seen.get(place) ?? digest).toBe(digest)
  seen.set(place, digest)
}

/** Lines that the child wrote whole before it was killed, `afterMs` after it was ready. */
async function runAndKill(folder: string, afterMs: number): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('./spool-child.ts', import.meta.url)), folder],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  let isTimed = false
  for await (const chunk of child.stdout) {
    output += chunk
    if (isTimed || !output.includes('ready\n')) continue
    isTimed = true
    setTimeout(() => child.kill('SIGKILL'), afterMs)
  }
  expect(output).toContain('ready\n')
  return output.slice(0, output.lastIndexOf('\n')).split('\n')
}
