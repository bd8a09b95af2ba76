import { followBulletins, noMetering, openIntake, openKeyless } from './keyless.ts'
import type { Site } from './site.ts'

/** More than one commit holds of what arrives while another is made: each connection works on one message at a time. */
const CONNECTIONS = 192

/** Takes envelopes from the broker, verifies and logs them. Any process may take any message: the log's lock makes them one after another. */
export async function startIngest(site: Site): Promise<void> {
  const keyless = await openKeyless(site)
  followBulletins(site, keyless, {})
  await openIntake(site, keyless, {
    metering: noMetering,
    workers: site.config.workers,
    takes: ['envelope'],
    connections: CONNECTIONS,
  })
}
