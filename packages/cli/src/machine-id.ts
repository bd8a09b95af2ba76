import { CliError } from './failure.ts'

/** A machine id as given on the command line. @throws CliError `MACHINE_INVALID`. */
export function machineIdOf(text: string): string {
  if (/^[1-9]\d{0,76}$/.test(text)) return text
  throw new CliError(
    'MACHINE_INVALID',
    `${text} is no machine id: a number from 1. See \`liquefy machine list\`.`,
  )
}
