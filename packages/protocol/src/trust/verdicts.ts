/** When a code is given (docs/protocol/verdicts.md). */
export type Moment = 'refused' | 'ignored' | 'admission' | 'fold' | 'meter value' | 'connection'

/** One code: when it is given, whether it counts against the sender, and in words for a page. */
export type Verdict = { moment: Moment; countsAgainstSender: boolean; words: string }

const REFUSED = {
  TOO_LARGE: counts('refused', 'The message is larger, or nested deeper, than allowed.'),
  ENVELOPE_MALFORMED: counts('refused', 'The message is not a well-formed envelope.'),
  ALG_MISMATCH: counts('refused', 'The signature algorithm does not fit the key.'),
  DEVICE_UNKNOWN: counts('refused', 'No such machine is registered on this ledger.'),
  KEY_UNKNOWN: counts('refused', 'The key was never one of this machine.'),
  KEY_INVALID: counts('refused', 'The key is not a valid point of its curve.'),
  KEY_REVOKED: counts('refused', 'The key was revoked, or replaced before this reading.'),
  SIGNER_NOT_CONTROLLER: counts(
    'refused',
    'The signer is neither this machine nor its controller.',
  ),
  TOPIC_MISMATCH: counts('refused', "It was published on another machine's topic."),
  SIGNATURE_INVALID: counts('refused', 'The signature does not verify.'),
  OVERLOADED: ignore('refused', 'The node is busy; the machine will send it again.'),
  QUOTA_EXCEEDED: ignore(
    'refused',
    'Its owner has used up what this node allows; the machine will send it again.',
  ),
} as const satisfies Record<string, Verdict>

const IGNORED = {
  DUPLICATE: ignore('ignored', 'This reading is logged already.'),
} as const satisfies Record<string, Verdict>

const ADMISSION = {
  OK: ignore('admission', 'Admitted.'),
  EQUIVOCATION: counts(
    'admission',
    'Another reading with this number was logged first; this one is kept as proof.',
  ),
  CHAIN_BROKEN: counts(
    'admission',
    'It does not continue the chain of readings before or after it.',
  ),
  CLOCK_SKEW: counts('admission', 'Its time lies in the future.'),
  MACHINE_SUSPENDED: ignore('admission', 'The machine or its controller was not active.'),
} as const satisfies Record<string, Verdict>

const FOLD = {
  UNBILLED: ignore('fold', 'No agreement meters this stream.'),
  VALUE_INVALID: counts(
    'fold',
    'The value is missing, negative, not an exact decimal, or half a position.',
  ),
  UNIT_MISMATCH: counts('fold', 'The unit is not the one agreed.'),
  TIME_REVERSED: counts('fold', 'It is older than the reading before it.'),
  OUTSIDE_WINDOW: ignore('fold', "It is too old, or outside the agreement's periods."),
  BEYOND_CUT: ignore('fold', 'Its key was revoked, and no anchor of an earlier block covers it.'),
  LATE_FOR_PERIOD: ignore(
    'fold',
    'Its period was final when it was logged: it counts for that period’s adjustment only.',
  ),
  LATE_FOR_GAP: ignore('fold', 'It came after the wait for missing readings had ended.'),
  COUNTER_ROLLBACK: counts('fold', 'The counter fell without a declared replacement.'),
  IMPLAUSIBLE: counts('fold', 'It changed faster than the agreed limit.'),
  GAP: ignore('fold', 'What happened during an undeclared gap cannot be priced.'),
  UNCALIBRATED: ignore('fold', 'No calibration certificate that was agreed was in force.'),
  CERTIFICATE_INVALID: counts(
    'fold',
    'It is no calibration certificate of this stream that its laboratory has signed.',
  ),
  CERTIFICATE_NOT_AGREED: ignore(
    'fold',
    'Its laboratory is none of those agreed, or its uncertainty is larger.',
  ),
} as const satisfies Record<string, Verdict>

const METER_VALUE = {
  METER_MISMATCH: counts(
    'meter value',
    'It differs from what the node computed from the evidence.',
  ),
  METER_SIGNATURE_INVALID: counts('meter value', "It is not signed by the agreement's signer."),
  AGREEMENT_UNKNOWN: ignore('meter value', 'The agreement is not open on this ledger.'),
} as const satisfies Record<string, Verdict>

const CONNECTION = {
  TOKEN_INVALID: counts('connection', "The password is no valid token of this machine's key."),
  TOPIC_FORBIDDEN: counts('connection', "The topic is not one of this machine's own."),
} as const satisfies Record<string, Verdict>

/** Why a frame was not logged. */
export type RefusalCode = keyof typeof REFUSED
/** Why a frame was not logged again. */
export type IgnoredCode = keyof typeof IGNORED
/** What the log leaf says of an envelope. */
export type AdmissionCode = keyof typeof ADMISSION
/** What a rule says of an admitted envelope, if it does not price it. */
export type FoldCode = keyof typeof FOLD
/** Why a signed meter value was not accepted. */
export type MeterValueCode = keyof typeof METER_VALUE
/** Why a connection or a topic was denied. */
export type ConnectionCode = keyof typeof CONNECTION
/** Any code of docs/protocol/verdicts.md. */
export type VerdictCode =
  | RefusalCode
  | IgnoredCode
  | AdmissionCode
  | FoldCode
  | MeterValueCode
  | ConnectionCode

/** Every code, in the order of docs/protocol/verdicts.md. */
export const VERDICTS: Readonly<Record<VerdictCode, Verdict>> = {
  ...REFUSED,
  ...IGNORED,
  ...ADMISSION,
  ...FOLD,
  ...METER_VALUE,
  ...CONNECTION,
}

function counts(moment: Moment, words: string): Verdict {
  return { moment, countsAgainstSender: true, words }
}

function ignore(moment: Moment, words: string): Verdict {
  return { moment, countsAgainstSender: false, words }
}
