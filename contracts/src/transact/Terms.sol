// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev `signer` is a machine id, resolved to that machine's current key at settle.
uint8 constant SIGNER_MACHINE = 1;
/// @dev `signer` is an account, as a left-padded address.
uint8 constant SIGNER_ACCOUNT = 2;
/// @dev `signer` commits to k of n signers: see `QuorumVerifier`.
uint8 constant SIGNER_QUORUM = 3;
/// @dev Nobody signs: what is owed follows from time alone. `signer` is zero.
uint8 constant SIGNER_NOBODY = 4;

/// @notice One (stream, rule) pair; it yields one register.
struct Meter {
    string stream;
    bytes32 ruleHash;
    bytes32 startHead;
}

/// @notice Bound of one register, in output units: register <= burst + perHour x seconds into the period / 3600.
struct Limit {
    uint256 burst;
    uint256 perHour;
}

/// @notice What both parties sign. The fields are explained in docs/protocol/agreement.md.
struct Terms {
    address payer;
    address payee;
    address asset;
    uint256 machineId;
    Meter[] meters;
    uint8 signerKind;
    bytes32 signer;
    address tariff;
    bytes tariffData;
    Limit[] limits;
    uint256 capMinor;
    uint64 start;
    uint32 periodSeconds;
    uint32 periods;
    uint32 backfillSeconds;
    uint32 lateSeconds;
    uint32 gapTimeoutSeconds;
    uint32 settleSeconds;
    bool shared;
    uint64 openBy;
    bytes32 salt;
}

/// @notice What a meter signer signs: the registers of one period as of a second within it.
struct MeterValue {
    bytes32 agreementId;
    uint32 period;
    uint64 asOf;
    uint256[] registers;
    bytes32 evidenceHead;
}

/// @notice What late evidence adds to a period that is final. Signed as meter values are; it only ever adds.
struct Adjustment {
    bytes32 agreementId;
    uint32 period;
    uint256 amount;
    bytes32 evidenceHead;
}

/// @notice A payer's word that `amount` of his tokens may go into an agreement. It counts once.
struct Funding {
    bytes32 agreementId;
    address from;
    uint256 amount;
    bytes32 salt;
    uint256 deadline;
}

enum Status {
    None,
    Open,
    Closed
}

/// @notice Why `settle` passed over an item. AS_OF_IN_FUTURE passes later; RATE_BOUND may pass with a larger `asOf`.
enum SkipReason {
    NOT_OPEN,
    PERIOD_UNKNOWN,
    AS_OF_OUTSIDE_PERIOD,
    AS_OF_IN_FUTURE,
    REGISTER_COUNT,
    RATE_BOUND,
    SIGNER_NOT_ACTIVE,
    SIGNATURE_INVALID,
    TARIFF_FAILED,
    AMOUNT_TOO_LARGE,
    SIGNER_DIFFERS
}
