/**
 * Archives in a process of its own, to be killed: `node archive-process.ts <database URL> <folder> <before, ms> <final block>`.
 */
import { archiveEnvelopes } from '../src/archive.ts'
import { ANCHOR, CHAIN_ID, LOG_ACCOUNT, REGISTRY } from './ingest-fixture.ts'

const [databaseUrl = '', folder = '', before = '', final = ''] = process.argv.slice(2)
await archiveEnvelopes({
  dataDir: '',
  databaseUrl,
  folder,
  beforeMs: Number(before),
  finalBlock: Number(final),
  origin: {
    chainId: CHAIN_ID,
    registry: REGISTRY,
    evidenceAnchor: ANCHOR,
    log: LOG_ACCOUNT.address,
  },
  onProgress: () => undefined,
})
