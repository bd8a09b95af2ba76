import type { TokenPlace } from '@liquefy/machine'
import { CliError } from './failure.ts'

/** The options that name a token. */
export interface TokenOptions {
  pkcs11?: string
  token?: string
}

/** The token that a new key is to be made in; undefined if it is to be a file. */
export function tokenPlaceOf({ pkcs11, token }: TokenOptions): TokenPlace | undefined {
  if (pkcs11 && token) return { module: pkcs11, token }
  if (!pkcs11 && !token) return undefined
  throw new CliError(
    'TOKEN_INCOMPLETE',
    'A token is named by both: --pkcs11 <module> --token <label>.',
  )
}
