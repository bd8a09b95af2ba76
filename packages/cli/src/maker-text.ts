import type { MachineCredential } from '@liquefy/client'

/** Who made a machine, by whose word, and whether that is good at present. */
export const makerText = ({
  issuer,
  issuerName,
  manufacturer,
  model,
  serial,
  state,
}: MachineCredential) =>
  `${manufacturer} ${model}, serial number ${serial}, says ${issuerName ?? issuer} (${state})`
