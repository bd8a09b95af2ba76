import { type HttpTransport, http } from 'viem'

/**
 * Requests to a JSON-RPC endpoint. User, password, path and query of its address may be secrets: they are sent, and stand in no
 * error, where the library would put the whole address.
 */
export function rpcTransport(rpcUrl: string): HttpTransport {
  const address = new URL(rpcUrl)
  const { origin, username, password } = address
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const headers: Record<string, string> =
    user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }
  address.username = ''
  address.password = ''
  return http(origin, {
    fetchOptions: { headers },
    fetchFn: (_origin, request) => fetch(address, request),
  })
}

/** An address as it may be told to anybody: without user, password, path and query, each of which may be a secret. */
export function publicRpcUrl(rpcUrl: string): string {
  const { origin, username, password, pathname, search } = new URL(rpcUrl)
  return username || password || pathname !== '/' || search ? origin : rpcUrl
}
