// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice So many of 10,000 parts of what is left after reserve and lender go to `to`.
struct Fee {
    address to;
    uint16 bps;
}

/// @notice In what order income is used: the reserve up to `reserveTarget`, then `lender` until nothing is `outstanding`, then fees,
/// then owners. Amounts in smallest units of the vault's asset.
struct Waterfall {
    uint128 reserveTarget;
    address lender;
    uint128 outstanding;
    Fee[] fees;
}

/// @notice What became of one income; the five add up to it.
struct Split {
    uint256 reserve;
    uint256 lender;
    uint256 fees;
    uint256 owners;
}
