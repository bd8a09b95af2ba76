import { ApiError } from '@liquefy/client'
import { useQuery } from '@tanstack/react-query'
import { node } from '../api.ts'
import { useLive } from '../live/live.tsx'
import { Ago } from '../ui/parts.tsx'

/** What a proxy answers in place of a node that is away. */
const AWAY = [0, 502, 503, 504]
const askMs = 1_000

/** Since when the node does not answer; undefined: it does. That the event stream is cut off alone says nothing: a node serves so many of them. */
export const useOutage = (): number | undefined => {
  const { connected, lostMs } = useLive()
  const asking = useQuery({
    queryKey: ['answers'],
    queryFn: () => node.deployment(),
    enabled: !connected,
    refetchInterval: askMs,
    retry: false,
    gcTime: 0,
  })
  const isAway = asking.error instanceof ApiError && AWAY.includes(asking.error.status)
  return !connected && isAway ? lostMs : undefined
}

/** Why nothing can be done now. */
export const outageWords =
  'The node does not answer: this can be done again when it is back, and the page notices by itself.'

/** Over every page while the node is away. */
export const OutageNotice = () => {
  const sinceMs = useOutage()
  if (sinceMs === undefined) return null
  return (
    <section className="card problem" role="alert">
      <h2>The node does not answer</h2>
      <p>
        All that you see stands still: it is as it was <Ago timeMs={sinceMs} />. Nothing is lost by
        it: devices keep what they measure and send it later, and money is safe on the ledger. This
        page goes on by itself when the node is back.
      </p>
      <p>
        If it is yours: start it again with <code>npx liquefy up</code> on the same data folder, or
        look at its log.
      </p>
    </section>
  )
}
