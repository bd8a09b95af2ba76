import { useQuery } from '@tanstack/react-query'
import { useDeployment } from '../queries.ts'

/** The wallets, in a part of the page that only those load who use them. */
export const useWallets = () => {
  const deployment = useDeployment().data
  return useQuery({
    queryKey: ['wallets', deployment?.chainId],
    enabled: deployment !== undefined,
    // Opened once: not even what reads everything anew connects them again.
    staleTime: 'static',
    gcTime: Infinity,
    // It holds functions, which cannot be compared with another one's.
    structuralSharing: false,
    queryFn: async () => {
      if (!deployment) throw new Error('The node has not answered yet.')
      const { openWallets } = await import('./wallets.ts')
      return openWallets(deployment)
    },
  })
}
