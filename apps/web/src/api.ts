import { createClient } from '@liquefy/client'
import { currentSession } from './session/kept-session.ts'

/** The node that served this page. */
export const node = createClient({
  url: window.location.origin,
  token: () => currentSession()?.token,
})
