import { useEffect, useState } from 'react'
import { failureWords } from '../failures/failure-words.ts'

/** Words for an error; they come with the wallets, which only few load. */
export const useErrorWords = (error: unknown): string | undefined => {
  const [words, setWords] = useState<string>()
  useEffect(() => {
    setWords(undefined)
    if (!error) return
    let wanted = true
    import('../wallet/wallet-words.ts').then(
      ({ walletWords }) => wanted && setWords(walletWords(error)),
      () => wanted && setWords(failureWords(error)),
    )
    return () => {
      wanted = false
    }
  }, [error])
  return words
}
