import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { outageWords, useOutage } from '../failures/outage.tsx'
import { useErrorWords } from '../session/use-error-words.ts'
import { useWallets } from './use-wallets.ts'
import type { Wallets } from './wallets.ts'

type Work<T> = (wallets: Wallets, say: (step: string) => void) => Promise<T>

/** Something done with the wallet. */
export interface Step<T> {
  start: () => void
  /** It is under way, or cannot be done now. */
  isBlocked: boolean
  outcome: T | undefined
  /** Which step is under way, what came of it, or why nothing did. */
  words: ReactNode
}

/** The node sees a block a moment after the wallet does: what it says is read again. */
const seenMs = [0, 1_500, 5_000]

/** Does something with the wallet in one or more steps that it tells of; `wordsOf` says what came of it. */
export const useStep = <T,>(work: Work<T>, wordsOf: (outcome: T) => string): Step<T> => {
  const wallets = useWallets()
  const queries = useQueryClient()
  const isAway = useOutage() !== undefined
  const [steps, setSteps] = useState<string[]>([])
  const say = (step: string) => setSteps((before) => [...before, step])
  const doing = useMutation({
    mutationFn: async () => {
      setSteps([])
      if (wallets.error) throw wallets.error
      if (!wallets.data) throw new Error('The wallets are still loading: try again.')
      return work(wallets.data, say)
    },
    onSettled: () => {
      for (const pauseMs of seenMs) setTimeout(() => void queries.invalidateQueries(), pauseMs)
    },
  })
  const problem = useErrorWords(doing.error)
  const done = steps.slice(0, -1)
  const words = (
    <div role="status">
      {doing.isPending ? <p className="note">{steps.at(-1) ?? 'Asking the wallet…'}</p> : null}
      {doing.data === undefined ? null : <p className="good-words">{wordsOf(doing.data)}</p>}
      {problem ? (
        <p className="problem-words">
          {problem}
          {done.length > 0 ? ` What was done before stands: ${done.join('; ')}.` : null}
        </p>
      ) : null}
      {isAway ? <p className="note">{outageWords}</p> : null}
    </div>
  )
  const isBlocked = doing.isPending || isAway
  return { start: () => doing.mutate(), isBlocked, outcome: doing.data, words }
}
