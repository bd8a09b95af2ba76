import { LiquefyError } from '@liquefy/protocol'

/** What a command answers to its caller. */
export const EXIT = { ok: 0, faultFound: 1, usage: 2 } as const

/** Something that whoever called can put right: wrong arguments, a file that is not there, no node. Exit code 2. */
export class CliError extends LiquefyError {
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(code, message, options)
    this.name = 'CliError'
  }
}
