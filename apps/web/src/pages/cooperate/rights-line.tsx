import type { MachineRights } from '@liquefy/client'
import { mondayOf } from '@liquefy/protocol'
import { Link } from '@tanstack/react-router'
import { useMachineRights } from '../../queries.ts'
import { countOf } from '../../ui/format.ts'

/** The way to a machine's calendar, and what a buyer of the machine takes over with it. */
export const RightsLine = ({ machineId }: { machineId: string }) => {
  const rights = useMachineRights(machineId).data
  return (
    <p>
      <Link to="/machines/$machineId/calendar" params={{ machineId }}>
        Calendar: who may use it when
      </Link>
      {rights ? <span className="note"> {wordsOf(rights)}</span> : null}
    </p>
  )
}

const wordsOf = ({ zone, rights }: MachineRights): string => {
  if (zone === null) return 'Nobody holds hours of it.'
  if (rights.length === 0) return 'Nobody holds hours of it at present.'
  const end = Math.max(...rights.map(({ firstWeek, weeksCount }) => firstWeek + weeksCount))
  return `${countOf(rights.length, 'right')} to use it, at most until ${mondayOf(end)}: a sale of the machine ends none of them.`
}
