/**
 * Base of every error that this project throws on purpose.
 *
 * `code` is stable and documented; `message` says what to do. Rejections of outside input are not errors but
 * discriminated unions (see `docs/protocol/verdicts.md`).
 */
export class LiquefyError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LiquefyError'
    this.code = code
  }
}
