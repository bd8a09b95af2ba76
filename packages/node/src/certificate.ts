import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import type { SecureContextOptions } from 'node:tls'
import { LiquefyError } from '@liquefy/protocol'
import type { BaseLogger } from 'pino'
import { refuseExposed } from './private-file.ts'

/** Anything that listens with TLS: an HTTPS server, or a `node:tls` one. */
interface TlsServer {
  setSecureContext(options: SecureContextOptions): void
}

/** The certificate that the outside listeners show, renewed when its files are. */
export interface Certificate {
  /** For a listener that is about to start. TLS 1.2 and newer. */
  options(): SecureContextOptions
  /** Shows this server each new certificate; connections that are open stay as they are. */
  follow(server: TlsServer): void
  /** When it ends, ms since 1970. */
  expiresMs(): number
  close(): void
}

/** Renewal replaces two files, one after the other. */
const LOOK_MS = 5_000

/**
 * Reads certificate (with its chain) and key, and looks for new ones every 5 s. New files that do not fit together are not taken:
 * the certificate before stays until they do.
 *
 * @throws LiquefyError `TLS_INVALID` if they are no certificate and key of one pair, `KEY_FILE_EXPOSED` if others may read the key.
 */
export function openCertificate(
  files: { certFile: string; keyFile: string },
  logger: BaseLogger,
): Certificate {
  const { certFile, keyFile } = files
  const servers: TlsServer[] = []
  let current = readPair(certFile, keyFile)

  function look(): void {
    try {
      const next = readPair(certFile, keyFile)
      if (next.options.cert === current.options.cert && next.options.key === current.options.key) {
        return
      }
      for (const server of servers) server.setSecureContext(next.options)
      current = next
      logger.info({ expires: new Date(next.expiresMs) }, 'a new certificate is shown')
    } catch (error) {
      logger.warn({ err: error }, 'the new certificate is not taken; the one before stays')
    }
  }

  for (const file of [certFile, keyFile]) watchFile(file, { interval: LOOK_MS }, look).unref()
  return {
    options: () => current.options,
    follow: (server) => void servers.push(server),
    expiresMs: () => current.expiresMs,
    close() {
      for (const file of [certFile, keyFile]) unwatchFile(file, look)
    },
  }
}

function readPair(certFile: string, keyFile: string) {
  const invalid = (reason: string, cause: unknown) =>
    new LiquefyError(
      'TLS_INVALID',
      `${reason}. LIQUEFY_TLS_CERT names a PEM file with certificate and chain, LIQUEFY_TLS_KEY one with its key.`,
      { cause },
    )
  let cert: string
  let key: string
  let expiresMs: number
  let fits: boolean
  try {
    cert = readFileSync(certFile, 'utf8')
    key = readFileSync(keyFile, 'utf8')
    const parsed = new X509Certificate(cert)
    expiresMs = Date.parse(parsed.validTo)
    fits = parsed.checkPrivateKey(createPrivateKey(key))
  } catch (cause) {
    throw invalid(`${certFile} and ${keyFile} cannot be read as certificate and key`, cause)
  }
  if (!fits) throw invalid(`${keyFile} is not the key of ${certFile}`, undefined)
  refuseExposed(keyFile)
  const options = { cert, key, minVersion: 'TLSv1.2' as const }
  return { options, expiresMs }
}
