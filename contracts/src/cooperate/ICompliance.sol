// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Who may hold shares of a vault. Asked by the vault before shares are sold or move; never when they are given back.
interface ICompliance {
    /// @param from zero in the primary sale
    function canTransfer(address from, address to, uint256 amount) external view returns (bool);
}
