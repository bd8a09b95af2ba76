import { randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { decodeReceipt, LiquefyError, verifySignedRoot } from '@liquefy/protocol'
import { openCertificate } from '../certificate.ts'
import { accountReader } from '../chain/account-reader.ts'
import { vaultReader } from '../chain/vault-reader.ts'
import { costReader, deploymentOf, MONEY_CHECK_MS, remembered, startHttp } from '../composition.ts'
import { createHttpIngest } from '../connect/http-ingest.ts'
import { createEvents, type NodeEvents } from '../events.ts'
import type { Bulletin } from '../store/bulletins.ts'
import { type LedgerProgress, readProgress } from '../store/deployment.ts'
import { readLogHead, readNewestAnchor, readNewestCheckpoint } from '../store/log.ts'
import { createMetering } from '../transact/metering.ts'
import { createMoneyCheck } from '../transact/money-check.ts'
import { createNotices } from '../transact/notices.ts'
import { createProposals } from '../transact/proposals.ts'
import { createCredentials } from '../trust/credentials.ts'
import type { Evidence } from '../trust/evidence.ts'
import { createSessions } from '../trust/sessions.ts'
import { followBulletins, type Keyless, openIntake, openKeyless } from './keyless.ts'
import type { Site } from './site.ts'

const CONNECTIONS = 2
const PROGRESS_MS = 500
/** A head is asked for again so often, and waited for so long: a standby takes over meanwhile. */
const ASK_AGAIN_MS = 2_000
const HEAD_PATIENCE_MS = 20_000

/** API, page and HTTP ingest, without keys. Answers its origin. */
export async function startApiRole(site: Site): Promise<string> {
  const { config, database, started } = site
  const { clock, logger } = config
  const certificate = config.tls && openCertificate(config.tls, logger)
  if (certificate) started.push(() => certificate.close())
  const keyless = await openKeyless(site)
  const { agreements, client, deployment: contracts, identity, log, measures } = keyless
  const metering = createMetering({
    database,
    agreements,
    clock,
    events: site.events,
    ledger: contracts,
    log,
    // It judges signed values by what others fold.
    share: { owns: () => false, fence: () => Promise.resolve() },
    logger,
  })
  started.push(() => metering.close())
  const { pipeline, broker } = await openIntake(site, keyless, {
    metering,
    workers: config.workers,
    takes: [],
    connections: CONNECTIONS,
  })
  const changes = followBulletins(site, keyless, {})
  const progress = await followProgress(site)
  const evidence = { ...keyless.evidence, ...askedHeads(site, keyless) }
  const deployment = deploymentOf(
    config,
    {
      chainId: contracts.chainId,
      rpcUrl: String(config.rpcUrl),
      embedded: false,
      deployment: contracts,
      log,
      people: [],
    },
    broker,
  )
  // The process that follows the ledger tells of them; here they are only shown.
  const untold = { emit: () => undefined }
  const quiet = logger.child({}, { level: 'error' })
  const notices = createNotices({ database, clock, agreements, events: untold, logger: quiet })
  started.push(() => notices.close())
  const checkMoney = createMoneyCheck({
    database,
    client,
    clearingHouse: contracts.clearingHouse,
    fromBlock: contracts.fromBlock,
    block: progress,
  })
  const api = await startHttp(config, certificate, {
    role: 'api',
    deployment,
    database,
    agreements,
    evidence,
    clock,
    events: eventsOfAll(site),
    measures,
    dataDir: resolve('.'),
    certificateExpiresMs: () => certificate?.expiresMs(),
    block: progress,
    ledgerLag: () => {
      const { head, included, levelSeconds } = progress()
      return { blocks: Math.max(0, head - included), seconds: levelSeconds }
    },
    operatorBalance: () => client.getBalance({ address: log }),
    costOf: costReader(client),
    readAccount: accountReader(client, contracts.asset.address),
    readVault: vaultReader(client, contracts.clearingHouse),
    frames: () => pipeline.counts(),
    connectedMachines: () => broker.connectedMachines().length,
    notices: () => notices.current(),
    checkMoney: remembered(checkMoney, MONEY_CHECK_MS),
    ingest: createHttpIngest({ inbox: pipeline, identity, nowMs: () => clock.nowMs() }),
    onRules: async () => {
      site.tell({ kind: 'rules' })
      await changes.rulesKnown()
    },
    submitMeterValue: (json) => metering.submitMeterValue(json),
    submitAttestation: (json) => metering.submitAttestation(json),
    sessions: await createSessions({
      database,
      clock,
      chainId: contracts.chainId,
      contractAccepts: (signed) => client.verifyMessage(signed),
    }),
    credentials: createCredentials({ database, clock, issuers: config.trustedIssuers }),
    proposals: createProposals({
      database,
      clock,
      agreements,
      deployment,
      contractAccepts: (signed) => client.verifyHash(signed),
    }),
    peopleWallets: undefined,
    logger,
  })
  started.push(() => api.close())
  return api.url
}

/** What happens in all processes, as far as they tell. */
function eventsOfAll({ events, bulletins, config, started }: Site): NodeEvents {
  const all = createEvents((error) => config.logger.error({ err: error }, 'a listener failed'))
  started.push(
    events.on((event) => all.emit(event)),
    bulletins.on((bulletin) => {
      if (bulletin.kind !== 'events') return
      for (const event of bulletin.events) all.emit(event)
    }),
  )
  return all
}

const NOT_FOLLOWED: LedgerProgress = { included: -1, final: -1, head: -1, levelSeconds: 0 }

/** How far the ledger was followed, at most half a second ago. */
async function followProgress({ database, config, started }: Site): Promise<() => LedgerProgress> {
  let current = (await readProgress(database.pool)) ?? NOT_FOLLOWED
  let readMs = performance.now()
  const look = async () => {
    current = (await readProgress(database.pool)) ?? NOT_FOLLOWED
    readMs = performance.now()
  }
  const timer = setInterval(() => {
    look().catch((error) => config.logger.warn({ err: error }, 'could not read the progress'))
  }, PROGRESS_MS)
  started.push(() => clearInterval(timer))
  return () => ({
    ...current,
    levelSeconds: current.levelSeconds + (performance.now() - readMs) / 1_000,
  })
}

/** Heads and roots of the log that the process with the key signs when asked. */
function askedHeads(
  site: Site,
  { log, evidence, deployment }: Keyless,
): Pick<Evidence, 'head' | 'headNow' | 'signedRoot' | 'contradicts'> {
  const db = site.database.pool
  const { chainId, evidenceAnchor: anchor } = deployment

  const headNow: Evidence['headNow'] = () =>
    asked(
      site,
      (id) => ({ kind: 'head-wanted', id }),
      (bulletin, id) =>
        bulletin.kind === 'head' && bulletin.id === id ? bulletin.head : undefined,
    )

  const signedRoot: Evidence['signedRoot'] = async (size) => {
    const signed = await asked(
      site,
      (id) => ({ kind: 'root-wanted', id, size: String(size) }),
      (bulletin, id) =>
        bulletin.kind === 'root' && bulletin.id === id ? (bulletin.signed ?? '') : undefined,
    )
    const decoded = decodeReceipt(Buffer.from(signed, 'base64'))
    const verified = decoded.ok && verifySignedRoot(decoded.receipt, { chainId, log, anchor })
    if (verified !== false && verified.ok) return verified.signed
    throw new LiquefyError(
      'LOG_ROOT_UNAVAILABLE',
      'The process with the key could not sign this root; its log says why.',
    )
  }

  const presentHead: Evidence['headNow'] = async () => {
    const [{ size }, newest] = [await readLogHead(db), await readNewestCheckpoint(db)]
    if (newest?.size !== size) return headNow()
    return { ...newest, size: String(newest.size) }
  }

  return {
    headNow,
    signedRoot,
    contradicts: (stated) => evidence.contradicts(stated, signedRoot),
    async head() {
      const head = await presentHead()
      const anchor = await readNewestAnchor(db, log)
      return {
        ...head,
        anchored: anchor ? { ...anchor, size: String(anchor.size) } : null,
      }
    },
  }
}

/** Asks other processes, again and again, until one answers. @throws LiquefyError `LOG_HEAD_UNAVAILABLE`. */
async function asked<T>(
  { bulletins, tell }: Site,
  question: (id: string) => Bulletin,
  answerIn: (bulletin: Bulletin, id: string) => T | undefined,
): Promise<T> {
  const id = randomUUID()
  const answered = new AbortController()
  const answer = Promise.withResolvers<T>()
  const stopListening = bulletins.on((bulletin) => {
    const found = answerIn(bulletin, id)
    if (found !== undefined) answer.resolve(found)
  })
  const askAgain = setInterval(() => tell(question(id)), ASK_AGAIN_MS)
  tell(question(id))
  try {
    const tooLong = sleep(HEAD_PATIENCE_MS, undefined, { signal: answered.signal }).then(() => {
      throw new LiquefyError(
        'LOG_HEAD_UNAVAILABLE',
        'No process with the role settle answers. Start one, or ask again.',
      )
    })
    tooLong.catch(() => undefined)
    return await Promise.race([answer.promise, tooLong])
  } finally {
    answered.abort()
    clearInterval(askAgain)
    stopListening()
  }
}
