export { termsOf } from '@liquefy/client'
export { createVirtualClock, type VirtualClock } from './clock.ts'
export { type GuardedEngine, openGuardedEngine } from './guarded-engine.ts'
export type { PartyLedger } from './party-ledger.ts'
export type { Observation, Process, ProcessSource } from './process.ts'
export {
  type AgreementDefinition,
  defineProduct,
  type MachineDefinition,
  type MeterDefinition,
  type Product,
  type StreamDefinition,
} from './product.ts'
export { createRandom, type Random } from './random.ts'
export {
  type RunningMachine,
  type RunningProduct,
  type RunOptions,
  runProduct,
  tell,
} from './run-product.ts'
export { gramsPerMm, type SiloDefinition, siloProcess, withdrawnKg } from './silo.ts'
export { walletLedger } from './wallet-ledger.ts'
