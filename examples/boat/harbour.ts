import type { Client, Deployment, Sender } from '@liquefy/client'
import type { Hex } from '@liquefy/protocol'
import type { PartyLedger } from '@liquefy/simulator'
import type { StoryClock } from './story-clock.ts'

/** Where the story plays: a node, its ledger, and everybody's wallet. */
export interface Harbour {
  client: Client
  deployment: Deployment
  /** Of the node's API. */
  url: string
  mqttUrl: string
  clock: StoryClock
  ledger: PartyLedger
  /** A wallet of one of the people, with the ledger to send to. */
  senderOf(person: string): Sender
  addressOf(person: string): Hex
  /** Resolves when all that has arrived is logged and metered, and the ledger followed. */
  idle(): Promise<void>
  /** Relays all accepted meter values; resolves when the ledger has judged them and the node has followed. */
  settleNow(): Promise<void>
  /** Anchors the evidence log. */
  anchorNow(): Promise<void>
}
