/** What the address of the form of a vault says: which machine is to be shared. */
export interface VaultSearch {
  machine?: string
}

export const vaultSearchOf = ({ machine }: Record<string, unknown>): VaultSearch =>
  /^\d{1,20}$/.test(String(machine)) ? { machine: String(machine) } : {}
