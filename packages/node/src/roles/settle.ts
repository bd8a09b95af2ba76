import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { encodeSignedRoot, type Hex, LiquefyError } from '@liquefy/protocol'
import { type Chain, startChain } from '../chain/chain.ts'
import { parseDeployment } from '../chain/deployment.ts'
import type { Applied } from '../chain/follower.ts'
import { type Keys, openKeys } from '../chain/keys.ts'
import { type End, endAll } from '../composition.ts'
import { lockDataFolder } from '../data-lock.ts'
import { createLedgerChanges } from '../ledger-changes.ts'
import { createMeasures } from '../measures.ts'
import { tell } from '../store/bulletins.ts'
import type { Database, Queryable } from '../store/database.ts'
import { readDeployment, saveDeployment, saveProgress } from '../store/deployment.ts'
import { fencedDatabase, type Lease } from '../store/leases.ts'
import { forgetMetering } from '../store/metering.ts'
import { createAgreements } from '../transact/agreements.ts'
import { createNotices } from '../transact/notices.ts'
import { createSettlement } from '../transact/settlement.ts'
import { type Evidence, openEvidence } from '../trust/evidence.ts'
import { createIdentity } from '../trust/identity.ts'
import { keepLease } from './keep-lease.ts'
import type { Site } from './site.ts'

const LEASE = 'ledger'
const PROGRESS_MS = 500

/**
 * Follows the ledger, sends transactions, settles, anchors and signs log heads: one process at a time, the others with this role stand by.
 * Each needs the operator's key.
 */
export async function startSettle(site: Site): Promise<void> {
  const { config, database, holder, started } = site
  const { logger } = config
  const dataDir = resolve(config.dataDir)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  started.push(lockDataFolder(dataDir))
  const keys = await openKeys(dataDir, config.keyPassphrase)
  if (keys.plain.length > 0) {
    logger.warn(
      { files: keys.plain },
      'these keys lie unencrypted on disk: set LIQUEFY_KEY_PASSPHRASE_FILE and run `liquefy keys encrypt`',
    )
  }
  const begin = (lease: Lease) => beginWork(site, dataDir, keys, lease)
  const kept = await keepLease({ database, name: LEASE, holder, begin, logger })
  started.push(() => kept.stop())
}

/** Starts what works under the lease; the answer ends it. */
async function beginWork(
  site: Site,
  dataDir: string,
  keys: Keys,
  lease: Lease,
): Promise<() => Promise<void>> {
  const started: End[] = []
  try {
    await startWork(site, dataDir, keys, fencedDatabase(site.database, lease), started)
  } catch (error) {
    await endAll(started, site.config)
    throw error
  }
  return () => endAll(started, site.config)
}

async function startWork(
  site: Site,
  dataDir: string,
  keys: Keys,
  database: Database,
  started: End[],
): Promise<void> {
  const { config, events } = site
  const { clock, logger } = config
  const chain = await startOwnChain(site, dataDir, keys, database)
  started.push(() => chain.stop())
  await chain.follower.synced()
  const { chainId, outbox, follower, deployment } = chain
  const agreements = createAgreements({ database, deployment })
  await agreements.refresh()
  const evidence = await openEvidence({
    database,
    clock,
    chainId,
    evidenceAnchor: deployment.evidenceAnchor,
    logAccount: keys.operator,
    outbox,
    anchorIntervalMs: config.anchorIntervalMs,
    logger,
  })
  started.push(() => evidence.close(), answerHeads(site, evidence))
  const settlement = createSettlement({
    database,
    clock,
    outbox,
    deployment,
    policy: config.settle,
    asset: deployment.asset.address,
    logger,
  })
  started.push(() => settlement.close())
  const changes = createLedgerChanges({
    database,
    clock,
    identity: createIdentity({ database: database.pool, chainId, registry: deployment.registry }),
    agreements,
    lead: {
      settlement,
      events,
      forgetVanished: () => database.transaction(forgetMetering),
      fromBlock: chain.block().included,
    },
    logger,
  })
  const notices = createNotices({ database, clock, agreements, events, logger })
  started.push(() => notices.close())
  const stopApplying = follower.onApplied((change) => changes.apply(change))
  const stopHearing = site.bulletins.on(({ kind }) => {
    if (kind === 'rules' || kind === 'missed') changes.rulesKnown().catch(() => undefined)
  })
  started.push(async () => {
    stopApplying()
    stopHearing()
    await changes.idle()
  })
  started.push(tellProgress(site, database, chain))
  // Whoever followed before may have died between the ledger's change and its telling.
  site.tell({ kind: 'missed' })
}

/** The ledger at which the database already stands, or the one that this process is told of. */
async function startOwnChain(
  { config, holder }: Site,
  dataDir: string,
  keys: Keys,
  database: Database,
): Promise<Chain> {
  const known = await readDeployment(database.pool)
  const log = keys.operator.address.toLowerCase() as Hex
  if (known && known.log !== log) {
    throw new LiquefyError(
      'OPERATOR_DIFFERS',
      `The log of this database is signed by ${known.log}; the key in ${dataDir} is that of ${log}. Give all processes with the role settle the same keys folder.`,
    )
  }
  const chain = await startChain({
    ...config,
    dataDir,
    database,
    keys,
    observer: createMeasures().outbox,
    knownDeployment: known && parseDeployment(known.contracts),
    announce: (db, change) => announceChange(db, holder, change),
  })
  await saveDeployment(database.pool, { contracts: JSON.stringify(chain.deployment), log })
  return chain
}

function announceChange(db: Queryable, holder: string, change: Applied): Promise<void> {
  const { machineIds, agreementIds, reorgedFrom } = change
  if (reorgedFrom !== undefined) return tell(db, holder, { kind: 'missed' })
  if (machineIds.length === 0 && agreementIds.length === 0) return Promise.resolve()
  return tell(db, holder, { kind: 'ledger', machineIds: machineIds.map(String), agreementIds })
}

/** Signs heads and roots of the log for processes that have no key. */
function answerHeads({ bulletins, tell, config }: Site, evidence: Evidence): End {
  return bulletins.on((bulletin) => {
    if (bulletin.kind === 'head-wanted') {
      const { id } = bulletin
      evidence.headNow().then(
        (head) => tell({ kind: 'head', id, head }),
        (error) => config.logger.warn({ err: error }, 'could not sign a log head'),
      )
    } else if (bulletin.kind === 'root-wanted') {
      const { id, size } = bulletin
      evidence.signedRoot(BigInt(size)).then(
        (root) => {
          const signed = Buffer.from(encodeSignedRoot(root)).toString('base64')
          tell({ kind: 'root', id, signed })
        },
        (error) => {
          config.logger.warn({ err: error }, 'could not sign a root of the log')
          tell({ kind: 'root', id, signed: null })
        },
      )
    }
  })
}

/** Writes down how far the ledger was followed, for processes that do not follow it. */
function tellProgress({ config }: Site, database: Database, { follower }: Chain): End {
  let turn: Promise<void> = Promise.resolve()
  const write = async () => {
    const { included, final } = follower.block()
    const { blocks, seconds } = follower.lag()
    await saveProgress(database.pool, {
      included,
      final,
      head: included + blocks,
      levelSeconds: seconds,
    })
  }
  const timer = setInterval(() => {
    turn = turn.then(write).catch((error) => {
      config.logger.warn({ err: error }, 'could not write down how far the ledger was followed')
    })
  }, PROGRESS_MS)
  return async () => {
    clearInterval(timer)
    await turn
  }
}
