import { useSyncExternalStore } from 'react'
import { currentSession, onSession } from './kept-session.ts'

/** Who is signed in; undefined: nobody. */
export const useSession = () => useSyncExternalStore(onSession, currentSession)
