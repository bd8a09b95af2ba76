import type { Logger as PinoLogger } from 'pino'

/** What the chain needs of a logger: pino's own, or a test's. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'>
