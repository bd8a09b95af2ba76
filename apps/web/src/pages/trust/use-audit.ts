import type { AuditReport } from '@liquefy/audit'
import { useEffect, useRef, useState } from 'react'
import { useDeployment } from '../../queries.ts'
import type { AuditMessage, AuditRequest } from './audit.worker.ts'

export type AuditState =
  | { step: 'idle' }
  | { step: 'running'; envelopes: number }
  | { step: 'done'; report: AuditReport }
  | { step: 'failed'; message: string }

/** Runs one audit at a time in a worker of its own, which ends with the part of the page that asked. */
export const useAudit = () => {
  const deployment = useDeployment().data
  const [state, setState] = useState<AuditState>({ step: 'idle' })
  const worker = useRef<Worker>(undefined)
  useEffect(() => () => worker.current?.terminate(), [])

  const start = (source: AuditRequest['source']) => {
    if (!deployment) return
    worker.current?.terminate()
    const next = new Worker(new URL('./audit.worker.ts', import.meta.url), { type: 'module' })
    worker.current = next
    setState({ step: 'running', envelopes: 0 })
    next.onmessage = ({ data }: MessageEvent<AuditMessage>) => {
      if (data.type === 'progress') setState({ step: 'running', envelopes: data.envelopes })
      else if (data.type === 'report') setState({ step: 'done', report: data.report })
      else setState({ step: 'failed', message: data.message })
    }
    next.onerror = ({ message }) => setState({ step: 'failed', message })
    next.postMessage({
      source,
      nodeUrl: window.location.origin,
      deployment,
    } satisfies AuditRequest)
  }

  return { start, state, isReady: deployment !== undefined && state.step !== 'running' }
}
