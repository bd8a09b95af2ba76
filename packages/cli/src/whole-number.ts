import { parseUnsigned } from '@liquefy/protocol'
import { CliError } from './failure.ts'

/** A whole number that was typed in, at most what the contract has room for. @throws CliError `AMOUNT_INVALID`. */
export function wholeNumber(option: string, text: string, most?: bigint): bigint {
  const amount = parseUnsigned(text)
  if (amount === undefined) {
    throw new CliError('AMOUNT_INVALID', `${option} ${text} is no whole number, like 1000.`)
  }
  if (most === undefined || amount <= most) return amount
  throw new CliError('AMOUNT_INVALID', `${option} ${text} is too much: at most ${most}.`)
}
