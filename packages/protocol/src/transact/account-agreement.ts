import type { Hex } from 'viem'
import { concatHex, encodeAbiParameters, hashTypedData } from 'viem/utils'
import { type AccountContext, accountDomain } from '../trust/machine-account.ts'
import { TERMS_TYPES, type Terms } from './terms.ts'

/** What a machine's key signs to open an agreement in which its account pays. Amount in smallest units, deadline in seconds. */
export type AccountOpening = { agreementId: Hex; amount: bigint; deadline: bigint }

/** What a machine's key signs to put more into the escrow of such an agreement; `salt` tells apart two that are alike. */
export type AccountTopUp = AccountOpening & { salt: Hex }

const PARTY_TYPES = {
  Opening: [
    { name: 'agreementId', type: 'bytes32' },
    { name: 'amount', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
    { name: 'tenure', type: 'bytes32' },
  ],
  TopUp: [
    { name: 'agreementId', type: 'bytes32' },
    { name: 'amount', type: 'uint256' },
    { name: 'salt', type: 'bytes32' },
    { name: 'deadline', type: 'uint256' },
    { name: 'tenure', type: 'bytes32' },
  ],
  Acceptance: [
    { name: 'agreementId', type: 'bytes32' },
    { name: 'tenure', type: 'bytes32' },
  ],
} as const

const tuples: Record<string, readonly { name: string; type: string }[]> = {
  'Meter[]': TERMS_TYPES.Meter,
  'Limit[]': TERMS_TYPES.Limit,
}
const ACCEPTED_TERMS = [
  {
    type: 'tuple',
    components: TERMS_TYPES.Terms.map(({ name, type }) => {
      const components = tuples[type]
      return components ? { name, type: 'tuple[]', components } : { name, type }
    }),
  },
  { type: 'bytes' },
]

/** The digest that a machine's key signs to open an agreement that its account pays, with `amount` in its escrow. */
export function openingDigest(context: AccountContext, opening: AccountOpening): Hex {
  return hashTypedData({
    domain: accountDomain(context),
    types: PARTY_TYPES,
    primaryType: 'Opening',
    message: { ...opening, tenure: context.tenure },
  })
}

/** The digest that a machine's key signs to put `amount` more into the escrow of an agreement that its account pays. */
export function topUpDigest(context: AccountContext, topUp: AccountTopUp): Hex {
  return hashTypedData({
    domain: accountDomain(context),
    types: PARTY_TYPES,
    primaryType: 'TopUp',
    message: { ...topUp, tenure: context.tenure },
  })
}

/** The digest that a machine's key signs to accept an agreement that pays its account. */
export function acceptanceDigest(context: AccountContext, agreementId: Hex): Hex {
  return hashTypedData({
    domain: accountDomain(context),
    types: PARTY_TYPES,
    primaryType: 'Acceptance',
    message: { agreementId, tenure: context.tenure },
  })
}

/** What the clearing house is given as the account's signature of terms that pay it; `signature` is the machine's over `acceptanceDigest`. */
export function payeeSignature(terms: Terms, signature: Hex): Hex {
  return concatHex(['0x02', encodeAbiParameters(ACCEPTED_TERMS, [terms, signature])])
}
