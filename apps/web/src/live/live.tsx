import type { MachineSummary, NodeEvent } from '@liquefy/client'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from 'react'
import { node } from '../api.ts'

interface Live {
  connected: boolean
  /** Since the page was opened. */
  wasConnected: boolean
  /** When it was connected last; before the first time, when the page was opened. */
  lostMs: number
  /** Newest first, bounded. */
  recent: { key: number; event: NodeEvent }[]
}

const atFirst = (): Live => ({
  connected: false,
  wasConnected: false,
  lostMs: Date.now(),
  recent: [],
})

const LiveContext = createContext<Live>(atFirst())
const keptEvents = 60
const refreshMs = 750

/** What the node last told this page. */
export const useLive = () => useContext(LiveContext)

/** Holds the one event stream of the page, and makes what it touches load again, at a pace a person can follow. */
export const LiveProvider = ({ children }: { children: ReactNode }) => {
  const queries = useQueryClient()
  const [live, setLive] = useState<Live>(atFirst)
  const pending = useRef<NodeEvent[]>([])
  const waiting = useRef(new Set<string>())
  const listsReadMs = useRef(0)
  const count = useRef(0)

  useEffect(() => {
    const stop = new AbortController()
    const timer = setInterval(() => {
      const events = pending.current
      if (events.length === 0 && waiting.current.size === 0) return
      pending.current = []
      const shown = events
        .filter(({ type }) => type === 'settled' || type === 'refused' || type === 'meter-value')
        .map((event) => ({ key: count.current++, event }))
        .reverse()
      if (shown.length > 0) {
        setLive((before) => ({
          ...before,
          recent: [...shown, ...before.recent].slice(0, keptEvents),
        }))
      }
      if (events.some(({ type }) => type === 'missed')) {
        void queries.invalidateQueries()
        return
      }
      queries.setQueryData<MachineSummary[]>(
        ['machines'],
        (list) => list && withNewest(list, events),
      )
      for (const name of events.flatMap(touchedBy)) waiting.current.add(name)
      const mayRead = performance.now() - listsReadMs.current > listMs
      if (mayRead) listsReadMs.current = performance.now()
      const due = new Set([...waiting.current].filter((name) => mayRead || !isPaced(name)))
      for (const name of due) waiting.current.delete(name)
      // One look through all queries, however many machines have sent something.
      void queries.invalidateQueries({
        predicate: ({ queryKey: [what, whose] }) =>
          due.has(String(what)) || due.has(`${what} ${whose}`),
      })
    }, refreshMs)
    void node.events({
      signal: stop.signal,
      onEvent: (event) => pending.current.push(event),
      onState: (connected) => {
        setLive((before) => withConnection(before, connected))
        // What could not be loaded while the node was away.
        if (connected)
          void queries.refetchQueries({ predicate: ({ state }) => state.error !== null })
      },
    })
    return () => {
      stop.abort()
      clearInterval(timer)
    }
  }, [queries])

  return <LiveContext value={live}>{children}</LiveContext>
}

const withConnection = (live: Live, connected: boolean): Live =>
  live.connected === connected
    ? live
    : {
        ...live,
        connected,
        wasConnected: live.wasConnected || connected,
        lostMs: connected ? live.lostMs : Date.now(),
      }

/** What is long, or dear to read, and changes all the time is read anew this seldom. Rows of machines are kept true one by one meanwhile. */
const listMs = 5_000
const paced = ['machines', 'agreements', 'sparkline', 'unpriced', 'timeline']
const isPaced = (name: string): boolean => paced.includes(name.split(' ', 1)[0] ?? '')

const ofMachine = ['sparkline', 'readings', 'machine', 'unpriced', 'timeline']

/** Names of queries that are read anew, the first parts of their keys: of a machine and an agreement only what is about this one. */
const touchedBy = (event: NodeEvent): string[] => {
  switch (event.type) {
    case 'logged':
      return ['machines', ...ofMachine.map((what) => `${what} ${event.machineId}`)]
    case 'refused': {
      const { machineId } = event
      return [
        'machines',
        `machine ${machineId}`,
        `refusals ${machineId}`,
        `timeline ${machineId}`,
        'status',
      ]
    }
    case 'owed':
    case 'settled':
      return ['agreements', `agreement ${event.agreementId}`, 'machines', 'status']
    case 'meter-value':
      return [`agreement ${event.agreementId}`]
    case 'notice':
      return ['notices', `agreement ${event.agreementId}`]
    case 'status':
      return ['status']
    case 'missed':
      return []
  }
}

/** The newest reading of each machine, written into the list; rows of machines that were silent stay the same object. */
const withNewest = (list: MachineSummary[], events: NodeEvent[]): MachineSummary[] => {
  const newest = new Map<string, { atMs: number; envelopes: number }>()
  for (const event of events) {
    if (event.type !== 'logged') continue
    const envelopes = (newest.get(event.machineId)?.envelopes ?? 0) + 1
    newest.set(event.machineId, { atMs: event.atMs, envelopes })
  }
  if (newest.size === 0) return list
  return list.map((machine) => {
    const seen = newest.get(machine.machineId)
    if (!seen) return machine
    const lastReadingMs = Math.max(machine.lastReadingMs ?? 0, seen.atMs)
    return { ...machine, lastReadingMs, envelopes: machine.envelopes + seen.envelopes }
  })
}
