import type { MachineState } from '@liquefy/client'
import { type ReactNode, useEffect, useState } from 'react'
import { useDeployment } from '../queries.ts'
import { formatAge, formatTime, formatTimeWithZone, nameOf } from './format.ts'

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
    {children}
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

export const At = ({ timeMs }: { timeMs: number }) => (
  <time dateTime={new Date(timeMs).toISOString()} title={formatTimeWithZone(timeMs)}>
    {formatTime(timeMs)}
  </time>
)

const useNow = (): number => {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  return now
}
