import type { ServerResponse } from 'node:http'
import type { NodeEvent, Status } from '@liquefy/client'
import type { NodeEvents } from '../events.ts'

/** Server-sent events with ids; a client that comes back names the last one it saw and gets what it missed. */
export interface EventStream {
  /** Serves one client until it leaves. `lastEventId` as its header has it. */
  serve(response: ServerResponse, lastEventId: string | undefined): void
  clients(): number
  close(): void
}

const KEPT = 2_000
const HEARTBEAT_MS = 15_000
const STATUS_MS = 1_000
/** Between two looks at the status lies so many times what one takes. */
const STATUS_PAUSE = 40
/** A client that reads slower than this much is cut off; it resumes. */
const MAX_UNSENT_BYTES = 1_048_576
const MAX_CLIENTS = 200

/** Starts keeping events. `status` is asked for at most once a second, and only while somebody listens. */
export function createEventStream(options: {
  events: NodeEvents
  nowMs: () => number
  status: () => Promise<Status>
}): EventStream {
  const { events, nowMs, status } = options
  const kept: { id: number; text: string }[] = []
  const clients = new Set<ServerResponse>()
  // Starts at a time, so that ids rise across restarts too.
  let nextId = Date.now() * 1_000
  let statusTimer: NodeJS.Timeout | undefined
  let lastStatus = ''

  const send = (client: ServerResponse, text: string) => {
    if (client.writableLength > MAX_UNSENT_BYTES) client.destroy()
    else client.write(text)
  }
  const publish = (event: NodeEvent) => {
    const id = nextId
    nextId += 1
    const text = `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`
    kept.push({ id, text })
    if (kept.length > KEPT) kept.shift()
    for (const client of clients) send(client, text)
  }
  const publishStatus = async () => {
    const began = performance.now()
    try {
      const now = await status()
      const text = JSON.stringify(now)
      if (text !== lastStatus) publish({ type: 'status', status: now, atMs: nowMs() })
      lastStatus = text
    } catch {
      // The database is away or the node stops: the next turn tells.
    }
    // On a large database the figures take time; they must not become its only work.
    const waitMs = Math.max(STATUS_MS, (performance.now() - began) * STATUS_PAUSE)
    statusTimer =
      clients.size > 0 ? setTimeout(() => void publishStatus(), waitMs).unref() : undefined
  }
  const stopListening = events.on(publish)
  const heartbeat = setInterval(() => {
    for (const client of clients) send(client, ': still here\n\n')
  }, HEARTBEAT_MS)
  heartbeat.unref()

  return {
    serve(response, lastEventId) {
      if (clients.size >= MAX_CLIENTS) {
        response.writeHead(503, { 'retry-after': '5' }).end()
        return
      }
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      response.write('retry: 1000\n\n')
      const seen = Number(lastEventId)
      if (lastEventId !== undefined && Number.isSafeInteger(seen)) {
        for (const { id, text } of kept) if (id > seen) response.write(text)
      }
      clients.add(response)
      response.on('close', () => clients.delete(response))
      if (!statusTimer) void publishStatus()
    },
    clients: () => clients.size,
    close() {
      stopListening()
      clearInterval(heartbeat)
      clearTimeout(statusTimer)
      for (const client of clients) client.end()
      clients.clear()
    },
  }
}
