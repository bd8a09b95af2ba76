import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { LOG_PATH } from './logbook.ts'
import { tell } from './report.ts'
import { type PlayedSeason, playSeason } from './trip.ts'

/**
 * `npm start -w @liquefy/example-boat`: the whole story in virtual time, and what it came to. With `-- --stay` the node is left running, for
 * whoever wants to look around in the page and act as one of the people.
 */
const { values } = parseArgs({ options: { stay: { type: 'boolean', default: false } } })

const DAY_MS = 86_400_000
/** The story ends so long after the charter's Monday. */
const STORY_MS = 14 * DAY_MS
/** 1970-01-05. */
const FIRST_MONDAY_MS = 4 * DAY_MS

/** The last Monday whose story is over by now, so that who stays finds himself in the present. */
function recentMonday(): number {
  const weeks = Math.floor((Date.now() - STORY_MS - FIRST_MONDAY_MS) / (7 * DAY_MS))
  return FIRST_MONDAY_MS + weeks * 7 * DAY_MS
}

function whereToLook({ url, hasPage, season }: PlayedSeason): string {
  const page = hasPage
    ? `Look around: ${url}/vaults/${season.company.vault}. Sign in as any of the forty.`
    : `The API is at ${url}; there is no page, for it was not built: npm run build.`
  return `${page}\nCtrl+C ends it, and leaves nothing behind.`
}

const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-boat-'))
try {
  const played = await playSeason({ dataDir, logPath: LOG_PATH, startMs: recentMonday() })
  try {
    process.stdout.write(`${tell(played.season)}\n`)
    if (values.stay) {
      played.stay()
      process.stdout.write(`\n${whereToLook(played)}\n`)
      await new Promise((resolve) => {
        process.once('SIGINT', resolve)
        process.once('SIGTERM', resolve)
      })
    }
  } finally {
    await played.stop()
  }
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}
