// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Machines whose owner has somebody run them day by day, as a vault does.
interface IOperated {
    /// @notice Who that is.
    function operator() external view returns (address);
}
