import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { NodeEvent, Status } from '@liquefy/client'
import type { NodeEvents } from '../events.ts'

/**
 * Server-sent events with ids; a client that comes back names the last one it saw and gets what it missed. What is no longer kept, or was told by another process, is told as
 * one event `missed`: the client then reads anew what it shows.
 */
export interface EventStream {
  /** Serves one client until it leaves. `lastEventId` as its header has it. */
  serve(response: ServerResponse, lastEventId: string | undefined): void
  clients(): number
  close(): void
}

/** A client that was cut off for less than this misses nothing. */
const KEPT_MS = 60_000
const KEPT_BYTES = 8 * 1_048_576
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
  const run = randomUUID()
  const kept = createKept()
  const clients = new Set<ServerResponse>()
  let statusTimer: NodeJS.Timeout | undefined
  let lastStatus = ''

  const send = (client: ServerResponse, text: string) => {
    if (client.writableLength > MAX_UNSENT_BYTES) client.destroy()
    else client.write(text)
  }
  const publish = (event: NodeEvent) => {
    const text = `id: ${run}.${kept.next()}\ndata: ${JSON.stringify(event)}\n\n`
    kept.push(text, nowMs())
    for (const client of clients) send(client, text)
  }
  /** What a client has not seen yet that saw `lastEventId` last. */
  const sinceThen = (lastEventId: string): readonly string[] => {
    const [seenRun, number] = lastEventId.split('.')
    const missed = seenRun === run ? kept.after(Number(number)) : undefined
    if (missed) return missed
    const event: NodeEvent = { type: 'missed', atMs: nowMs() }
    return [`id: ${run}.${kept.next() - 1}\ndata: ${JSON.stringify(event)}\n\n`]
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
      if (lastEventId !== undefined) {
        for (const text of sinceThen(lastEventId)) response.write(text)
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

/** The newest events, bounded in age and size, numbered from 1. */
function createKept() {
  const texts: { text: string; atMs: number }[] = []
  let first = 1
  let bytes = 0
  /** Of those at the front that are dropped already: the array is cut seldom, since that moves all of it. */
  let gone = 0

  const drop = (nowMs: number) => {
    for (;;) {
      const oldest = texts[gone]
      if (!oldest || (bytes <= KEPT_BYTES && oldest.atMs > nowMs - KEPT_MS)) break
      bytes -= oldest.text.length
      gone += 1
      first += 1
    }
    if (gone < 1_000) return
    texts.splice(0, gone)
    gone = 0
  }

  const next = () => first + texts.length - gone
  return {
    next,
    push(text: string, nowMs: number) {
      texts.push({ text, atMs: nowMs })
      bytes += text.length
      drop(nowMs)
    },
    /** Undefined: not all of them are kept. */
    after(seen: number): string[] | undefined {
      if (!Number.isSafeInteger(seen) || seen < first - 1 || seen >= next()) return undefined
      return texts.slice(gone + seen + 1 - first).map(({ text }) => text)
    },
  }
}
