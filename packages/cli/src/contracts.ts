import type { Hex } from '@liquefy/protocol'
import type { Context } from './context.ts'
import { type KnownContracts, knownContracts, readRunning } from './data-folder.ts'
import { type Ledger, openLedger } from './transactions.ts'

/** The ledger that serves this data folder, and the contracts on it. */
export async function ledgerOf(
  context: Context,
): Promise<{ ledger: Ledger; contracts: KnownContracts; mqttUrl: string | undefined }> {
  const running = readRunning(context.folder)
  const known = knownContracts(context.folder)
  if (running && known) {
    return { ledger: await openLedger(running.rpcUrl), contracts: known, mqttUrl: running.mqttUrl }
  }
  const deployment = await context.node().deployment()
  return {
    ledger: await openLedger(deployment.rpcUrl),
    contracts: deployment,
    mqttUrl: deployment.mqttUrl,
  }
}

/** Addresses as people read them. */
export function shortHex(hex: Hex): string {
  return `${hex.slice(0, 10)}…${hex.slice(-4)}`
}
