import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { LiquefyError } from '@liquefy/protocol'
import { requireEncrypted } from './encrypted.ts'
import type { OpenTransport } from './transport.ts'

/** What a node takes at once (docs/protocol/transport.md). */
const BODY_ENVELOPES = 1_000
const BODY_BYTES = 8 * 1_024 * 1_024
const FIRST_RETRY_MS = 500
const MOST_RETRY_MS = 30_000
const TIMEOUT_MS = 60_000
const SIGNATURE_BYTES = 64

interface Answer {
  status: number
  retryAfterMs: number
  body: Buffer
}

/**
 * Envelopes by HTTP instead of a standing connection, many a request, one request at a time, with a fresh password each; what the node answers
 * comes as receipts. It sends nothing but envelopes and hears of no agreements: it is for machines that only measure.
 *
 * @param options.url origin of the node's API.
 * @param options.ca PEM of the authority that the node's certificate must come from; the system's if left out.
 * @throws LiquefyError `TRANSPORT_PLAIN` for an unencrypted node beyond loopback.
 */
export function httpTransport(options: {
  url: string
  machineId: bigint
  password: () => string
  ca?: string
}): OpenTransport {
  requireEncrypted(options.url, 'https:// for a node on another computer')
  const target = new URL(`/v1/machines/${options.machineId}/envelopes`, options.url)
  const topic = (name: string) => `liquefy/v1/${options.machineId}/${name}`
  return (handlers) => {
    const closing = new AbortController()
    /** By signature, until answered: what is sent again meanwhile is on its way already. */
    const queue = new Map<string, Uint8Array>()
    let posting: Promise<void> | undefined
    let timer = setTimeout(goOnline, 0)
    let retryMs = FIRST_RETRY_MS

    function goOnline(): void {
      queue.clear()
      handlers.onOnline()
    }

    function goOffline(reason: string, waitMs: number): void {
      queue.clear()
      if (closing.signal.aborted) return
      handlers.onOffline(reason)
      // Spread, so that a fleet does not come back in one second.
      timer = setTimeout(goOnline, Math.max(waitMs, retryMs * (0.5 + Math.random() / 2)))
      retryMs = Math.min(retryMs * 2, MOST_RETRY_MS)
    }

    async function postAll(): Promise<void> {
      // What is handed over in one turn goes out together.
      await new Promise((resolve) => setImmediate(resolve))
      while (queue.size > 0 && !closing.signal.aborted) {
        const body = bodyOf(queue)
        try {
          const answer = await post(target, Buffer.concat([...body.values()]), {
            ...options,
            signal: closing.signal,
          })
          if (answer.status !== 200) return goOffline(wordsOf(answer), answer.retryAfterMs)
          retryMs = FIRST_RETRY_MS
          for (const key of body.keys()) queue.delete(key)
          tell(answer.body)
        } catch (error) {
          return goOffline(error instanceof Error ? error.message : 'no answer', 0)
        }
      }
    }

    /** Entries of what is logged are a receipt's; the others are refusals, one each. */
    function tell(body: Buffer): void {
      const { entries } = JSON.parse(body.toString()) as { entries: { logIndex?: unknown }[] }
      handlers.onMessage(topic('receipt'), body)
      for (const entry of entries) {
        if (entry.logIndex !== undefined) continue
        handlers.onMessage(topic('refused'), Buffer.from(JSON.stringify(entry)))
      }
    }

    return {
      publish(to, payload) {
        if (to !== topic('envelope') || closing.signal.aborted) return
        queue.set(Buffer.from(payload.subarray(-SIGNATURE_BYTES)).toString('base64'), payload)
        posting ??= postAll().finally(() => {
          posting = undefined
        })
      },
      async close() {
        clearTimeout(timer)
        closing.abort()
        await posting
        clearTimeout(timer)
      },
    }
  }
}

/** The first of a queue, as many as one body may hold. */
function bodyOf(queue: ReadonlyMap<string, Uint8Array>): Map<string, Uint8Array> {
  const body = new Map<string, Uint8Array>()
  let bytes = 0
  for (const [key, envelope] of queue) {
    bytes += envelope.length
    if (body.size >= BODY_ENVELOPES || bytes > BODY_BYTES) break
    body.set(key, envelope)
  }
  return body
}

function post(
  url: URL,
  body: Buffer,
  options: { password: () => string; ca?: string; signal: AbortSignal },
): Promise<Answer> {
  const { password, ca, signal } = options
  const request = url.protocol === 'https:' ? tlsRequest : plainRequest
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      {
        method: 'POST',
        signal,
        timeout: TIMEOUT_MS,
        ...(ca ? { ca } : {}),
        headers: {
          authorization: `Bearer ${password()}`,
          'content-type': 'application/cbor-seq',
          'content-length': body.length,
        },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const seconds = Number(response.headers['retry-after'] ?? 0)
          const retryAfterMs = Number.isFinite(seconds) ? seconds * 1_000 : 0
          resolve({ status: response.statusCode ?? 0, retryAfterMs, body: Buffer.concat(chunks) })
        })
      },
    )
    asked.on('timeout', () => {
      asked.destroy(new LiquefyError('TIMEOUT', `no answer in ${TIMEOUT_MS} ms`))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

function wordsOf({ status, body }: Answer): string {
  return `HTTP ${status}: ${body.toString().slice(0, 300)}`
}
