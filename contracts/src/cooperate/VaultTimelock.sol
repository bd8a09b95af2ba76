// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockControllerUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";

/// @title What owners voted waits here, and then is done by anybody, through the governor
/// @notice OpenZeppelin's, to be cloned: the governor alone proposes, cancels and executes, and nobody else ever will. Whoever was
/// given such a role, say by a founder before he sold his shares, would command the vault without a vote.
contract VaultTimelock is TimelockControllerUpgradeable {
    error RolesFixed();

    constructor() {
        _disableInitializers();
    }

    function _grantRole(bytes32 role, address account) internal override returns (bool) {
        if (!_isInitializing()) revert RolesFixed();
        return super._grantRole(role, account);
    }

    function _revokeRole(bytes32, address) internal pure override returns (bool) {
        revert RolesFixed();
    }
}
