import type {
  CheckableCredential,
  CredentialState,
  Hex,
  MachineCredential,
  TakenStatusList,
} from '@liquefy/client'
import {
  type Credential,
  type CredentialRefusal,
  credentialStanding,
  readCredential,
  readStatusList,
  type Standing,
  type StatusList,
  statusListStanding,
  type TrustedIssuer,
} from '@liquefy/credential'
import { keyId, LiquefyError } from '@liquefy/protocol'
import type { Clock } from '../clock.ts'
import {
  countOtherLists,
  lockCredentials,
  readCredentials,
  readRivals,
  readStatusListJwt,
  readStatusListTime,
  type StoredCredential,
  saveCredential,
  saveStatusList,
} from '../store/credentials.ts'
import type { Database, Queryable } from '../store/database.ts'
import { readCurrentKey } from '../store/overview.ts'

/** What makers say of machines: takes credentials and status lists from anybody who holds them, and judges them anew each time they are shown. */
export interface Credentials {
  issuers: readonly TrustedIssuer[]
  /** Takes a credential of a machine. @throws CredentialError */
  attest(machineId: bigint, jwt: string): Promise<MachineCredential>
  /** Takes a maker's status list; the newest of a name counts. @throws CredentialError */
  takeStatusList(jwt: string): Promise<TakenStatusList>
  /** What is said of a machine's present key, else of one before it; null if nothing is. */
  of(machineId: bigint): Promise<MachineCredential | null>
  /** The same with what it takes to check it elsewhere. */
  checkable(machineId: bigint): Promise<CheckableCredential | null>
}

/** A credential or a status list was not taken; the message says why. */
export class CredentialError extends LiquefyError {
  declare readonly code: CredentialRefusal | 'STATUS_LISTS_TOO_MANY'

  constructor(code: CredentialRefusal | 'STATUS_LISTS_TOO_MANY', message: string) {
    super(code, message)
  }
}

const STATES = {
  OK: 'valid',
  CREDENTIAL_EXPIRED: 'expired',
  CREDENTIAL_NOT_YET_VALID: 'not-yet-valid',
  CREDENTIAL_REVOKED: 'revoked',
  STATUS_LIST_MISSING: 'status-unknown',
  STATUS_LIST_STALE: 'status-unknown',
  ISSUER_UNTRUSTED: 'issuer-untrusted',
  CREDENTIAL_KEY_DIFFERS: 'key-replaced',
} as const satisfies Record<Standing, CredentialState>

const SHOWN = 20
/** A million credentials of one maker. */
const MAX_LISTS = 100
const CACHED_CREDENTIALS = 2_000
const CACHED_LISTS = 50

/** What is known of a stored credential. */
interface Judged {
  stored: StoredCredential
  view: MachineCredential
  credential: Credential
}

export function createCredentials(options: {
  database: Database
  clock: Clock
  issuers: readonly TrustedIssuer[]
}): Credentials {
  const { database, clock, issuers } = options
  const db = database.pool
  // Signatures do not change: what was verified once is kept.
  const read = remembering(CACHED_CREDENTIALS, async (jwt: string) => {
    const answer = await readCredential(jwt)
    if (answer.ok) return answer.credential
    throw new CredentialError(answer.code, answer.message)
  })
  const lists = remembering(CACHED_LISTS, async (name: string) => {
    const [issuer = '', id = ''] = JSON.parse(name) as string[]
    const jwt = await readStatusListJwt(db, issuer, id)
    const answer = jwt === undefined ? undefined : await readStatusList(jwt)
    return answer?.ok ? answer.list : undefined
  })

  const listOf = async ({ issuer, status }: Credential): Promise<StatusList | undefined> => {
    if (!status) return undefined
    const sinceMs = await readStatusListTime(db, issuer, status.list)
    return sinceMs === undefined ? undefined : lists(JSON.stringify([issuer, status.list, sinceMs]))
  }

  const standing = async (credential: Credential, current: Hex | undefined) =>
    credentialStanding(credential, {
      nowMs: clock.nowMs(),
      keyId: current,
      issuers,
      statusList: await listOf(credential),
    })

  const judge = async (stored: StoredCredential, current: Hex | undefined): Promise<Judged> => {
    const credential = await read(stored.jwt)
    const answer = await standing(credential, current)
    const { id, issuer, manufacturer, model, serial, validFromMs, validUntilMs } = credential
    const issuerName = issuers.find(({ did }) => did === issuer)?.name ?? null
    const view = {
      id,
      issuer,
      issuerName,
      manufacturer,
      model,
      serial,
      keyId: stored.keyId,
      validFromMs,
      validUntilMs,
      acceptedMs: stored.acceptedMs,
      state: STATES[answer.ok ? 'OK' : answer.code],
      words: answer.ok ? 'Its maker vouches for it.' : answer.message,
    }
    return { stored, view, credential }
  }

  /** That of the present key first. */
  const judgedOf = async (machineId: bigint): Promise<Judged[]> => {
    const [stored, current] = await Promise.all([
      readCredentials(db, machineId, SHOWN),
      currentKeyId(db, machineId),
    ])
    const isCurrent = (one: StoredCredential) => one.inForce && one.keyId === current
    const ordered = [...stored.filter(isCurrent), ...stored.filter((one) => !isCurrent(one))]
    return Promise.all(ordered.map((one) => judge(one, current)))
  }

  return {
    issuers,
    async attest(machineId, jwt) {
      const answer = await readCredential(jwt, issuers)
      if (!answer.ok) throw new CredentialError(answer.code, answer.message)
      const { credential } = answer
      const current = await currentKeyId(db, machineId)
      const good = await standing(credential, current)
      if (!good.ok) throw new CredentialError(good.code, good.message)
      const stored = {
        issuer: credential.issuer,
        credentialId: credential.id,
        machineId,
        keyId: keyId(credential.key),
        serial: credential.serial,
        validFromMs: credential.validFromMs,
        acceptedMs: clock.nowMs(),
        inForce: true,
        jwt,
      }
      const kept = await database.transaction(async (client) => {
        await lockCredentials(client)
        const known = againstRivals(stored, await readRivals(client, stored))
        if (!known) await saveCredential(client, stored)
        return known ?? stored
      })
      return (await judge(kept, current)).view
    },
    async takeStatusList(jwt) {
      const answer = await readStatusList(jwt, issuers)
      if (!answer.ok) throw new CredentialError(answer.code, answer.message)
      const { id, issuer, validFromMs, validUntilMs } = answer.list
      const timely = statusListStanding(answer.list, clock.nowMs())
      if (!timely.ok) throw new CredentialError(timely.code, timely.message)
      if ((await countOtherLists(db, issuer, id)) >= MAX_LISTS) {
        throw new CredentialError(
          'STATUS_LISTS_TOO_MANY',
          `This node keeps ${MAX_LISTS} lists of a maker: use one of those.`,
        )
      }
      const isNew = await saveStatusList(db, answer.list)
      if (!isNew && (await readStatusListJwt(db, issuer, id)) !== jwt) {
        throw new CredentialError(
          'STATUS_LIST_OLDER',
          `A list ${id} is known that is as new as this one, or newer: it counts.`,
        )
      }
      return { id, issuer, validFromMs, validUntilMs }
    },
    async of(machineId) {
      const [first] = await judgedOf(machineId)
      return first?.view ?? null
    },
    async checkable(machineId) {
      const [first, ...others] = await judgedOf(machineId)
      if (!first) return null
      const list = await listOf(first.credential)
      return {
        ...first.view,
        credential: first.stored.jwt,
        statusList: list?.jwt ?? null,
        earlier: others.map(({ view, stored }) => ({ ...view, credential: stored.jwt })),
      }
    },
  }
}

/**
 * The same credential, if it is known and in force. One credential attests one key, and a serial number is attested for one machine.
 *
 * @throws CredentialError `CREDENTIAL_REUSED`, `CREDENTIAL_OLDER`
 */
function againstRivals(
  stored: StoredCredential,
  rivals: readonly StoredCredential[],
): StoredCredential | undefined {
  const same = rivals.find((one) => one.jwt === stored.jwt)
  if (same?.inForce) return same
  const older =
    'The machine’s key has a credential that is as new as this one, or newer: it counts.'
  if (same) throw new CredentialError('CREDENTIAL_OLDER', older)
  for (const rival of rivals.filter(({ issuer }) => issuer === stored.issuer)) {
    if (rival.credentialId === stored.credentialId) {
      throw new CredentialError(
        'CREDENTIAL_REUSED',
        `The maker has given the id ${rival.credentialId} to another credential, of machine ${rival.machineId}.`,
      )
    }
    if (rival.serial === stored.serial && rival.machineId !== stored.machineId) {
      throw new CredentialError(
        'CREDENTIAL_REUSED',
        `The serial number ${rival.serial} is that of machine ${rival.machineId}: one of the two is no original. Ask the maker.`,
      )
    }
  }
  const inForce = rivals.find((one) => one.inForce && one.keyId === stored.keyId)
  if (inForce && inForce.validFromMs >= stored.validFromMs) {
    throw new CredentialError('CREDENTIAL_OLDER', older)
  }
  return undefined
}

async function currentKeyId(db: Queryable, machineId: bigint): Promise<Hex | undefined> {
  return (await readCurrentKey(db, machineId))?.keyId
}

/** Keeps the newest `most` answers by their question; what failed is asked again. */
function remembering<T>(most: number, ask: (question: string) => Promise<T>) {
  const known = new Map<string, Promise<T>>()
  return (question: string): Promise<T> => {
    const before = known.get(question)
    if (before) return before
    const answer = ask(question)
    known.set(question, answer)
    answer.catch(() => known.delete(question))
    const [oldest] = known.keys()
    if (known.size > most && oldest !== undefined) known.delete(oldest)
    return answer
  }
}
