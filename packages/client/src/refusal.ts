import { MACHINE_STATES, VAULT_PHASES } from '@liquefy/abi'
import { hoursText, mondayOf, SIGNER_KIND } from '@liquefy/protocol'

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

const timeText = (seconds: unknown) => {
  const date = new Date(Number(seconds) * 1000)
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString()
}

const dayText = (day: unknown) => timeText(Number(day) * 86_400).slice(0, 10)

const stateText = (state: unknown) => MACHINE_STATES[Number(state)]?.toLowerCase() ?? String(state)

const phaseText = (phase: unknown) => {
  const name = VAULT_PHASES[Number(phase)]
  return name === 'BoughtOut' ? 'bought out' : (name?.toLowerCase() ?? String(phase))
}

const WORDS: Record<string, (args: readonly unknown[]) => string | undefined> = {
  SignerRefused: ([kind, signer]) =>
    Number(kind) === SIGNER_KIND.machine
      ? `Machine ${BigInt(String(signer))} is not registered and active on this ledger. See \`liquefy machine list\`, or register it: \`liquefy machine register\`.`
      : undefined,
  StreamTaken: ([machineId, stream, agreementId]) =>
    `The stream ${stream} of machine ${machineId} is billed already, by agreement ${agreementId}. See it: liquefy agreement show ${agreementId}`,
  AgreementExists: ([agreementId]) =>
    `This agreement is open already. See it: liquefy agreement show ${agreementId}`,
  AgreementNotOpen: ([agreementId, status]) =>
    Number(status) === 0
      ? `No agreement ${agreementId} is known to this ledger.`
      : `Agreement ${agreementId} is closed.`,
  OpenByPassed: ([, openBy]) =>
    `These terms could be opened until ${timeText(openBy)}. Agree on them anew.`,
  PartyNotAuthorized: ([agreementId, party]) =>
    `${party} has not signed agreement ${agreementId}: the signature is missing, of other terms, or of somebody else.`,
  MachineOwnerNotParty: ([machineId, owner]) =>
    `Machine ${machineId} belongs to ${owner}, who must be payer or payee, or the machine's own account.`,
  TariffRefused: ([tariff]) =>
    `The tariff contract ${tariff} refuses these prices for this number of registers.`,
  PeriodUnknown: ([, period, periods]) =>
    `There is no period ${period}: the agreement has ${periods}, counted from 0.`,
  CloseTooEarly: ([, , needed]) =>
    `Until ${timeText(needed)} only the owner of the payee's position may close this agreement.`,
  ArrearsOpen: ([agreementId]) =>
    `Money is owed for past periods and escrow could pay for it. First: liquefy agreement collect ${agreementId}`,
  NotPositionOwner: ([, caller, owner]) =>
    `What this agreement earns belongs to ${owner}, not to ${caller}: only the owner may give it back.`,
  BalanceInsufficient: ([account, , have, needed]) =>
    `${account} holds ${have} smallest units in the clearing house, and ${needed} are needed.`,
  FundingExpired: ([deadline]) =>
    `This funding was good until ${timeText(deadline)}. Sign it anew.`,
  FundingUsed: () =>
    'This funding has been used already; each counts once. Sign a new one for more.',
  FundingNotAuthorized: ([, from]) =>
    `The funding is not signed by ${from}, whose tokens it would take.`,
  ERC20InsufficientBalance: ([account, have, needed]) =>
    `${account} holds ${have} smallest units of the asset, and ${needed} are needed.`,
  ERC20InsufficientAllowance: ([, have, needed]) =>
    `Only ${have} smallest units were approved, and ${needed} are needed: approve them, or sign a permit.`,
  ERC3009UsedAuthorization: () =>
    'This authorization has been used already; each counts once. Sign a new one for more.',
  ERC3009InvalidAuthorizationTime: () =>
    'This authorization is not valid yet, or no longer. Sign a new one.',
  ERC3009InvalidSignature: () =>
    'The authorization is not signed by the account whose tokens it would take.',
  NotMachineOwner: ([machineId, caller, owner]) =>
    `Machine ${machineId} belongs to ${owner}, not to ${caller}: only the owner may do this.`,
  StateRefused: ([machineId, have, needed]) =>
    `Machine ${machineId} is ${stateText(have)}; for this it must be ${stateText(needed)}.`,
  ReasonLengthRefused: ([have, most]) =>
    `A reason has 1 to ${most} bytes, and this one has ${have}: say it in fewer words.`,
  MachineDecommissioned: ([machineId]) =>
    `Machine ${machineId} has been decommissioned, for ever. Register a new one.`,
  MachineHasNoKey: ([machineId]) =>
    `Machine ${machineId} has no key: it was revoked. Give it a new one: liquefy machine rekey ${machineId} --folder <folder>`,
  MachineHasKey: ([machineId]) =>
    `Machine ${machineId} has a key. Rotate it (liquefy machine rotate), or revoke it first if it was stolen.`,
  MachineIsControlled: ([machineId, controller]) =>
    `Machine ${machineId} has no key of its own: machine ${controller} signs for it.`,
  KeyTaken: ([, machineId]) =>
    `This key was registered before, for machine ${machineId}. Make a new one: liquefy machine keygen`,
  DeadlineExpired: ([deadline]) => `This was signed to be sent until ${timeText(deadline)}.`,
  ProofInvalid: ([keyId]) => `The key ${keyId} has not signed this.`,
  PolicyMissing: ([asset]) =>
    `The owner lets the machine's key spend nothing of ${asset}: liquefy machine policy set.`,
  PolicyPaused: () => "The owner has paused all spending by the machine's key.",
  PolicyExpired: ([expiry]) => `The owner's spending policy was good until ${timeText(expiry)}.`,
  CounterpartyRefused: ([counterparty]) =>
    `${counterparty} is not among those whom the owner lets the machine pay.`,
  PaymentAboveLimit: ([amount, perPayment]) =>
    `The owner lets the machine pay ${perPayment} smallest units at once, and these are ${amount}.`,
  DayLimitExceeded: ([day, spent, amount, perDay]) =>
    `The owner lets the machine spend ${perDay} smallest units a day: ${spent} are spent on ${dayText(day)}, and these are ${amount} more.`,
  TooManyCounterparties: ([have, most]) =>
    `A policy names at most ${most} counterparties, and these are ${have}.`,
  NotAccountOwner: ([caller, owner]) =>
    `The account belongs to ${owner}, not to ${caller}: only the machine's owner may do this.`,
  MachineNotActive: ([machineId]) =>
    `Machine ${machineId} may not sign now: it, or its controller, is not active, or has no key.`,
  MachineSignatureInvalid: ([machineId]) =>
    `This is not signed by the key that now speaks for machine ${machineId}, or was signed for another owner's time.`,
  PaymentUsed: () => 'This was paid or booked already; each counts once. Sign a new one for more.',
  PayerDiffers: ([have, needed]) =>
    `The payer of this agreement is ${have}, and a machine opens and fills only agreements that its own account ${needed} pays.`,
  PayeeDiffers: ([have, needed]) =>
    `The payee of this agreement is ${have}, and a machine accepts only agreements that pay its own account ${needed}.`,
  PayerIsPayee: ([account]) => `${account} would pay itself.`,
  OwnStreamsRefused: ([machineId]) =>
    `A machine's key opens no agreement on what its own machine ${machineId} measures: its owner does.`,
  SellingMissing: ([asset]) =>
    `The owner does not let the machine sell for ${asset}: liquefy machine policy sell.`,
  SellingExpired: ([until]) => `The owner let the machine sell until ${timeText(until)}.`,
  BookingOfOtherDay: ([day, today]) =>
    `This was signed for ${dayText(day)}, and today is ${dayText(today)}. Sign it anew.`,
  BookingMissing: () => 'This is signed and within the policy, and not booked yet: book it first.',
  NotIssuer: ([machineId, , owner]) =>
    `Only the owner of machine ${machineId}, ${owner}, or the operator of its vault gives its hours away.`,
  MachineGone: ([machineId]) => `Machine ${machineId} is decommissioned: it has no hours any more.`,
  ZoneMissing: ([machineId]) =>
    `Machine ${machineId} has no calendar yet. Its owner begins one: liquefy right zone ${machineId} Europe/Berlin`,
  ZoneInvalid: ([zone]) =>
    `${zone} is no name of a time zone: 1 to 31 letters such as Europe/Berlin.`,
  ZoneBound: ([machineId, endWeek]) =>
    `Rights to use machine ${machineId} reach to ${mondayOf(Number(endWeek))}: until then its time zone stays, or their hours would move.`,
  WeeksRefused: ([, , openWeek, most]) =>
    `A right has 1 to ${most} weeks and begins between ${mondayOf(Number(openWeek))} and ${most} weeks later.`,
  HoursEmpty: () => 'No hours were named. Say which: Sat 8-12, or so many a week.',
  HoursInvalid: () =>
    'A right has the same hours every week, or so many hours a week, not both: take two rights.',
  HoursOver: ([week, bits]) =>
    `In the week of ${mondayOf(Number(week))} this is over already: ${hoursText(BigInt(String(bits)))}.`,
  HoursBegun: ([week, bits]) =>
    `Hours are given back a day before they begin. Too late in the week of ${mondayOf(Number(week))}: ${hoursText(BigInt(String(bits)))}.`,
  HoursTaken: ([machineId, week, bits]) =>
    `Of machine ${machineId} somebody holds in the week of ${mondayOf(Number(week))}: ${hoursText(BigInt(String(bits)))}. Take other hours.`,
  HoursPromised: ([machineId, week]) =>
    `In the week of ${mondayOf(Number(week))} all that is left of machine ${machineId} is promised to those who have so many hours a week.`,
  HoursNotHeld: ([rightId, week, bits]) =>
    `Right ${rightId} does not hold in the week of ${mondayOf(Number(week))}: ${hoursText(BigInt(String(bits)))}.`,
  QuotaSpent: ([rightId, week, have, needed]) =>
    `Right ${rightId} has ${have} hours a week; in the week of ${mondayOf(Number(week))} this would be ${needed}. Give others back first.`,
  RightIsSlot: ([rightId]) =>
    `Right ${rightId} has the same hours every week: there is nothing to book.`,
  WeekOutside: ([rightId, week]) =>
    `Right ${rightId} is not for the week of ${mondayOf(Number(week))}.`,
  NotHolder: ([rightId, , holder]) =>
    `Right ${rightId} is used by ${holder} now: only that account may.`,
  NotOnSale: ([machineId, , untilWeek]) =>
    Number(untilWeek) === 0
      ? `No hours of machine ${machineId} are on sale.`
      : `These hours of machine ${machineId} are not on sale, or not after ${mondayOf(Number(untilWeek))}.`,
  PriceAbove: ([have, most]) =>
    `This costs ${have} smallest units by now, and no more than ${most} were to be paid. Look at the price again.`,
  AssetDiffers: ([have, needed]) =>
    `These hours are sold for ${have} by now, not for ${needed}. Look at the price again.`,
  PaymentDiffers: ([asset, have, needed]) =>
    `The token ${asset} delivers ${have} where ${needed} are due: such a token pays for no hours.`,
  RightRests: ([rightId, until]) =>
    `Right ${rightId} has given up hours. It can be moved again from ${timeText(until)}, so that no buyer is surprised.`,
  OwnershipCycle: ([machineId, to]) =>
    `${to} is the account of machine ${machineId}, or belongs to it: a machine cannot own itself.`,
  OrderAlreadyFilled: () => 'This order is filled already: see what else there is on the market.',
  OrderIsCancelled: () =>
    'Its maker has cancelled this order: see what else there is on the market.',
  InvalidTime: ([start, end]) =>
    `This order is good from ${timeText(start)} until ${timeText(end)}: ask its maker for a new one.`,
  InvalidSigner: () =>
    'The maker has not signed this order for this ledger, or has cancelled all that he signed before: ask him for a new one.',
  BadContractSignature: () =>
    'The account that made this order does not stand by its signature: ask for a new one.',
  InexactFraction: () =>
    "This part has no exact share of the order's price: take a multiple of its part size.",
  TokenTransferGenericFailure: ([token, from]) =>
    `${from} has not got what he would give of ${token}, or has not approved it for the market.`,
  OwnershipTooDeep: ([, most]) => `Accounts of machines own machines at most ${most} deep.`,
  ERC721NonexistentToken: ([tokenId]) => {
    const id = BigInt(String(tokenId))
    return id < 2n ** 64n
      ? `There is no machine ${id} on this ledger. See \`liquefy machine list\`.`
      : `No agreement 0x${id.toString(16).padStart(64, '0')} is known to this ledger.`
  },
  ERC721InsufficientApproval: ([operator, tokenId]) =>
    `${tokenId} does not belong to ${operator}: only the owner may hand it on.`,
  ERC721IncorrectOwner: ([sender, tokenId, owner]) =>
    `${tokenId} belongs to ${owner}, not to ${sender}.`,
  PhaseRefused: ([have, needed]) =>
    `The vault is ${phaseText(have)}; for this it must be ${phaseText(needed)}.`,
  SharesLocked: () => 'Shares do not move while they are sold. Wait until the sale is over.',
  TransferNotCompliant: ([, to]) =>
    `${to} may not hold shares of this vault. Its operator keeps the list: liquefy vault allow.`,
  SaleRefused: () =>
    'A sale needs a price, a cap, a goal that is no higher, and a deadline within 366 days.',
  GovernanceRefused: () =>
    'Delay, vote, pause and quorum must be more than nothing, and delay, vote and pause at most 365 days.',
  SaleOver: ([deadline]) => `Shares were sold until ${timeText(deadline)}.`,
  SaleNotOver: ([deadline]) => `Shares are sold until ${timeText(deadline)}: wait for that.`,
  SharesSoldOut: ([wanted, left]) => `${wanted} shares are wanted, and ${left} are left.`,
  NothingBought: ([account]) => `${account} has bought nothing that could be refunded.`,
  NothingToClaim: ([account]) => `There is nothing that ${account} could be paid now.`,
  NotController: ([, controller]) =>
    `Only ${controller} may do this: what owners voted is done by the vault's timelock.`,
  ReserveTooSmall: ([have, needed]) =>
    `The reserve has ${have} smallest units, and ${needed} are to be spent.`,
  TargetRefused: ([target]) =>
    `A vote cannot have the vault call ${target}: money leaves it through the waterfall, and out of the reserve.`,
  BuyoutNotAllowed: () => 'The rules of this vault let nobody buy the others out.',
  BuyoutStands: ([offer]) =>
    `Offer ${offer} stands already: wait until it is refused or completed.`,
  NoBuyoutOffer: () => 'No offer stands.',
  SharesTooFew: ([account, have, needed]) =>
    `${account} has ${have} shares, and ${needed} are needed.`,
  RefusalOver: ([refuseBy]) => `This offer could be refused until ${timeText(refuseBy)}.`,
  RefusalNotOver: ([refuseBy]) => `This offer can be refused until ${timeText(refuseBy)}.`,
  IncomeFirst: () =>
    'Income that is not distributed belongs to those who hold shares now: distribute it first, and come back in a later block.',
  SharesLockedByOffer: ([, locked]) =>
    `${locked} shares do not move while the offer to buy the others out stands.`,
  NotVaultOperator: ([, , operator]) => `Only the vault's operator ${operator} keeps its list.`,
  GovernorInsufficientProposerVotes: ([proposer, votes, threshold]) =>
    `${proposer} has ${votes} votes, and ${threshold} are needed to propose.`,
  GovernorAlreadyCastVote: ([voter]) => `${voter} has voted on this already.`,
  VaultNotLive: () =>
    'Owners decide once the sale of the shares has succeeded, and while nobody has bought all of them.',
  RolesFixed: () => "The timelock obeys the vault's governor alone, whatever is voted.",
  TimelockFixed: () => 'The vault obeys its first timelock alone, whatever is voted.',
  GovernorNonexistentProposal: ([proposalId]) => `Nobody has proposed ${proposalId}.`,
  GovernorUnexpectedProposalState: ([proposalId, state]) =>
    `Proposal ${proposalId} is ${PROPOSAL_STATES[Number(state)] ?? state} now: for this it must be in another state. See \`liquefy vote show\`.`,
  TimelockUnexpectedOperationState: () =>
    'The timelock does not let this through yet. See when: liquefy vote show.',
}

/** As OpenZeppelin's Governor counts them. */
const PROPOSAL_STATES = [
  'pending',
  'active',
  'canceled',
  'defeated',
  'succeeded',
  'queued',
  'expired',
  'executed',
]
