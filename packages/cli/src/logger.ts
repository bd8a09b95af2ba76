import { type Logger, pino } from 'pino'
import { CliError } from './failure.ts'

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/** A log on stderr: stdout is for results. @throws CliError `CONFIG_INVALID` if LIQUEFY_LOG_LEVEL is no level. */
export function openLogger(): Logger {
  const level = process.env.LIQUEFY_LOG_LEVEL ?? 'warn'
  if (!LEVELS.includes(level)) {
    throw new CliError(
      'CONFIG_INVALID',
      `LIQUEFY_LOG_LEVEL is "${level}"; it must be one of ${LEVELS.join(', ')}.`,
    )
  }
  return logAt(level)
}

/** Only what goes wrong, for commands whose bar and result are what they show. */
export function quietLogger(): Logger {
  return logAt('error')
}

function logAt(level: string): Logger {
  return pino({ level }, pino.destination(2))
}
