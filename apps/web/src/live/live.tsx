import type { NodeEvent } from '@liquefy/client'
import { useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useRef, useState } from 'react'
import { node } from '../api.ts'

interface Live {
  connected: boolean
  /** Newest first, bounded. */
  recent: { key: number; event: NodeEvent }[]
}

const LiveContext = createContext<Live>({ connected: false, recent: [] })
const keptEvents = 60
const refreshMs = 750

/** What the node last told this page. */
export const useLive = () => useContext(LiveContext)

/** Holds the one event stream of the page, and makes what it touches load again, at a pace a person can follow. */
export const LiveProvider = ({ children }: { children: ReactNode }) => {
  const queries = useQueryClient()
  const [live, setLive] = useState<Live>({ connected: false, recent: [] })
  const pending = useRef<NodeEvent[]>([])
  const count = useRef(0)

  useEffect(() => {
    const stop = new AbortController()
    const timer = setInterval(() => {
      const events = pending.current
      if (events.length === 0) return
      pending.current = []
      const shown = events
        .filter(({ type }) => type === 'settled' || type === 'refused' || type === 'meter-value')
        .map((event) => ({ key: count.current++, event }))
        .reverse()
      setLive((before) => ({
        ...before,
        recent: [...shown, ...before.recent].slice(0, keptEvents),
      }))
      const touched = new Set(events.flatMap(touchedBy))
      for (const what of touched) void queries.invalidateQueries({ queryKey: [what] })
    }, refreshMs)
    void node.events({
      signal: stop.signal,
      onEvent: (event) => pending.current.push(event),
      onState: (connected) => setLive((before) => ({ ...before, connected })),
    })
    return () => {
      stop.abort()
      clearInterval(timer)
    }
  }, [queries])

  return <LiveContext value={live}>{children}</LiveContext>
}

const touchedBy = (event: NodeEvent): string[] => {
  switch (event.type) {
    case 'logged':
      return ['machines', 'readings', 'machine']
    case 'refused':
      return ['machines', 'machine', 'status']
    case 'owed':
    case 'settled':
      return ['agreements', 'agreement', 'machines', 'status']
    case 'meter-value':
      return ['agreement']
    case 'notice':
      return ['notices', 'agreement']
    case 'status':
      return ['status']
  }
}
