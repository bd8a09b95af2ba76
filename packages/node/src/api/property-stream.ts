import type { ServerResponse } from 'node:http'
import type { NodeEvents } from '../events.ts'

/** A value as it stands now: JSON, and what changes with it. */
interface Standing {
  id: string
  json: string
}

/** Tells clients by server-sent events whenever a stream has a newer value. */
export interface PropertyStream {
  /** Whether there is room for one more. */
  hasRoom(): boolean
  /** Serves one client until it leaves: what stands unless `lastEventId` says that he has seen it, then what changes. */
  serve(
    response: ServerResponse,
    observed: {
      machineId: string
      stream: string
      lastEventId: string | undefined
      read: () => Promise<Standing | undefined>
    },
  ): void
  close(): void
}

const HEARTBEAT_MS = 15_000
/** Between two values; of those in between only the newest is told. */
const PAUSE_MS = 250
const MAX_CLIENTS = 100
/** A client that reads slower than this much is cut off. */
const MAX_UNSENT_BYTES = 262_144

/** @param events what is logged; a value is looked up only for those who listen. */
export function createPropertyStream(events: NodeEvents): PropertyStream {
  const clients = new Set<ServerResponse>()
  return {
    hasRoom: () => clients.size < MAX_CLIENTS,
    serve(response, { machineId, stream, lastEventId, read }) {
      let seen = lastEventId
      let isReading = false
      let isStale = false
      const tell = async () => {
        isStale = true
        if (isReading) return
        isReading = true
        while (isStale && clients.has(response)) {
          isStale = false
          // The database may be away; the next value tells.
          const standing = await read().catch(() => undefined)
          if (standing && standing.id !== seen && clients.has(response)) {
            seen = standing.id
            if (response.writableLength > MAX_UNSENT_BYTES) response.destroy()
            else response.write(`id: ${standing.id}\ndata: ${standing.json}\n\n`)
          }
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref())
        }
        isReading = false
      }
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      })
      response.write('retry: 1000\n\n')
      clients.add(response)
      const stopListening = events.on((event) => {
        const isOurs =
          event.type === 'missed' ||
          (event.type === 'logged' && event.machineId === machineId && event.stream === stream)
        if (isOurs) void tell()
      })
      const heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS).unref()
      response.on('close', () => {
        clients.delete(response)
        stopListening()
        clearInterval(heartbeat)
      })
      void tell()
    },
    close() {
      for (const client of clients) client.end()
    },
  }
}
