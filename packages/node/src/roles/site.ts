import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { NodeEvent } from '@liquefy/client'
import type { End } from '../composition.ts'
import type { Config } from '../config.ts'
import { createEvents, type NodeEvents } from '../events.ts'
import { type Bulletin, type Bulletins, listenToBulletins, tell } from '../store/bulletins.ts'
import { type Database, openDatabase } from '../store/database.ts'
import { endStuckCopies } from '../store/stuck.ts'

/** What every process of a deployment stands on. */
export interface Site {
  config: Config
  /** Names this process, and no other one at any time. */
  holder: string
  database: Database
  bulletins: Bulletins
  /** What happens in this process; the others' pages hear of it. */
  events: NodeEvents
  /** Tells the other processes; a failure is only logged. */
  tell(bulletin: Bulletin): void
  /** What has been started, to be ended in reverse order. */
  started: End[]
}

/** Opens the shared database and the line to the other processes. */
export async function openSite(config: Config, started: End[]): Promise<Site> {
  const { role, logger } = config
  const database = await openDatabase({ ...config, role })
  started.push(() => database.close())
  const holder = `${role}-${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`
  const bulletins = await listenToBulletins({ url: database.url, role, holder, logger })
  started.push(() => bulletins.close())
  const events = createEvents((error) => logger.error({ err: error }, 'a listener failed'))
  const site: Site = {
    config,
    holder,
    database,
    bulletins,
    events,
    tell(bulletin) {
      tell(database.pool, holder, bulletin).catch((error) => {
        logger.warn({ err: error }, 'could not tell the other processes')
      })
    },
    started,
  }
  started.push(relayEvents(site), endWhatIsStuck(site))
  return site
}

const STUCK_CHECK_MS = 1_500

/** Each process watches over all: the one that is stuck cannot. */
function endWhatIsStuck({ database, config }: Site): End {
  const timer = setInterval(() => {
    endStuckCopies(database.pool).then(
      (count) => {
        if (count > 0) config.logger.warn({ count }, 'ended connections that stood still in a COPY')
      },
      (error) => config.logger.warn({ err: error }, 'could not look for stuck connections'),
    )
  }, STUCK_CHECK_MS)
  return () => clearInterval(timer)
}

const FLUSH_MS = 20
/** Characters of one bulletin's events, and bulletins of one flush: pages need not see all of a storm. */
const MAX_CHARACTERS = 3_000
const MAX_BULLETINS = 4

/** Tells what happens here to the others, together where it happens together. */
function relayEvents({ events, tell }: Site): End {
  let parts: NodeEvent[][] = [[]]
  let characters = 0
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    timer = undefined
    for (const part of parts) tell({ kind: 'events', events: part })
    parts = [[]]
    characters = 0
  }
  const stopListening = events.on((event) => {
    const { length } = JSON.stringify(event)
    if (characters + length > MAX_CHARACTERS) {
      if (parts.length >= MAX_BULLETINS) return
      parts.push([])
      characters = 0
    }
    characters += length
    parts.at(-1)?.push(event)
    timer ??= setTimeout(flush, FLUSH_MS)
  })
  return () => {
    stopListening()
    clearTimeout(timer)
  }
}
