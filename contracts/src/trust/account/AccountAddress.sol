// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC6551AccountLib} from "erc6551/lib/ERC6551AccountLib.sol";

/// @title Where the account of a machine stands, whether it was created yet or not
/// @notice One account a machine: the one that the canonical ERC-6551 registry creates with the salt zero.
library AccountAddress {
    /// @notice The registry that ERC-6551 names, at one address on all chains.
    address internal constant ERC6551_REGISTRY = 0x000000006551c19487814612e58FE06813775758;

    /// @notice Address of the account of token `machineId` of `registry` on this chain.
    function compute(address implementation, address registry, uint256 machineId) internal view returns (address) {
        return ERC6551AccountLib.computeAddress(
            ERC6551_REGISTRY, implementation, bytes32(0), block.chainid, registry, machineId
        );
    }
}
