// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Where the account of a machine stands, whether it was created yet or not
/// @notice One account a machine: the one that the canonical ERC-6551 registry creates with the salt zero.
library AccountAddress {
    /// @notice The registry that ERC-6551 names, at one address on all chains.
    address internal constant ERC6551_REGISTRY = 0x000000006551c19487814612e58FE06813775758;

    /// @notice Address of the account of token `machineId` of `registry` on this chain: CREATE2 of the creation code that ERC-6551
    /// gives, which ends with salt, chain, registry and id.
    function compute(address implementation, address registry, uint256 machineId)
        internal
        view
        returns (address place)
    {
        assembly ("memory-safe") {
            let code := mload(0x40)
            mstore(add(code, 0xb7), machineId)
            mstore(add(code, 0x97), shr(96, shl(96, registry)))
            mstore(add(code, 0x77), chainid())
            mstore(add(code, 0x57), 0)
            mstore(add(code, 0x37), 0x5af43d82803e903d91602b57fd5bf3)
            mstore(add(code, 0x28), implementation)
            mstore(add(code, 0x14), 0x3d60ad80600a3d3981f3363d3d373d3d3d363d73)
            let codeHash := keccak256(add(code, 0x20), 0xb7)
            mstore(add(code, 0x40), codeHash)
            mstore(add(code, 0x20), 0)
            mstore(code, or(shl(160, 0xff), ERC6551_REGISTRY))
            place := and(keccak256(add(code, 0x0b), 0x55), 0xffffffffffffffffffffffffffffffffffffffff)
        }
    }
}
