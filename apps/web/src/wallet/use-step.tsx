import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { useErrorWords } from '../session/use-error-words.ts'
import { useWallets } from './use-wallets.ts'
import type { Wallets } from './wallets.ts'

type Work<T> = (wallets: Wallets, say: (step: string) => void) => Promise<T>

/** Something done with the wallet: says which step is under way, what came of it (`wordsOf`), or why nothing did. */
export const useStep = <T,>(
  work: Work<T>,
  wordsOf: (outcome: T) => string,
): { start: () => void; isPending: boolean; outcome: T | undefined; words: ReactNode } => {
  const wallets = useWallets({ wanted: true }).data
  const queries = useQueryClient()
  const [step, say] = useState('')
  const doing = useMutation({
    mutationFn: async () => {
      if (!wallets) throw new Error('The wallets are still loading: try again.')
      return work(wallets, say)
    },
    onSettled: () => {
      say('')
      void queries.invalidateQueries()
    },
  })
  const problem = useErrorWords(doing.error)
  const words = (
    <div role="status">
      {doing.isPending ? <p className="note">{step || 'Asking the wallet…'}</p> : null}
      {doing.data === undefined ? null : <p className="good-words">{wordsOf(doing.data)}</p>}
      {problem ? <p className="problem-words">{problem}</p> : null}
    </div>
  )
  return { start: () => doing.mutate(), isPending: doing.isPending, outcome: doing.data, words }
}
