// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Waterfall} from "./Waterfall.sol";

/// @notice Shares for sale: at most `cap` at `priceMinor` each until `deadline` (seconds); refunded unless `goal` of them are sold.
/// `cap` zero: there is no sale.
struct Sale {
    uint128 priceMinor;
    uint128 cap;
    uint128 goal;
    uint64 deadline;
}

/// @notice Who holds `minBps` of 10,000 parts of the shares may offer for the rest; the others have `delaySeconds` to refuse, which they
/// have done when more than `refusalBps` of 10,000 parts of their shares say so. `minBps` zero: nobody may.
struct BuyoutRules {
    uint16 minBps;
    uint16 refusalBps;
    uint32 delaySeconds;
}

/// @notice What a vault begins with. Shares are whole: they have no decimals.
struct VaultSetup {
    string name;
    string symbol;
    address asset;
    address operator;
    address compliance;
    uint256[] machineIds;
    uint128 founderShares;
    Sale sale;
    BuyoutRules buyout;
    Waterfall waterfall;
}

/// @notice How its owners decide. Seconds, and whole shares; `quorumPercent` of all shares must take part.
struct GovernanceSetup {
    uint48 votingDelaySeconds;
    uint32 votingPeriodSeconds;
    uint256 proposalThreshold;
    uint8 quorumPercent;
    uint256 timelockSeconds;
}

/// @notice Selling: shares are sold and do not move. Live: owners decide by vote. Failed: the sale missed its goal, money goes back.
/// BoughtOut: one owner has it all, the others are paid for their shares.
enum Phase {
    Selling,
    Live,
    Failed,
    BoughtOut
}
