import { type AuditReport, auditBundle, viemLedgerReader } from '@liquefy/audit'
import { createClient, type Deployment, type Hex } from '@liquefy/client'

export interface AuditRequest {
  /** From the node, or as somebody exported it (`liquefy evidence export`). */
  source: { kind: 'node'; agreementId: Hex } | { kind: 'file'; file: Blob }
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
    const { source, nodeUrl, deployment } = data
    const { rpcUrl, chainId, registry, clearingHouse, evidenceAnchor, log } = deployment
    const contracts = { chainId, registry, clearingHouse, evidenceAnchor, log }
    const report = await auditBundle({
      lines:
        source.kind === 'node'
          ? createClient({ url: nodeUrl }).bundle(source.agreementId)
          : linesIn(source.file),
      ledger: viemLedgerReader({ rpcUrl, tariffs: deployment }),
      expected: {
        ...contracts,
        ...(source.kind === 'node' ? { agreementId: source.agreementId } : {}),
      },
      onProgress: ({ envelopes }) => post({ type: 'progress', envelopes }),
    })
    post({ type: 'report', report })
  } catch (error) {
    post({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
}

async function* linesIn(file: Blob): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of file.stream().pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split(/\r?\n/)
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
