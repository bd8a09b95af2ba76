import type { CalibrationNotice, EscrowNotice, Notice } from '@liquefy/client'
import type { BaseLogger } from 'pino'
import type { Clock } from '../clock.ts'
import type { NodeEvents } from '../events.ts'
import { type AgreementMoney, NOTHING_PAID, noMoney, readMoney } from '../store/agreements.ts'
import type { Database } from '../store/database.ts'
import { type OwedRow, readOwedAmounts } from '../store/metering.ts'
import type { Agreements, MeteredAgreement } from './agreements.ts'
import { type CalibrationState, readCalibrationStates } from './calibration-notices.ts'
import { costOf } from './cost.ts'

/** What is short of an agreement's money, smallest units. */
type Shortage = Pick<EscrowNotice, 'kind' | 'escrowMinor' | 'unpaidMinor' | 'fundedMinor'>

/** Warns payer and payee while an agreement's escrow is low, and while a stream's calibration ends or is missing. */
export interface Notices {
  /** What stands now, at most a few seconds old, in the order in which the agreements were opened. */
  current(): Notice[]
  close(): Promise<void>
}

/** Low is less than this part of what was funded: one tenth. */
const LOW_DIVISOR = 10n
const CHECK_MS = 1_000
/** A look at a large database takes time; it must not become its only work. */
const REST_FACTOR = 20

/**
 * What is short of an open agreement: `escrow-short` if more is owed than escrow can pay, or a period is in arrears; else `escrow-low` if
 * more is to come and what is left after all that is owed is less than a tenth of what was funded; undefined if nothing is.
 *
 * @param owed by the node's own fold, a row a period
 * @param hasEnded the last period is over: nothing more will be owed
 */
export function shortageOf(
  money: AgreementMoney,
  owed: readonly Pick<OwedRow, 'period' | 'owedMinor'>[],
  hasEnded: boolean,
): Shortage | undefined {
  const { escrowMinor, fundedMinor } = money
  const unpaid = unpaidMinor(money, owed)
  const inArrears = [...money.periods.values()].some(
    ({ provenMinor, paidMinor }) => provenMinor > paidMinor,
  )
  const left = escrowMinor - unpaid
  const isShort = inArrears || left < 0n
  if (!isShort && (hasEnded || left * LOW_DIVISOR >= fundedMinor)) return undefined
  return {
    kind: isShort ? 'escrow-short' : 'escrow-low',
    escrowMinor: escrowMinor.toString(),
    unpaidMinor: String(unpaid),
    fundedMinor: fundedMinor.toString(),
  }
}

/** What is owed of an agreement and not paid yet, by the node's own fold or by what the ledger has proven, whichever is more. */
export function unpaidMinor(
  money: Pick<AgreementMoney, 'periods'>,
  owed: readonly Pick<OwedRow, 'period' | 'owedMinor'>[],
): bigint {
  const folded = new Map(owed.map(({ period, owedMinor }) => [period, owedMinor]))
  let unpaid = 0n
  for (const period of new Set([...folded.keys(), ...money.periods.keys()])) {
    const onLedger = money.periods.get(period) ?? NOTHING_PAID
    unpaid += costOf(folded.get(period) ?? 0n, onLedger) - onLedger.paidMinor
  }
  return unpaid
}

/** Starts looking; tells events and the log when a notice begins or ends. `close` stops it. */
export function createNotices(options: {
  database: Database
  clock: Clock
  agreements: Pick<Agreements, 'all'>
  events: Pick<NodeEvents, 'emit'>
  logger: BaseLogger
}): Notices {
  const { database, clock, agreements, events, logger } = options
  let standing = new Map<string, Notice>()
  let closed = false
  let timer: NodeJS.Timeout | undefined

  const look = async () => {
    const db = database.pool
    const [money, owed, calibrations] = await Promise.all([
      readMoney(db, 0),
      readOwedAmounts(db),
      readCalibrationStates(db, agreements.all(), clock.nowMs()),
    ])
    const owedById = Map.groupBy(owed, ({ agreementId }) => agreementId)
    const now = new Map<string, Notice>()
    for (const agreement of agreements.all()) {
      if (!agreement.open) continue
      const { agreementId } = agreement
      const shortage = shortageOf(
        money.get(agreementId) ?? noMoney(),
        owedById.get(agreementId) ?? [],
        hasEnded(agreement, clock.nowMs()),
      )
      const said = [...(shortage ? [shortage] : []), ...(calibrations.get(agreementId) ?? [])]
      for (const one of said) {
        for (const notice of noticesOf(agreement, one)) now.set(nameOf(notice), notice)
      }
    }
    const before = standing
    standing = now
    tellChanges(before, now)
  }

  const tellChanges = (
    before: ReadonlyMap<string, Notice>,
    now: ReadonlyMap<string, Notice>,
  ): void => {
    for (const [name, notice] of before) if (!now.has(name)) tell(notice, 'ended')
    for (const [name, notice] of now) {
      if (before.has(name)) continue
      tell(notice, 'began')
      logNotice(logger, notice)
    }
  }
  const tell = ({ agreementId, party, role, kind }: Notice, change: 'began' | 'ended') =>
    events.emit({
      type: 'notice',
      change,
      agreementId,
      party,
      role,
      kind,
      atMs: clock.nowMs(),
    })

  const lookAgain = async (): Promise<void> => {
    const began = performance.now()
    await look().catch((error) => {
      if (!closed) logger.error({ err: error }, 'the notices could not be read; trying again')
    })
    if (closed) return
    const waitMs = Math.max(CHECK_MS, (performance.now() - began) * REST_FACTOR)
    timer = setTimeout(() => {
      turn = lookAgain()
    }, waitMs).unref()
  }
  let turn = lookAgain()

  return {
    current: () => [...standing.values()],
    async close() {
      closed = true
      clearTimeout(timer)
      await turn
    },
  }
}

/** One line an agreement: of whom can do something about it. */
function logNotice(logger: BaseLogger, notice: Notice): void {
  const { agreementId, party, role, kind } = notice
  if (isOfCalibration(notice)) {
    const { stream, untilMs } = notice
    if (role === 'payer') return
    const words =
      notice.kind === 'uncalibrated'
        ? 'no agreed calibration is in force: what is read counts nothing until a certificate is declared'
        : 'a calibration ends; have the sensor calibrated and declare the certificate'
    logger.warn({ agreementId, party, kind, stream, untilMs }, words)
    return
  }
  const { escrowMinor, unpaidMinor } = notice
  if (role === 'payee') return
  logger.warn(
    { agreementId, party, kind, escrowMinor, unpaidMinor },
    'an agreement is low on escrow; its payer should fund it',
  )
}

function isOfCalibration(notice: Notice): notice is CalibrationNotice {
  return 'stream' in notice
}

/** Both parties are told: the one who can fund, and the one who delivers on trust from then on. */
function noticesOf(
  { agreementId, payer, payee }: Pick<MeteredAgreement, 'agreementId' | 'payer' | 'payee'>,
  said: Shortage | CalibrationState,
): Notice[] {
  return [
    { agreementId, party: payer, role: 'payer', ...said },
    { agreementId, party: payee, role: 'payee', ...said },
  ]
}

function nameOf(notice: Notice): string {
  const { agreementId, role, kind } = notice
  return `${agreementId} ${role} ${kind} ${isOfCalibration(notice) ? notice.stream : ''}`
}

function hasEnded({ terms }: MeteredAgreement, nowMs: number): boolean {
  if (!terms) return false
  return BigInt(nowMs) >= (terms.start + BigInt(terms.periodSeconds * terms.periods)) * 1000n
}
