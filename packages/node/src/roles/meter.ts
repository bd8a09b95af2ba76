import { topicOf } from '../connect/topics.ts'
import { readLogHead } from '../store/log.ts'
import { readLoggedSince } from '../store/logged-since.ts'
import { createMetering, type Metering } from '../transact/metering.ts'
import { followBulletins, openIntake, openKeyless } from './keyless.ts'
import { sharePartitions } from './share-partitions.ts'
import type { Site } from './site.ts'

const CONNECTIONS = 16
const LOOK_MS = 1_000
const LOOK_LIMIT = 10_000

/** Folds the agreements of its part of the machines, and judges the meter values that the broker hands to it. */
export async function startMeter(site: Site): Promise<void> {
  const { config, database, events, started, holder } = site
  const { clock, logger } = config
  const keyless = await openKeyless(site)
  const { agreements, deployment, log } = keyless
  let metering: Metering | undefined
  const kickWhere = (isGained: (machineId: bigint) => boolean) => {
    const gained = agreements.all().filter(({ machineId }) => isGained(machineId))
    metering?.kickAgreements(gained.map(({ agreementId }) => agreementId))
  }
  const share = await sharePartitions({
    database,
    group: 'meter',
    holder,
    onGained: kickWhere,
    logger,
  })
  started.push(() => share.close())
  const folding = createMetering({
    database,
    agreements,
    clock,
    events,
    ledger: deployment,
    log,
    share,
    logger,
  })
  metering = folding
  started.push(() => folding.close())
  const { broker } = await openIntake(site, keyless, {
    metering: folding,
    workers: 0,
    takes: ['meter'],
    connections: CONNECTIONS,
  })
  followBulletins(site, keyless, {
    metering: folding,
    // Each machine is told by one process.
    announce: async (machineId, message) => {
      const agreement = agreements.get(message.agreementId)
      if (!agreement || !share.owns(agreement.machineId)) return
      await broker.publish(topicOf(machineId, 'agreement'), JSON.stringify(message))
    },
  })
  started.push(await followLog(site, folding))
  kickWhere(() => true)
}

/** Has folded what others log: told of it or not, it stands in the log. */
async function followLog(
  { bulletins, config, database }: Site,
  metering: Metering,
): Promise<() => Promise<void>> {
  let next = (await readLogHead(database.pool)).size
  let turn: Promise<void> = Promise.resolve()
  let isWaiting = false
  let closed = false
  const look = async (): Promise<void> => {
    isWaiting = false
    for (;;) {
      const { streams, nextIndex } = await readLoggedSince(database.pool, next, LOOK_LIMIT)
      if (streams.length > 0) metering.kick(streams)
      const isAll = nextIndex < next + BigInt(LOOK_LIMIT)
      next = nextIndex
      if (isAll || closed) return
    }
  }
  const lookSoon = () => {
    if (isWaiting || closed) return
    isWaiting = true
    turn = turn.then(look).catch((error) => {
      config.logger.warn({ err: error }, 'could not look into the log; trying again')
    })
  }
  const stopListening = bulletins.on(({ kind }) => {
    if (kind === 'events' || kind === 'missed') lookSoon()
  })
  const timer = setInterval(lookSoon, LOOK_MS)
  return async () => {
    closed = true
    stopListening()
    clearInterval(timer)
    await turn
  }
}
