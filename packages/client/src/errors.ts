import { LiquefyError } from '@liquefy/protocol'

/** An answer of the API that is not 2xx, or none at all (`status` 0, code `NODE_UNREACHABLE`). */
export class ApiError extends LiquefyError {
  readonly status: number

  constructor(status: number, problem: { code: string; message: string; cause?: unknown }) {
    super(problem.code, problem.message, { cause: problem.cause })
    this.name = 'ApiError'
    this.status = status
  }
}
