import { LiquefyError } from '@liquefy/protocol'

const PLAIN = new Set(['mqtt:', 'ws:', 'http:'])
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** @throws LiquefyError `TRANSPORT_PLAIN` for an unencrypted address beyond loopback: the password would be readable. */
export function requireEncrypted(url: string, instead: string): void {
  const { protocol, hostname } = new URL(url)
  if (!PLAIN.has(protocol) || LOOPBACK.has(hostname)) return
  throw new LiquefyError('TRANSPORT_PLAIN', `${url} is not encrypted. Use ${instead}.`)
}
