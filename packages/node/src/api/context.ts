import type { Deployment, Hex, Notice } from '@liquefy/client'
import type { BaseLogger } from 'pino'
import type { AccountOnLedger } from '../chain/account-reader.ts'
import type { PeopleWallets } from '../chain/people-wallets.ts'
import type { VaultOnLedger } from '../chain/vault-reader.ts'
import type { Clock } from '../clock.ts'
import type { HttpIngest } from '../connect/http-ingest.ts'
import type { NodeEvents } from '../events.ts'
import type { Measures } from '../measures.ts'
import type { Database } from '../store/database.ts'
import type { Agreements } from '../transact/agreements.ts'
import type { AttestationAnswer } from '../transact/attestation.ts'
import type { MeterAnswer } from '../transact/meter-value.ts'
import type { MoneyCheck } from '../transact/money-check.ts'
import type { Proposals } from '../transact/proposals.ts'
import type { Credentials } from '../trust/credentials.ts'
import type { Evidence } from '../trust/evidence.ts'
import type { Sessions } from '../trust/sessions.ts'

/** What the API reads. It takes in envelopes, rules, what the signers of agreements signed, and what people say who are signed in. */
export interface ApiContext {
  /** `api`: one of several processes, which sends nothing itself and takes in little. */
  role: 'all' | 'api'
  deployment: Deployment
  database: Database
  agreements: Agreements
  evidence: Evidence
  clock: Clock
  events: NodeEvents
  /** Blocks that the node's tables hold, and those of them that stay. */
  block(): { included: number; final: number }
  /** How far these are behind the ledger: blocks, and seconds since they were last level with it. */
  ledgerLag(): { blocks: number; seconds: number }
  /** What the operator has left for gas, in smallest units of the ledger's coin. */
  operatorBalance(): Promise<bigint>
  /** What a transaction used, and what that cost in smallest units of the coin. */
  costOf(txHash: Hex): Promise<{ gas: bigint; feeWei: bigint }>
  /** Reads a machine's account from the ledger. */
  readAccount(account: Hex): Promise<AccountOnLedger>
  /** Reads of a vault what no event tells. */
  readVault(vault: Hex, asset: Hex): Promise<VaultOnLedger>
  /** Frames since the start, and what is held now. */
  frames(): Record<'received' | 'logged' | 'duplicate' | 'refused' | 'held' | 'heldBytes', number>
  measures: Measures
  /** Its file system is what fills up. */
  dataDir: string
  /** When the certificate of the outside listeners ends; undefined without TLS. */
  certificateExpiresMs(): number | undefined
  connectedMachines(): number
  /** Warnings that stand now. */
  notices(): Notice[]
  /** Compares the database's view of money with the ledger (INV-5); an answer may be a minute old. */
  checkMoney(): Promise<MoneyCheck>
  ingest: HttpIngest
  /** Called after rules became known. */
  onRules(): Promise<void>
  /** Judges a signed meter value from anybody. */
  submitMeterValue(json: unknown): Promise<MeterAnswer>
  /** Judges one signature over many meter values. */
  submitAttestation(json: unknown): Promise<AttestationAnswer>
  sessions: Sessions
  proposals: Proposals
  credentials: Credentials
  /** Of the embedded chain's people, if whoever asks may act as them: the node is reached on loopback only. */
  peopleWallets: PeopleWallets | undefined
  logger: BaseLogger
}
