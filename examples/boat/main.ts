import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tell } from './report.ts'
import { runSeason } from './trip.ts'

/** `npm start -w @liquefy/example-boat`: the whole story in virtual time, and what it came to. */
const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-boat-'))
try {
  process.stdout.write(`${tell(await runSeason(dataDir))}\n`)
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}
