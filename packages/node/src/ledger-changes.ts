import type { Hex } from '@liquefy/client'
import type { BaseLogger } from 'pino'
import type { Applied } from './chain/follower.ts'
import type { Clock } from './clock.ts'
import type { NodeEvents } from './events.ts'
import type { Database } from './store/database.ts'
import { readSettlementsSince } from './store/settlements.ts'
import type { AgreementMessage, Agreements } from './transact/agreements.ts'
import type { Metering } from './transact/metering.ts'
import type { Settlement } from './transact/settlement.ts'
import type { Identity } from './trust/identity.ts'

/**
 * Hands on what the follower applied: to identity, agreements, metering, settlement and events, in this order; of these to what this
 * process has.
 */
export interface LedgerChanges {
  apply(change: Applied): void
  /** Anything may have changed: all is read again. */
  applyAll(): void
  /** Rules became known: agreements that waited for them are metered from now on. */
  rulesKnown(): Promise<void>
  /** Resolves once everything applied until now was handed on. */
  idle(): Promise<void>
}

/** What only the process that follows the ledger does when it has changed. */
interface LedgerLead {
  settlement: Settlement
  events: NodeEvents
  /** Forgets what was metered for agreements that a reorganisation took away. */
  forgetVanished(): Promise<void>
  /** Block up to which all was handed on before. */
  fromBlock: number
}

export function createLedgerChanges(options: {
  database: Database
  clock: Clock
  identity: Identity
  agreements: Agreements
  /** In a process that folds. */
  metering?: Pick<Metering, 'kickAgreements' | 'kickSigners'> | undefined
  /** Tells a machine of an agreement that it meters, where this process is the one to do so. */
  announce?: ((machineId: bigint, message: AgreementMessage) => Promise<void>) | undefined
  /** In the process that follows the ledger. */
  lead?: LedgerLead | undefined
  logger: BaseLogger
}): LedgerChanges {
  const { database, clock, identity, agreements, metering, lead, logger } = options
  let seenBlock = lead?.fromBlock ?? -1
  let turn: Promise<void> = Promise.resolve()

  const meterNew = async (): Promise<void> => {
    const opened = await agreements.refresh()
    metering?.kickAgreements(opened)
    if (!options.announce) return
    for (const agreementId of opened) {
      const agreement = agreements.get(agreementId)
      if (!agreement) continue
      for (const machineId of agreements.signersOf(agreement)) {
        const message = agreements
          .agreementsOf(machineId)
          .find((one) => one.agreementId === agreementId)
        if (message) await options.announce(machineId, message)
      }
    }
  }

  const tellSettlements = async (
    events: NodeEvents,
    agreementIds: readonly Hex[],
    toBlock: number,
  ): Promise<void> => {
    for (const one of await readSettlementsSince(database.pool, agreementIds, seenBlock, toBlock)) {
      events.emit({
        type: 'settled',
        agreementId: one.agreementId,
        period: one.period,
        paidMinor: one.paidMinor.toString(),
        txHash: one.txHash,
        atMs: clock.nowMs(),
      })
    }
  }

  const handOn = async (change: Applied): Promise<void> => {
    const { agreementIds, machineIds, toBlock, reorgedFrom } = change
    if (machineIds.length > 0) metering?.kickSigners(machineIds)
    if (reorgedFrom !== undefined) seenBlock = Math.min(seenBlock, reorgedFrom - 1)
    if (agreementIds.length > 0 || reorgedFrom !== undefined) {
      await meterNew()
      if (lead) {
        if (reorgedFrom !== undefined) await lead.forgetVanished()
        await tellSettlements(lead.events, agreementIds, toBlock)
        await lead.settlement.ledgerChanged(agreementIds)
      }
    }
    seenBlock = Math.max(seenBlock, toBlock)
  }

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = turn.then(work)
    turn = mine.catch((error) => {
      logger.error({ err: error }, 'a change of the ledger was not handed on')
    })
    return mine
  }

  return {
    apply(change) {
      // At once: a revoked key must not verify one more envelope.
      identity.refresh(change.machineIds)
      inTurn(() => handOn(change)).catch(() => undefined)
    },
    applyAll() {
      identity.refreshAll()
      inTurn(async () => {
        await meterNew()
        metering?.kickAgreements(agreements.all().map(({ agreementId }) => agreementId))
      }).catch(() => undefined)
    },
    rulesKnown: () => inTurn(meterNew),
    idle: () => turn,
  }
}
