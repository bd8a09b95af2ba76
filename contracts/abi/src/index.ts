/** Typed ABIs and creation bytecode of Liquefy's contracts. `src/generated` is written by `contracts/generate.ts`. */
export { allowListsAbi, allowListsBytecode } from './generated/allow-lists.ts'
export { clearingHouseAbi, clearingHouseBytecode } from './generated/clearing-house.ts'
export { DEPLOYED_CODE } from './generated/deployed-code.ts'
export { didRegistryAbi, didRegistryBytecode } from './generated/did-registry.ts'
export { MACHINE_STATES, SKIP_REASONS, VAULT_PHASES } from './generated/enums.ts'
export { erc7913P256VerifierBytecode } from './generated/erc7913-p256-verifier.ts'
export { evidenceAnchorAbi, evidenceAnchorBytecode } from './generated/evidence-anchor.ts'
export {
  identityComplianceAbi,
  identityComplianceBytecode,
} from './generated/identity-compliance.ts'
export { linearTariffAbi, linearTariffBytecode } from './generated/linear-tariff.ts'
export { machineAccountAbi, machineAccountBytecode } from './generated/machine-account.ts'
export { machineGovernorAbi, machineGovernorBytecode } from './generated/machine-governor.ts'
export { machineRegistryAbi, machineRegistryBytecode } from './generated/machine-registry.ts'
export { machineVaultAbi, machineVaultBytecode } from './generated/machine-vault.ts'
export { p256Sha256VerifierBytecode } from './generated/p256-sha256-verifier.ts'
export { planTariffAbi, planTariffBytecode } from './generated/plan-tariff.ts'
export { STORAGE_LAYOUT } from './generated/storage-layout.ts'
export { testEuroAbi, testEuroBytecode } from './generated/test-euro.ts'
export { tieredTariffAbi, tieredTariffBytecode } from './generated/tiered-tariff.ts'
export { vaultFactoryAbi, vaultFactoryBytecode } from './generated/vault-factory.ts'
export { vaultTimelockAbi, vaultTimelockBytecode } from './generated/vault-timelock.ts'
