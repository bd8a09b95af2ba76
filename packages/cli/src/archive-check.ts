import { basename } from 'node:path'
import type { LedgerReader, Signed, VerifyMany } from '@liquefy/audit'
import {
  ArchiveChangedError,
  type ArchivedEnvelope,
  type ArchiveOrigin,
  archivesIn,
  checkArchived,
  hasItsSum,
  readArchive,
} from '@liquefy/node/archive'
import type { Hex } from '@liquefy/protocol'

/** What does not hold about an archive: of a whole file, or of one envelope in it. */
export interface ArchiveFault {
  file: string
  message: string
  logIndex?: string
  machineId?: string
  stream?: string
  seq?: string
}

/** What an archive was found to be. */
export interface ArchiveReport {
  files: number
  /** That hold, under a root that the ledger has. */
  envelopes: number
  /** How many do not, and the first of them. */
  faulty: number
  faults: ArchiveFault[]
  /** Whose log it is, and where its anchors were looked up. */
  restsOn: Pick<ArchiveOrigin, 'chainId' | 'registry' | 'evidenceAnchor' | 'log'>[]
}

/** What is trusted already; what is left out is taken from the files, and named in the report. */
export interface ExpectedLog {
  chainId?: number
  registry?: Hex
  evidenceAnchor?: Hex
  log?: Hex
}

/** The part of the ledger that vouches for an archive. */
type Ledger = Pick<LedgerReader, 'chainId' | 'anchors' | 'machine'>

const MAX_FAULTS = 100
/** Envelopes whose signatures are verified together. */
const BATCH = 256
const NOT_SIGNED = 'its signature does not verify under a key that the ledger names'

/** Checks each envelope of a folder's files from its signature up to a root that stands on the ledger, without a node. */
export async function checkArchives(
  folder: string,
  ledger: Ledger,
  verifyMany: VerifyMany,
  expected: ExpectedLog,
  onProgress: (envelopes: number) => void,
): Promise<ArchiveReport> {
  const paths = await archivesIn(folder)
  const report: ArchiveReport = {
    files: paths.length,
    envelopes: 0,
    faulty: 0,
    faults: [],
    restsOn: [],
  }
  for (const path of paths) {
    await checkFile(path, { ledger, verifyMany, expected, report })
    onProgress(report.envelopes)
  }
  return report
}

interface Check {
  ledger: Ledger
  verifyMany: VerifyMany
  expected: ExpectedLog
  report: ArchiveReport
}

async function checkFile(path: string, check: Check): Promise<void> {
  const { ledger, expected, report } = check
  const file = basename(path)
  const archive = await readArchive(path).catch((error: unknown) => {
    if (error instanceof ArchiveChangedError) return error
    throw error
  })
  if (archive instanceof ArchiveChangedError) {
    return addFault(report, { file, message: archive.message })
  }
  const { origin, envelopes } = archive
  const unproven = await notAnchored(origin, ledger, expected)
  if (unproven) return addFault(report, { file, message: unproven })
  rest(report, origin)
  const before = report.faulty
  for (let at = 0; at < envelopes.length; at += BATCH) {
    await checkBatch(file, origin, envelopes.slice(at, at + BATCH), check)
  }
  if (report.faulty === before && !(await hasItsSum(path))) {
    const message = 'it is not what the .sha256 beside it says, though each envelope in it holds'
    addFault(report, { file, message })
  }
}

async function checkBatch(
  file: string,
  origin: ArchiveOrigin,
  archived: readonly ArchivedEnvelope[],
  { ledger, verifyMany, report }: Check,
): Promise<void> {
  const signed: (Signed & { row: ArchivedEnvelope })[] = []
  const fault = (row: ArchivedEnvelope, message: string) =>
    addFault(report, { file, message, ...placeOf(row) })
  for (const row of archived) {
    const checked = checkArchived(row, origin)
    if (!checked.ok) {
      fault(row, checked.flaw)
      continue
    }
    const { iss, kid, signedBytes, signature } = checked.envelope
    const signer = await ledger.machine(origin.registry, iss.machineId)
    const key = signer?.keys.find(({ keyId }) => keyId === kid)?.key
    if (key) signed.push({ row, key, bytes: signedBytes, signature })
    else fault(row, NOT_SIGNED)
  }
  const verdicts = await verifyMany(signed)
  for (const [index, { row }] of signed.entries()) {
    if (verdicts[index]) report.envelopes += 1
    else fault(row, NOT_SIGNED)
  }
}

function addFault(report: ArchiveReport, fault: ArchiveFault): void {
  report.faulty += 1
  if (report.faults.length < MAX_FAULTS) report.faults.push(fault)
}

function placeOf({ logIndex, machineId, stream, seq }: ArchivedEnvelope) {
  return {
    logIndex: String(logIndex),
    machineId: String(machineId),
    // It may be the very thing that was changed, and a terminal obeys what a stranger wrote.
    stream: stream.replaceAll(/\p{Cc}/gu, '?'),
    seq: String(seq),
  }
}

function rest({ restsOn }: ArchiveReport, origin: ArchiveOrigin): void {
  const { chainId, registry, evidenceAnchor, log } = origin
  const isKnown = restsOn.some(
    (one) =>
      one.chainId === chainId &&
      same(one.registry, registry) &&
      same(one.evidenceAnchor, evidenceAnchor) &&
      same(one.log, log),
  )
  if (!isKnown) restsOn.push({ chainId, registry, evidenceAnchor, log })
}

/** Why nothing vouches for a file; undefined if its root stands on the ledger that is trusted. */
async function notAnchored(
  { chainId, registry, evidenceAnchor, log, size, root }: ArchiveOrigin,
  ledger: Ledger,
  expected: ExpectedLog,
): Promise<string | undefined> {
  const ours = await ledger.chainId(registry)
  if (chainId !== ours || (expected.chainId ?? ours) !== ours) {
    return `it is of chain ${chainId}, and the ledger is chain ${ours}`
  }
  if (!same(expected.registry ?? registry, registry)) {
    return `its machines are those of registry ${registry}, not of ${expected.registry}`
  }
  if (!same(expected.evidenceAnchor ?? evidenceAnchor, evidenceAnchor)) {
    return `it is anchored in ${evidenceAnchor}, not in ${expected.evidenceAnchor}`
  }
  if (!same(expected.log ?? log, log)) return `it is of log ${log}, not of ${expected.log}`
  const anchors = await ledger.anchors(evidenceAnchor, log)
  if (anchors.some((anchor) => anchor.size === size && same(anchor.root, root))) return undefined
  return `the ledger has no anchor of size ${size} with root ${root}`
}

function same(one: Hex, other: Hex): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
