import { type End, endAll } from '../composition.ts'
import { type Config, ConfigError, type NodeOptions, type Role, readConfig } from '../config.ts'
import { startApiRole } from './api.ts'
import { startIngest } from './ingest.ts'
import { startMeter } from './meter.ts'
import { startSettle } from './settle.ts'
import { openSite, type Site } from './site.ts'

/** One process of several that are a node together. */
export interface RunningRole {
  role: Exclude<Role, 'all'>
  /** Origin of API and page; of the role `api` only. */
  url: string | undefined
  stop(): Promise<void>
}

const STARTS: Record<Exclude<RunningRole['role'], 'api'>, (site: Site) => Promise<void>> = {
  ingest: startIngest,
  meter: startMeter,
  settle: startSettle,
}

/**
 * Starts one process of a deployment (docs/scale.md). Processes may start in any order, as many of each role as one likes; those without
 * keys wait until one with the role `settle` has told where the contracts are.
 *
 * @throws LiquefyError with a code and what to do.
 */
export async function startRole(options: NodeOptions = {}): Promise<RunningRole> {
  const config = readConfig(options, process.env)
  const { role, logger } = config
  if (role === 'all') throw new ConfigError('Name a role, or start a node that does everything.')
  const started: End[] = []
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= endAll(started, config)
    return stopping
  }
  try {
    const url = await start(role, config, started)
    logger.info({ role, url }, 'running')
    return { role, url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function start(
  role: RunningRole['role'],
  config: Config,
  started: End[],
): Promise<string | undefined> {
  const site = await openSite(config, started)
  if (role === 'api') return startApiRole(site)
  await STARTS[role](site)
  return undefined
}
