/** Why a contract refuses a call, and what to do, in words; its own error and arguments where there are no better ones. */
export function refusalText(
  functionName: string,
  error: { errorName: string; args?: readonly unknown[] | undefined },
): string {
  const args = error.args ?? []
  const words = WORDS[error.errorName]?.(args)
  return (
    words ?? `${functionName} is refused by the contract: ${error.errorName}(${args.join(', ')}).`
  )
}

const MACHINE_SIGNER = 1

const WORDS: Record<string, (args: readonly unknown[]) => string | undefined> = {
  SignerRefused: ([kind, signer]) =>
    Number(kind) === MACHINE_SIGNER
      ? `Machine ${BigInt(String(signer))} is not registered and active on this ledger. See \`liquefy machine list\`, or register it: \`liquefy machine register\`.`
      : undefined,
  StreamTaken: ([machineId, stream, agreementId]) =>
    `The stream ${stream} of machine ${machineId} is billed already, by agreement ${agreementId}. See it: liquefy agreement show ${agreementId}`,
  AgreementExists: ([agreementId]) =>
    `This agreement is open already. See it: liquefy agreement show ${agreementId}`,
  MachineOwnerNotParty: ([machineId, owner]) =>
    `Machine ${machineId} belongs to ${owner}, who must be payer or payee.`,
  NotMachineOwner: ([machineId, caller, owner]) =>
    `Machine ${machineId} belongs to ${owner}, not to ${caller}: only the owner may do this.`,
}
