import { type AuditReport, auditBundle, viemLedgerReader } from '@liquefy/audit'
import { createClient, type Deployment, type Hex } from '@liquefy/client'

export interface AuditRequest {
  agreementId: Hex
  nodeUrl: string
  deployment: Deployment
}

export type AuditMessage =
  | { type: 'progress'; envelopes: number }
  | {
      type: 'report'
      report: AuditReport
    }
  | { type: 'failed'; message: string }

const post = (message: AuditMessage) => self.postMessage(message)

self.onmessage = async ({ data }: MessageEvent<AuditRequest>) => {
  try {
    const { rpcUrl } = data.deployment
    const node = createClient({ url: data.nodeUrl })
    const report = await auditBundle({
      lines: node.bundle(data.agreementId),
      ledger: viemLedgerReader({
        rpcUrl: rpcUrl,
        tariffs: data.deployment,
      }),
      expected: { agreementId: data.agreementId },
      onProgress: ({ envelopes }) => post({ type: 'progress', envelopes }),
    })
    post({ type: 'report', report })
  } catch (error) {
    post({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
}
