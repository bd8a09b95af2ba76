/** JSON Schemas of what the API takes and answers: the source of its validation and of its OpenAPI document. */

import { STREAM_NAME } from '@liquefy/protocol'

interface Schema {
  [keyword: string]: unknown
}

export const text = { type: 'string' } as const
export const integer = { type: 'integer' } as const
const number = { type: 'number' } as const
export const boolean = { type: 'boolean' } as const
export const digits = { type: 'string', pattern: '^(0|[1-9][0-9]{0,77})$' } as const
export const hex = { type: 'string', pattern: '^0x([0-9a-fA-F]{2})*$' } as const
const counts = { type: 'object', additionalProperties: integer } as const
const anything = {} as const

export const object = (properties: Record<string, Schema>, optional: string[] = []): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
})
export const list = (items: Schema): Schema => ({ type: 'array', items })
export const orNull = (schema: Schema & { type: string }): Schema => ({
  ...schema,
  type: [schema.type, 'null'],
})
export const objectOrNull = (properties: Record<string, Schema>): Schema => ({
  anyOf: [object(properties), { type: 'null' }],
})

export const problem = object({ code: text, message: text })

export const deployment = object({
  chainId: integer,
  rpcUrl: text,
  embedded: boolean,
  registry: hex,
  p256Sha256Verifier: hex,
  p256RawVerifier: hex,
  clearingHouse: hex,
  evidenceAnchor: hex,
  linearTariff: hex,
  tieredTariff: hex,
  planTariff: hex,
  accounts: objectOrNull({ erc6551Registry: hex, machineAccount: hex, didRegistry: hex }),
  cooperation: objectOrNull({
    vaultFactory: hex,
    machineVault: hex,
    machineGovernor: hex,
    vaultTimelock: hex,
    allowLists: hex,
    usageRights: hex,
    conduitController: hex,
    market: hex,
  }),
  log: hex,
  asset: object({ address: hex, symbol: text, decimals: integer }),
  mqttUrl: text,
  people: list(object({ name: text, address: hex })),
  actAsPeople: boolean,
})

export const status = object({
  machines: integer,
  envelopes: object({
    logged: integer,
    duplicate: integer,
    refused: counts,
    priced: integer,
    unpriced: counts,
    waiting: integer,
  }),
  owedMinor: digits,
  settledMinor: digits,
  chain: object({
    chainId: integer,
    embedded: boolean,
    block: integer,
    finalBlock: integer,
    logSize: digits,
    anchoredSize: digits,
    outbox: counts,
  }),
})

const placeFields = {
  latitudeE7: { type: 'integer', minimum: -900_000_000, maximum: 900_000_000 },
  longitudeE7: { type: 'integer', minimum: -1_800_000_000, maximum: 1_800_000_000 },
} as const
export const place = object(placeFields)
export const placeForgotten = object({ machineId: digits })

const machineSummaryFields = {
  machineId: digits,
  name: text,
  owner: hex,
  state: { type: 'string', enum: ['registered', 'active', 'suspended', 'decommissioned'] },
  controller: orNull(text),
  lastReadingMs: orNull(integer),
  mainStream: orNull(text),
  mainRule: orNull(text),
  envelopes: integer,
  refused: integer,
  owedMinor: digits,
  settledMinor: digits,
  settledSinceMinor: digits,
  lastRefusalMs: orNull(integer),
  silentAfterMs: integer,
  place: objectOrNull({ ...placeFields, from: { type: 'string', enum: ['owner', 'readings'] } }),
}
export const machineSummaries = list(object(machineSummaryFields))

const credentialFields = {
  id: text,
  issuer: text,
  issuerName: orNull(text),
  manufacturer: text,
  model: text,
  serial: text,
  keyId: hex,
  validFromMs: integer,
  validUntilMs: integer,
  acceptedMs: integer,
  state: {
    type: 'string',
    enum: [
      'valid',
      'expired',
      'not-yet-valid',
      'revoked',
      'status-unknown',
      'issuer-untrusted',
      'key-replaced',
    ],
  },
  words: text,
}
export const credential = object(credentialFields)
export const checkable = object({
  ...credentialFields,
  credential: text,
  statusList: orNull(text),
  earlier: list(object({ ...credentialFields, credential: text })),
})
export const statusList = object({
  id: text,
  issuer: text,
  validFromMs: integer,
  validUntilMs: integer,
})
export const issuers = list(object({ did: text, name: text }))

export const machine = object({
  ...machineSummaryFields,
  account: orNull(hex),
  did: orNull(text),
  key: objectOrNull({
    keyId: hex,
    curve: { type: 'string', enum: ['P-256', 'secp256k1'] },
    epoch: digits,
    x: hex,
    y: hex,
  }),
  streams: list(
    object({
      stream: text,
      envelopes: integer,
      lastSeq: digits,
      firstMs: integer,
      lastMs: integer,
      unit: orNull(text),
      ucum: orNull(text),
      metered: boolean,
      calibration: objectOrNull({
        digest: hex,
        calibrationLaboratory: text,
        laboratory: hex,
        unit: text,
        validFromMs: integer,
        validUntilMs: integer,
        expandedUncertaintyPpm: integer,
        uniqueIdentifier: text,
        item: text,
        documentDigest: orNull(hex),
      }),
    }),
  ),
  agreements: list(hex),
  suspension: objectOrNull({ atMs: integer, by: hex, reason: orNull(text) }),
  credential: objectOrNull(credentialFields),
})

export const machineAccount = object({
  machineId: digits,
  account: hex,
  did: text,
  created: boolean,
  balanceMinor: digits,
  policy: objectOrNull({
    perPaymentMinor: digits,
    perDayMinor: digits,
    expiryMs: integer,
    counterparties: list(hex),
  }),
  spentTodayMinor: digits,
  paused: boolean,
  sellsUntilMs: orNull(integer),
  atHouseMinor: digits,
})

export const readingSeries = list(
  object({
    stream: text,
    name: text,
    unit: orNull(text),
    bucketMs: integer,
    buckets: list(
      object({
        timeMs: integer,
        count: integer,
        min: number,
        max: number,
        mean: number,
        last: number,
      }),
    ),
  }),
)

export const timeline = list(
  object({ atMs: integer, kind: text, code: text, words: text, agreementId: hex, txHash: hex }, [
    'agreementId',
    'txHash',
  ]),
)

export const partReplacements = list(
  object({
    stream: text,
    atMs: integer,
    oldPart: orNull(text),
    newPart: orNull(text),
    last: orNull(text),
    first: orNull(text),
    seq: digits,
    logIndex: digits,
  }),
)

const envelopeFields = {
  logIndex: digits,
  digest: hex,
  stream: text,
  seq: digits,
  loggedAtMs: integer,
  firstMs: integer,
  lastMs: integer,
  readings: integer,
  code: text,
}
export const envelopeSummaries = list(object(envelopeFields))

/** Of an envelope that is logged: all but `message`. Of one that is not: `code`, `message`, and `digest` if it has one. */
export const envelopesTaken = object({
  entries: list(
    object(
      {
        machineId: digits,
        stream: text,
        seq: digits,
        digest: hex,
        loggedAt: integer,
        logIndex: digits,
        code: text,
        message: text,
        reason: text,
      },
      ['machineId', 'stream', 'seq', 'digest', 'loggedAt', 'logIndex', 'message', 'reason'],
    ),
  ),
})

export const refusals = list(object({ code: text, message: text, atMs: integer }))

const checkpoint = { size: digits, root: hex, timestamp: integer, signature: hex }

export const envelopeProof = object({
  ...envelopeFields,
  machineId: digits,
  admission: text,
  raw: text,
  proof: list(hex),
  checkpoint: object(checkpoint),
})

export const keptLeaf = object({
  logIndex: digits,
  machineId: digits,
  stream: text,
  seq: digits,
  digest: hex,
  prev: hex,
  loggedAtMs: integer,
  admission: text,
  bytes: { type: 'string', enum: ['here', 'archived', 'erased'] },
  proof: list(hex),
  checkpoint: object(checkpoint),
})

export const machineRecord = object({
  recordId: hex,
  kind: { type: 'string', enum: ['design', 'build'] },
  issuer: text,
  subject: text,
  addedBy: hex,
  addedMs: integer,
})
export const machineRecords = list(machineRecord)
export const recordBody = object({
  record: { type: 'string', description: 'COSE_Sign1, base64', pattern: '^[A-Za-z0-9+/]+={0,2}$' },
})

export const erasure = object({
  chainId: integer,
  evidenceAnchor: hex,
  log: hex,
  machineId: digits,
  owner: hex,
  erasedAtMs: integer,
  streams: list(
    object({ stream: text, firstSeq: digits, lastSeq: digits, envelopes: digits, bytes: digits }),
  ),
  keptRoot: hex,
  logSize: digits,
  logRoot: hex,
  signature: hex,
})
export const erasures = list(erasure)

export const machineLife = object({
  machineId: digits,
  state: machineSummaryFields.state,
  controller: orNull(text),
  did: orNull(text),
  credential: objectOrNull(credentialFields),
  owners: list(object({ owner: hex, sinceMs: integer })),
  keys: list(
    object({
      keyId: hex,
      curve: text,
      epoch: digits,
      sinceMs: integer,
      until: objectOrNull({ atMs: integer, why: { type: 'string', enum: ['rotated', 'revoked'] } }),
    }),
  ),
  keyIsOlderThanOwner: boolean,
  suspensions: list(
    object({ fromMs: integer, untilMs: orNull(integer), by: hex, reason: orNull(text) }),
  ),
  agreements: list(
    object({
      agreementId: hex,
      payer: hex,
      payee: hex,
      openedMs: integer,
      closedMs: orNull(integer),
      streams: list(text),
      shared: boolean,
    }),
  ),
  streams: list(
    object({
      stream: text,
      envelopes: integer,
      lastSeq: digits,
      missing: digits,
      equivocations: integer,
      brokenChains: integer,
      archived: integer,
      erased: integer,
      takenBy: orNull(text),
    }),
  ),
  evidenceComplete: boolean,
  replacements: partReplacements,
  records: machineRecords,
  erasures,
})

export const logHead = object({
  ...checkpoint,
  anchored: objectOrNull({ size: digits, root: hex, txHash: hex }),
})

export const consistency = object({ proof: list(hex) })

export const logKey = object({ address: hex, x: hex, y: hex, kid: hex })

const splitView = object({
  kind: { type: 'string', enum: ['two-roots', 'ahead'] },
  size: digits,
  root: hex,
  statement: {
    anyOf: [
      object({
        form: { type: 'string', enum: ['checkpoint'] },
        size: digits,
        root: hex,
        timestamp: integer,
        signature: hex,
      }),
      object({ form: { type: 'string', enum: ['cose'] }, signed: text }),
    ],
  },
  own: object({ size: digits, root: hex, signed: orNull(text) }),
  atMs: integer,
})
export const splitViews = object({ splitViews: list(splitView) })
export const statementJudged = {
  anyOf: [
    object({ verdict: { type: 'string', enum: ['CONSISTENT'] }, size: digits, root: hex }),
    object({ verdict: { type: 'string', enum: ['SPLIT_VIEW'] }, splitView }),
  ],
}

const partyMachine = objectOrNull({ machineId: digits, owner: hex })
const agreementSummaryFields = {
  agreementId: hex,
  machineId: digits,
  machineName: text,
  payer: hex,
  payee: hex,
  payerMachine: partyMachine,
  payeeMachine: partyMachine,
  open: boolean,
  owedMinor: digits,
  includedMinor: digits,
  finalMinor: digits,
  escrowMinor: digits,
  position: object({ owner: hex, accruedMinor: digits }),
}
export const agreementSummaries = list(object(agreementSummaryFields))

const period = object({
  period: integer,
  startMs: integer,
  endMs: integer,
  asOf: digits,
  registers: list(digits),
  owedMinor: digits,
  costMinor: digits,
  signedMinor: digits,
  sentMinor: digits,
  includedMinor: digits,
  finalMinor: digits,
  arrearsMinor: digits,
  adjustedMinor: digits,
  refundedMinor: digits,
  heads: list(object({ stream: text, seq: digits })),
  band: objectOrNull({ lowerMinor: digits, upperMinor: digits, uncertaintyPpm: integer }),
})
export const periods = list(period)

const settlementFields = {
  place: text,
  kind: { type: 'string', enum: ['settled', 'collected', 'adjusted', 'refunded'] },
  period: integer,
  asOf: digits,
  registers: list(digits),
  paidMinor: digits,
  txHash: hex,
  block: integer,
  final: boolean,
  atMs: integer,
}
export const settlements = list(object(settlementFields))

export const settlementEvidence = object({
  ...settlementFields,
  agreementId: hex,
  periodStartMs: integer,
  periodEndMs: integer,
  blockHash: hex,
  value: objectOrNull({
    registersBefore: list(digits),
    owedMinor: digits,
    owedBeforeMinor: digits,
    amountInWords: orNull(text),
    signedBy: text,
    key: objectOrNull({ machineId: digits, epoch: digits, keyId: hex }),
    evidenceHead: hex,
  }),
  covers: {
    anyOf: [
      list(
        object({
          stream: text,
          seq: digits,
          firstSeq: orNull(text),
          envelopes: integer,
          readings: integer,
          first: orNull(text),
          last: orNull(text),
        }),
      ),
      { type: 'null' },
    ],
  },
  anchor: objectOrNull({
    size: digits,
    txHash: hex,
    block: integer,
    atMs: integer,
    final: boolean,
  }),
})

export const envelopePayments = list(
  object({
    agreementId: hex,
    machineName: text,
    period: integer,
    settlement: objectOrNull(settlementFields),
  }),
)

const moneyLine = list(object({ timeMs: integer, minor: digits }))
export const moneyHistory = object({
  fromMs: integer,
  toMs: integer,
  owed: moneyLine,
  included: moneyLine,
  final: moneyLine,
})

export const escrowOutlook = object({
  escrowMinor: digits,
  unpaidMinor: digits,
  paceMinor: digits,
  paceSeconds: integer,
  kind: { type: 'string', enum: ['ended', 'spent', 'covered', 'idle', 'to-end', 'lasts'] },
  lastsSeconds: orNull(text),
  inWords: text,
})

export const agreement = object({
  ...agreementSummaryFields,
  problem: orNull(text),
  terms: anything,
  rules: list(anything),
  tariffInWords: text,
  rulesInWords: list(text),
  registerUnits: list(text),
  metersSignedBy: text,
  costMinor: digits,
  adjustedMinor: digits,
  refundedMinor: digits,
  arrearsMinor: digits,
  periodCount: integer,
  periods,
  linkedTo: orNull(hex),
  linkedFrom: list(hex),
  settlements,
})

export const notices = list(
  object(
    {
      agreementId: hex,
      party: hex,
      role: { type: 'string', enum: ['payer', 'payee'] },
      kind: {
        type: 'string',
        enum: ['escrow-low', 'escrow-short', 'calibration-ends', 'uncalibrated'],
      },
      escrowMinor: digits,
      unpaidMinor: digits,
      fundedMinor: digits,
      stream: text,
      untilMs: orNull(integer),
    },
    ['escrowMinor', 'unpaidMinor', 'fundedMinor', 'stream', 'untilMs'],
  ),
)

export const valueTaken = object({
  agreementId: hex,
  period: integer,
  asOf: integer,
  code: text,
})

export const attestationTaken = object({
  attestationId: hex,
  items: list(
    object({ agreementId: hex, period: integer, code: text, message: text }, ['message']),
  ),
})

export const rulesTaken = object({ ruleHashes: list(hex) })

export const signInNonce = object({ nonce: text, expiresMs: integer })
export const sessionOwner = object({ address: hex, expiresMs: integer })
export const session = object({ token: text, address: hex, expiresMs: integer })
export const walletAnswer = object({ result: hex })

/** One line of a form: not empty, without control characters. */
const line = {
  type: 'string',
  minLength: 1,
  maxLength: 120,
  pattern: '^[^\\u0000-\\u001f\\u007f]+$',
}
export const party = {
  ...object({
    name: line,
    street: line,
    postcode: line,
    city: line,
    country: { type: 'string', pattern: '^[A-Z]{2}$' },
    vatId: orNull(line),
    taxNumber: orNull(line),
    registration: orNull(line),
    vat: object({
      category: { type: 'string', enum: ['S', 'AE', 'E', 'O'] },
      ratePercent: orNull(line),
      reason: orNull(line),
    }),
  }),
  additionalProperties: false,
}
const proposalSummaryFields = {
  proposalId: hex,
  proposer: hex,
  counterparty: hex,
  payer: hex,
  payee: hex,
  machineId: digits,
  machineName: text,
  state: {
    type: 'string',
    enum: ['waiting', 'accepted', 'declined', 'withdrawn', 'replaced', 'expired'],
  },
  tariffInWords: text,
  createdMs: integer,
  openByMs: integer,
  replaces: orNull(hex),
  answeredMs: orNull(integer),
}
export const proposalSummaries = list(object(proposalSummaryFields))
export const proposal = object({
  ...proposalSummaryFields,
  terms: anything,
  rules: list(anything),
  signature: orNull(hex),
  fundMinor: digits,
  message: text,
  answerWords: orNull(text),
})
export const dialogue = object({ offers: list(proposal) })

export const health = object({
  ok: boolean,
  log: text,
  money: object({
    ok: boolean,
    block: integer,
    differences: list(object({ what: text, database: text, ledger: text })),
  }),
})

const lag = objectOrNull({ p50Ms: integer, p99Ms: integer })
const waitingTransaction = object({
  kind: text,
  status: text,
  sinceMs: integer,
  problem: orNull(text),
})

export const operation = object({
  atMs: integer,
  process: object({
    role: { type: 'string', enum: ['all', 'api'] },
    version: text,
    nodeVersion: text,
    startedMs: integer,
    memoryBytes: integer,
    loopLagMs: orNull(integer),
    connectedMachines: orNull(integer),
    workers: orNull(counts),
  }),
  throughput: object({ stepMs: integer, endMs: integer, logged: list(orNull(integer)) }),
  readingsPerEnvelope: orNull(number),
  frames: objectOrNull({
    received: integer,
    logged: integer,
    duplicate: integer,
    refused: integer,
    held: integer,
    heldBytes: integer,
  }),
  lag: object({ committed: lag, owed: lag, paid: lag }),
  log: objectOrNull({
    runs: orNull(boolean),
    halted: orNull(text),
    size: digits,
    anchored: objectOrNull({ size: digits, txHash: hex, block: integer, atMs: integer }),
    checkpointMs: orNull(integer),
    foldLag: integer,
    splitViews: integer,
  }),
  settlement: objectOrNull({
    waiting: integer,
    waitingSinceMs: orNull(integer),
    givenUp: integer,
    transactions: counts,
    oldest: list(waitingTransaction),
  }),
  gas: object({
    balanceWei: orNull(digits),
    spent: {
      anyOf: [
        list(object({ kind: text, transactions: integer, gas: digits, feeWei: digits })),
        { type: 'null' },
      ],
    },
    settling: list(
      object({ txHash: hex, atMs: integer, bills: integer, gas: digits, feeWei: digits }),
    ),
  }),
  ledger: object({
    chainId: integer,
    embedded: boolean,
    applied: integer,
    final: integer,
    behindBlocks: integer,
    behindMs: integer,
    newestBlockMs: orNull(integer),
  }),
  refusals: objectOrNull({
    sinceMs: integer,
    codes: list(object({ code: text, count: integer, lastMs: orNull(integer) })),
  }),
  database: object({
    up: boolean,
    bytes: orNull(integer),
    connections: integer,
    busy: integer,
    waiting: integer,
  }),
  disk: objectOrNull({ freeBytes: integer, sizeBytes: integer }),
  moneyOk: orNull(boolean),
  certificateExpiresMs: orNull(integer),
  alerts: list(
    object({
      name: text,
      severity: { type: 'string', enum: ['critical', 'warning', 'info'] },
      sinceMs: integer,
      words: text,
      toDo: text,
      condition: text,
    }),
  ),
  notWatched: list(text),
})

const open = (required: readonly string[]): Schema => ({
  type: 'object',
  required,
  additionalProperties: true,
})
/** Their own standards say what is in these: W3C WoT Thing Description 1.1, metamodel 3.0 of the Asset Administration Shell. */
export const thingDescription = open(['@context', 'id', 'title', 'security', 'securityDefinitions'])
export const thingDescriptions = list(thingDescription)
export const shellEnvironment = open(['assetAdministrationShells', 'submodels'])
/** A number, a text, true or false; an object of these where a stream measures several things. */
export const propertyValue = { type: ['number', 'string', 'boolean', 'object'] } as const

// ── what the API takes ──────────────────────────────────────────────────────────────────────────────────────────

const logIndex = { type: 'string', pattern: '^(0|[1-9][0-9]{0,17})$' } as const
const stream = { type: 'string', pattern: STREAM_NAME.source } as const
const timeMs = { type: 'integer', minimum: 0, maximum: 8_640_000_000_000_000 } as const
const agreementId = { type: 'string', pattern: '^0x[0-9a-fA-F]{64}$' } as const
const ledgerPlace = {
  type: 'string',
  pattern: '^(0|[1-9][0-9]{0,14})-(0|[1-9][0-9]{0,8})$',
} as const
const periodNumber = { type: 'integer', minimum: 0, maximum: 4_294_967_295 } as const
const rows = { type: 'integer', minimum: 1, maximum: 100, default: 15 } as const

const machineId = { type: 'string', pattern: '^[1-9][0-9]{0,76}$' } as const
export const machineParams = object({ id: machineId })
export const recordParams = object({
  id: machineId,
  recordId: { type: 'string', pattern: '^0x[0-9a-fA-F]{64}$' },
})
export const propertyParams = object({ ...(machineParams.properties as object), stream })
export const thingsQuery = object(
  {
    offset: { type: 'integer', minimum: 0, maximum: 1_000_000_000, default: 0 },
    limit: { type: 'integer', minimum: 1, maximum: 50, default: 20 },
  },
  ['offset', 'limit'],
)
export const sinceQuery = object({ sinceMs: timeMs }, ['sinceMs'])
/** Seen by people, in one line. */
export const machineName = object({
  name: {
    type: 'string',
    minLength: 1,
    maxLength: 60,
    pattern: '^[^\\p{C}]*[^\\p{C}\\s][^\\p{C}]*$',
  },
})
/** Their own limits answer with a code of theirs. */
export const credentialBody = object({ credential: text })
export const statusListBody = object({ statusList: text })
export const refusalParams = object({
  id: { type: 'string', pattern: '^(0|[1-9][0-9]{0,76})$' },
})
export const statementQuery = object({ period: periodNumber }, ['period'])
export const statementPdfQuery = object(
  { period: periodNumber, timeZone: { type: 'string', maxLength: 64 } },
  ['period', 'timeZone'],
)
export const invoiceQuery = object({ period: periodNumber })
export const agreementParams = object({ id: agreementId })
export const settlementParams = object({ id: agreementId, place: ledgerPlace })
export const settlementsQuery = object({ before: ledgerPlace, limit: rows }, ['before', 'limit'])
export const periodsQuery = object({ before: periodNumber, limit: rows }, ['before', 'limit'])
export const moneyQuery = object(
  { fromMs: timeMs, points: { type: 'integer', minimum: 2, maximum: 1_000, default: 200 } },
  ['fromMs', 'points'],
)
export const signIn = object({
  message: { type: 'string', maxLength: 4_096 },
  signature: { type: 'string', pattern: '^0x([0-9a-fA-F]{2})+$', maxLength: 8_194 },
})
export const personParams = object({ address: { type: 'string', pattern: '^0x[0-9a-fA-F]{40}$' } })
export const walletRequest = object({
  method: text,
  params: { type: 'array', items: {}, maxItems: 4 },
})
export const noticesQuery = object({ party: { type: 'string', pattern: '^0x[0-9a-fA-F]{40}$' } }, [
  'party',
])
/** What people say to each other: lines of text. */
const words = { type: 'string', maxLength: 500, pattern: '^[^\\p{Cc}]*(\\n[^\\p{Cc}]*)*$' } as const
const proposalId = { type: 'string', pattern: '^0x[0-9a-fA-F]{64}$' } as const
export const proposalParams = object({ id: proposalId })
export const proposalBody = object(
  {
    terms: { type: 'object' },
    rules: { type: 'array', items: { type: 'object' }, maxItems: 32 },
    signature: { type: 'string', pattern: '^0x([0-9a-fA-F]{2})+$', maxLength: 8_194 },
    fundMinor: digits,
    message: words,
    replaces: proposalId,
  },
  ['replaces'],
)
export const answerBody = object({ message: words })
export const envelopeParams = object({ logIndex })
export const readingsQuery = object(
  {
    stream,
    fromMs: timeMs,
    toMs: timeMs,
    points: { type: 'integer', minimum: 1, maximum: 1_500, default: 300 },
  },
  ['points'],
)
export const envelopesQuery = object(
  {
    stream,
    limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
    beforeIndex: logIndex,
  },
  ['stream', 'limit', 'beforeIndex'],
)
export const partsQuery = object(
  {
    limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
    beforeIndex: logIndex,
  },
  ['limit', 'beforeIndex'],
)
export const consistencyQuery = object({ from: logIndex, to: logIndex })
const seq = { type: 'string', pattern: '^[1-9][0-9]{0,17}$' } as const
export const statementsQuery = object({ from: seq, to: seq })
export const streamParams = object({ id: machineId, stream })
export const rootParams = object({ size: seq })
export const kidParams = object({ kid: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' } })
/** Read strictly, field by field, by the parser of the protocol: it answers with the code of docs/protocol. */
export const anyObject = { type: 'object' } as const
export const rulesBody = { type: 'array', items: { type: 'object' }, maxItems: 100 } as const

const goodKind = { type: 'string', enum: ['machine', 'receivable', 'right', 'share'] } as const
const orderSide = { type: 'string', enum: ['sale', 'offer'] } as const
const address = { type: 'string', pattern: '^0x[0-9a-fA-F]{40}$' } as const
const placeOrNull = objectOrNull({
  ...placeFields,
  from: { type: 'string', enum: ['owner', 'readings'] },
})

export const marketOrder = object({
  orderId: hex,
  side: orderSide,
  kind: goodKind,
  maker: hex,
  token: hex,
  tokenId: orNull(text),
  title: text,
  decimals: integer,
  amount: digits,
  remaining: digits,
  partSize: digits,
  priceMinor: digits,
  remainingMinor: digits,
  startMs: integer,
  endMs: integer,
  postedMs: integer,
  state: {
    type: 'string',
    enum: ['open', 'not-begun', 'unfunded', 'filled', 'cancelled', 'expired'],
  },
  problem: orNull(text),
  figures: object({
    machines: list(
      object({
        machineId: digits,
        name: text,
        state: machineSummaryFields.state,
        registeredMs: integer,
        place: placeOrNull,
        uptimePpm: integer,
      }),
    ),
    income: list(object({ month: text, minor: text })),
    yearMinor: text,
    lookBackDays: integer,
    payers: integer,
    yieldPpm: orNull(number),
    reserveMinor: orNull(text),
    account: objectOrNull({ address: hex, balanceMinor: digits }),
    hours: objectOrNull({
      rightsIssued: digits,
      heldHours: integer,
      ofHours: integer,
      words: list(text),
    }),
    rightInWords: orNull(text),
    receivable: objectOrNull({
      agreementId: hex,
      payer: hex,
      open: boolean,
      escrowMinor: digits,
      unpaidMinor: digits,
      accruedMinor: digits,
      capMinor: orNull(text),
      endsMs: orNull(number),
      tariffInWords: text,
    }),
  }),
  order: { type: 'object', additionalProperties: true },
  signature: hex,
})
export const marketPage = object({ orders: list(marketOrder), nextOffset: orNull(integer) })
export const marketOrderBody = object({ order: anyObject, signature: hex })
export const marketOrderParams = object({
  id: { type: 'string', pattern: '^0x[0-9a-fA-F]{64}$' },
})
export const marketQuery = object(
  {
    side: orderSide,
    kind: goodKind,
    machineId: digits,
    maker: address,
    token: address,
    all: boolean,
    text: { type: 'string', maxLength: 100 },
    minPriceMinor: digits,
    maxPriceMinor: digits,
    minYieldPpm: { type: 'integer', minimum: 0 },
    ...placeFields,
    withinKm: { type: 'integer', minimum: 1, maximum: 20_000 },
    sort: { type: 'string', enum: ['newest', 'price', 'yield'] },
    offset: { type: 'integer', minimum: 0, maximum: 5_000 },
    limit: { type: 'integer', minimum: 1, maximum: 50 },
  },
  [
    'side',
    'kind',
    'machineId',
    'maker',
    'token',
    'all',
    'text',
    'minPriceMinor',
    'maxPriceMinor',
    'minYieldPpm',
    'latitudeE7',
    'longitudeE7',
    'withinKm',
    'sort',
    'offset',
    'limit',
  ],
)
export const marketTrades = list(
  object({
    orderId: hex,
    maker: hex,
    taker: hex,
    kind: goodKind,
    token: hex,
    tokenId: orNull(text),
    amount: digits,
    priceMinor: digits,
    atMs: integer,
    txHash: hex,
  }),
)
export const marketTradesQuery = object({ token: address, tokenId: digits }, ['token', 'tokenId'])
const hourBits = { type: 'string', pattern: '^0x[0-9a-f]{42}$' } as const
const usageRightFields = {
  rightId: digits,
  machineId: digits,
  firstWeek: integer,
  weeksCount: integer,
  bits: hourBits,
  hoursPerWeek: integer,
  changes: list(object({ week: integer, bits: hourBits })),
  owner: hex,
  user: orNull(hex),
  userUntilMs: orNull(integer),
  words: text,
  issuedMs: integer,
  txHash: hex,
  sale: objectOrNull({ asset: hex, amountMinor: digits }),
}
export const usageRight = object(usageRightFields)
export const usageRights = list(usageRight)
export const machineRights = object({
  machineId: digits,
  zone: orNull(text),
  state: machineSummaryFields.state,
  rights: usageRights,
})
export const machineCalendar = object({
  machineId: digits,
  zone: orNull(text),
  owner: hex,
  offer: objectOrNull({
    asset: hex,
    pricePerHourMinor: digits,
    openBits: hourBits,
    untilWeek: integer,
  }),
  thisWeek: orNull(integer),
  weeks: list(
    object({
      week: integer,
      monday: text,
      startsMs: integer,
      endsMs: integer,
      seconds: integer,
      occupied: hourBits,
      promisedHours: integer,
      oddHours: list(object({ hour: integer, seconds: integer })),
      holders: list(
        object({
          rightId: digits,
          holder: hex,
          bits: hourBits,
          spans: list(object({ fromMs: integer, toMs: integer })),
        }),
      ),
    }),
  ),
})
export const calendarQuery = object(
  {
    fromWeek: { type: 'integer', minimum: 0, maximum: 100_000 },
    weeks: { type: 'integer', minimum: 1, maximum: 8, default: 1 },
  },
  ['fromWeek', 'weeks'],
)
export const rightsQuery = object({
  owner: { type: 'string', pattern: '^0x[0-9a-fA-F]{40}$' },
})
export const rightParams = object({ rightId: machineId })
