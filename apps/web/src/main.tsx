import { ApiError } from '@liquefy/client'
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Guard } from './failures/guard.tsx'
import { watchUnexpected } from './failures/unexpected.ts'
import { LiveProvider } from './live/live.tsx'
import { router } from './router.tsx'
import { dropIfEnded } from './session/kept-session.ts'
import './styles.css'
import './failures/failures.css'

const queries = new QueryClient({
  queryCache: new QueryCache({ onError: dropIfEnded }),
  mutationCache: new MutationCache({ onError: dropIfEnded }),
  defaultOptions: {
    // A browser that believes itself offline may well reach a node on its own computer or network.
    queries: {
      networkMode: 'always',
      retry: mayHelp,
      staleTime: 1_000,
      refetchOnWindowFocus: false,
    },
    mutations: { networkMode: 'always' },
  },
})

/** What the node refused it will refuse again; what did not reach it is tried once more. */
function mayHelp(failures: number, error: Error): boolean {
  const refused = error instanceof ApiError && error.status >= 400 && error.status < 500
  return !refused && failures < 1
}

watchUnexpected()
const container = document.getElementById('app')
if (container) {
  createRoot(container).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <Guard what="Liquefy">
          <LiveProvider>
            <RouterProvider router={router} />
          </LiveProvider>
        </Guard>
      </QueryClientProvider>
    </StrictMode>,
  )
}
