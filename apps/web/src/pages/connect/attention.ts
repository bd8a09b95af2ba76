import type { MachineSummary } from '@liquefy/client'
import { todayMs } from '../../ui/today.ts'

/** Why somebody should look at a machine. */
export type Attention = 'suspended' | 'silent' | 'refused'

export const attentionWords: Record<Attention, string> = {
  suspended: 'suspended',
  silent: 'silent for long',
  refused: 'refused today',
}

/** All reasons, gravest first; how long a silence may last the node says. */
export const attentionOf = (machine: MachineSummary, nowMs: number): Attention[] => {
  const { state, lastReadingMs, lastRefusalMs, silentAfterMs } = machine
  const reasons: Attention[] = []
  if (state === 'suspended') reasons.push('suspended')
  if (state === 'active' && nowMs - (lastReadingMs ?? 0) > silentAfterMs) reasons.push('silent')
  if (lastRefusalMs !== null && lastRefusalMs >= todayMs()) reasons.push('refused')
  return reasons
}
