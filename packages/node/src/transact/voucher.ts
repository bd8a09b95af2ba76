import { type CoveringValue, elapsedSeconds, owedCapped } from '@liquefy/protocol'
import type { Database } from '../store/database.ts'
import {
  type AcceptedValue,
  countMeterValues,
  forgetLowerValues,
  readHighestValue,
  saveMeterValue,
} from '../store/meter-values.ts'
import { saveOwed } from '../store/metering.ts'
import type { JudgedAgreement, ValueContext, ValueRefusal } from './meter-value.ts'
import { timeFault } from './own-value.ts'

/** So many vouchers are kept of one agreement: one of each period. */
const MAX_VOUCHERS = 10_000

/**
 * Judges a value of an agreement without meters: its signer states registers of its own accord, as a buyer's voucher does, and the node
 * has nothing to compare them with. It relays what was signed, within the rate bound.
 */
export async function judgeVoucher(
  { database, clock }: ValueContext,
  { agreement, terms }: JudgedAgreement,
  value: CoveringValue,
): Promise<Pick<ValueRefusal, 'code' | 'message'> | undefined> {
  const invalid = (message: string) => ({ code: 'METER_VALUE_INVALID', message }) as const
  if (value.heads.length > 0) return invalid('The agreement meters no stream: name no heads.')
  if (value.registers.length !== terms.limits.length || !agreement.tariff) {
    return invalid(`The agreement has ${terms.limits.length} registers.`)
  }
  const fault = timeFault(value, terms, clock)
  if (fault !== undefined) return invalid(fault)
  const { registers } = value
  const owed = owedCapped(agreement.tariff, registers, elapsedSeconds(terms, value), terms.capMinor)
  const highest = await readHighestValue(database.pool, value.agreementId, value.period)
  if (highest && highest.owedMinor >= owed) {
    const same = highest.asOf === value.asOf && String(highest.registers) === String(registers)
    const message = 'A value of this period that says as much or more is held already.'
    return same ? undefined : { code: 'SUPERSEDED', message }
  }
  if (!highest && (await countMeterValues(database.pool, value.agreementId)) >= MAX_VOUCHERS) {
    const message = `This node holds ${MAX_VOUCHERS} values of the agreement; settle on the ledger yourself.`
    return { code: 'VALUES_TOO_MANY', message }
  }
  return undefined
}

/**
 * Keeps a voucher in the place of lower ones of its period, so that no signer can fill the disk: what is signed is owed. Refuses one that differs from a value
 * under way in its registers alone: intents name values by period, `asOf` and head.
 */
export async function saveVoucher(
  database: Database,
  value: AcceptedValue,
): Promise<Pick<ValueRefusal, 'code' | 'message'> | undefined> {
  return database.transaction(async (client) => {
    await forgetLowerValues(client, value)
    if (await saveMeterValue(client, value)) {
      await saveOwed(client, [value], value.receivedMs)
      return undefined
    }
    const held = await readHighestValue(client, value.agreementId, value.period)
    if (held && held.owedMinor >= value.owedMinor) return undefined
    const message = 'A value with this asOf is on its way to the ledger; sign with a larger asOf.'
    return { code: 'SUPERSEDED', message }
  })
}
