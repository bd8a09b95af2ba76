import type { MachineState } from '@liquefy/client'
import { type ReactNode, useSyncExternalStore } from 'react'
import { Guard } from '../failures/guard.tsx'
import { useDeployment } from '../queries.ts'
import { formatAge, formatTime, formatTimeWithZone, nameOf, shorten } from './format.ts'

export const Card = ({
  title,
  aside,
  children,
  className = '',
}: {
  title?: string
  aside?: ReactNode
  children: ReactNode
  className?: string
}) => (
  <section className={`card ${className}`}>
    {title ? (
      <div className="card-head">
        <h2>{title}</h2>
        {aside}
      </div>
    ) : null}
    <Guard what={title ?? 'This part'}>{children}</Guard>
  </section>
)

/** One figure with its name. */
export const Figure = ({
  name,
  children,
  note,
}: {
  name: string
  children: ReactNode
  note?: ReactNode
}) => (
  <div className="figure">
    <dt>{name}</dt>
    <dd>{children}</dd>
    {note ? <dd className="note">{note}</dd> : null}
  </div>
)

export const Party = ({ address }: { address: string }) => {
  const deployment = useDeployment().data
  return (
    <span className="party" title={address}>
      {nameOf(deployment, address)}
    </span>
  )
}

/** A hash as far as people compare it; its title holds all of it. */
export const Hash = ({ hex }: { hex: string }) => <code title={hex}>{shorten(hex)}</code>

const stateWords: Record<MachineState, string> = {
  registered: 'registered, not yet active',
  active: 'active',
  suspended: 'suspended',
  decommissioned: 'decommissioned',
}

export const StateBadge = ({ state }: { state: MachineState }) => (
  <span className={`badge badge-${state}`}>{stateWords[state]}</span>
)

/** "12 s ago", kept true. */
export const Ago = ({ timeMs }: { timeMs: number }) => {
  const now = useNow()
  return (
    <time dateTime={new Date(timeMs).toISOString()} title={formatTimeWithZone(timeMs)}>
      {formatAge(now - timeMs)} ago
    </time>
  )
}

/** "in 12 min", kept true; once it is over, `over`. */
export const Until = ({ timeMs, over }: { timeMs: number; over: string }) => {
  const now = useNow()
  return (
    <time dateTime={new Date(timeMs).toISOString()} title={formatTimeWithZone(timeMs)}>
      {timeMs > now ? `in ${formatAge(timeMs - now)}` : over}
    </time>
  )
}

export const At = ({ timeMs }: { timeMs: number }) => (
  <time dateTime={new Date(timeMs).toISOString()} title={formatTimeWithZone(timeMs)}>
    {formatTime(timeMs)}
  </time>
)

// One clock for all: hundreds of ages on a page would be as many timers.
let now = Date.now()
let timer: ReturnType<typeof setInterval> | undefined
const watchers = new Set<() => void>()

const watchNow = (watcher: () => void): (() => void) => {
  watchers.add(watcher)
  timer ??= setInterval(() => {
    now = Date.now()
    for (const each of watchers) each()
  }, 1_000)
  return () => {
    watchers.delete(watcher)
    if (watchers.size > 0) return
    clearInterval(timer)
    timer = undefined
  }
}

const useNow = (): number => useSyncExternalStore(watchNow, () => now)
