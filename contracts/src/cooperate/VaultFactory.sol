// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {MachineRegistry} from "../trust/MachineRegistry.sol";
import {IVaultRefusals, VaultRules} from "./VaultRules.sol";
import {GovernanceSetup, VaultSetup} from "./VaultSetup.sol";

/// @notice What is used of `MachineVault`. Importing the contract itself would have the compiler make its code once more.
interface IMachineVault {
    function rules() external view returns (VaultRules);
    function initialize(VaultSetup calldata setup, address founder, address timelock) external;
}

/// @notice What is used of `MachineGovernor`.
interface IMachineGovernor {
    function initialize(IVotes vault, address timelock, string calldata name, GovernanceSetup calldata setup) external;
}

/// @notice What is used of `VaultTimelock`.
interface IVaultTimelock {
    function initialize(uint256 minDelay, address[] calldata proposers, address[] calldata executors, address admin)
        external;
}

/// @title Makes vaults, each with a governor and a timelock of its own
/// @notice All three are clones of fixed code (ERC-1167): nobody can change what they do.
contract VaultFactory is IVaultRefusals {
    MachineRegistry public immutable registry;
    address public immutable vaultCode;
    address public immutable governorCode;
    address public immutable timelockCode;
    /// @notice True for the vaults made here, whose code is therefore known.
    mapping(address vault => bool) public isVault;

    event VaultCreated(address indexed vault, address indexed founder, address governor, address timelock, GovernanceSetup governance);

    constructor(MachineRegistry registry_, address vaultCode_, address governorCode_, address timelockCode_) {
        registry = registry_;
        vaultCode = vaultCode_;
        governorCode = governorCode_;
        timelockCode = timelockCode_;
    }

    /// @notice Makes a vault of the sender's machines, which he has approved to this contract, and hands them over.
    function create(VaultSetup calldata setup, GovernanceSetup calldata governance)
        external
        returns (address vault, address governor, address timelock)
    {
        IMachineVault(vaultCode).rules().requireSetup(setup);
        vault = Clones.clone(vaultCode);
        governor = Clones.clone(governorCode);
        timelock = Clones.clone(timelockCode);
        isVault[vault] = true;
        emit VaultCreated(vault, msg.sender, governor, timelock, governance);

        address[] memory alone = new address[](1);
        alone[0] = governor;
        IVaultTimelock(timelock).initialize(governance.timelockSeconds, alone, alone, address(0));
        IMachineGovernor(governor).initialize(IVotes(vault), timelock, setup.name, governance);
        IMachineVault(vault).initialize(setup, msg.sender, timelock);

        uint256 count = setup.machineIds.length;
        for (uint256 i = 0; i < count; ++i) {
            registry.transferFrom(msg.sender, vault, setup.machineIds[i]);
        }
    }
}
