/** Whether only this computer reaches an interface of this name or address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/**
 * Whether a `Host` header or an origin's host, with or without a port, names this computer. A page whose own name was made to point
 * here (DNS rebinding) names another.
 */
export function namesLoopback(host: string | undefined): boolean {
  const name = host?.toLowerCase().replace(/:\d+$/, '')
  return name === '[::1]' || (name !== undefined && name !== '::1' && isLoopback(name))
}
