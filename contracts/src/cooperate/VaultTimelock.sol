// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TimelockControllerUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";

/// @title What owners voted waits here, and then is done by anybody
/// @notice OpenZeppelin's, to be cloned: the governor alone proposes and cancels, everybody executes, nobody administers.
contract VaultTimelock is TimelockControllerUpgradeable {
    constructor() {
        _disableInitializers();
    }
}
