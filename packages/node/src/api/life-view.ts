import type { ErasureStatement, MachineLife } from '@liquefy/client'
import { readStreams } from '../store/envelopes.ts'
import { readErasures, type StoredErasure } from '../store/erasures.ts'
import { readKeySpans, readOwners, readStreamFlaws, readSuspensions } from '../store/life.ts'
import { readRecords } from '../store/machine-records.ts'
import { readMachineClosings } from '../store/overview.ts'
import { readReplacements } from '../store/sensors.ts'
import type { ApiContext } from './context.ts'
import { identityOf, knownMachine } from './machine-view.ts'
import { partOf } from './part-routes.ts'

const SHOWN = 200

/** All that a buyer asks of a machine. @throws ProblemError 404 `MACHINE_UNKNOWN`. */
export async function lifeView(context: ApiContext, machineId: bigint): Promise<MachineLife> {
  const db = context.database.pool
  const { state, controller } = await knownMachine(context, machineId)
  const [
    owners,
    keys,
    suspensions,
    closings,
    streams,
    flaws,
    records,
    erasures,
    replacements,
    credential,
  ] = await Promise.all([
    readOwners(db, machineId, SHOWN),
    readKeySpans(db, machineId, SHOWN),
    readSuspensions(db, machineId, SHOWN),
    readMachineClosings(db, machineId, SHOWN),
    readStreams(db, machineId),
    readStreamFlaws(db, machineId),
    readRecords(db, machineId),
    readErasures(db, machineId),
    readReplacements(db, { machineId, limit: SHOWN }),
    context.credentials.of(machineId),
  ])
  const closedMs = new Map(closings.map(({ agreementId, atMs }) => [agreementId, atMs]))
  const shownStreams = streams.map(({ stream, envelopes, lastSeq }) => {
    const flawsOf = flaws.get(stream)
    const { equivocations = 0, brokenChains = 0, archived = 0, erased = 0 } = flawsOf ?? {}
    const holder = context.agreements
      .metering(machineId, stream)
      .find(({ terms }) => terms?.shared === false)
    return {
      stream,
      envelopes,
      lastSeq: String(lastSeq),
      // A second envelope with a number that is taken fills no other.
      missing: String(lastSeq - BigInt(envelopes - equivocations)),
      equivocations,
      brokenChains,
      archived,
      erased,
      takenBy: holder?.agreementId ?? null,
    }
  })
  const [key, owner] = [keys.at(-1), owners.at(-1)]
  return {
    machineId: String(machineId),
    state,
    controller: controller === 0n ? null : String(controller),
    did: identityOf(context, machineId).did,
    credential,
    owners: owners.map(({ owner: account, sinceMs }) => ({ owner: account, sinceMs })),
    keys: keys.map(({ epoch, block: _, ...span }) => ({ ...span, epoch: String(epoch) })),
    // Registered in one transaction, key and first owner have the same block.
    keyIsOlderThanOwner:
      owners.length > 1 && key?.until === null && owner !== undefined && key.block < owner.block,
    suspensions,
    agreements: context.agreements
      .all()
      .filter((one) => one.machineId === machineId)
      .slice(-SHOWN)
      .map(({ agreementId, payer, payee, openedMs, terms }) => ({
        agreementId,
        payer,
        payee,
        openedMs,
        closedMs: closedMs.get(agreementId) ?? null,
        streams: terms?.meters.map(({ stream }) => stream) ?? [],
        shared: terms?.shared ?? false,
      })),
    streams: shownStreams,
    evidenceComplete: shownStreams.every(({ missing, erased }) => missing === '0' && erased === 0),
    replacements: replacements.reverse().map(partOf),
    records,
    erasures: erasures.map(erasureView),
  }
}

/** A statement as it was stored, with its signature. */
export function erasureView({ statement, signature }: StoredErasure): ErasureStatement {
  return { ...(statement as unknown as Omit<ErasureStatement, 'signature'>), signature }
}
