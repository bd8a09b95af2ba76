// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {VaultBuyout} from "../../src/cooperate/VaultBuyout.sol";
import {BuyoutRules, GovernanceSetup, Phase, VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {Waterfall} from "../../src/cooperate/Waterfall.sol";

/// @notice What tests call of `MachineVault`: what it says itself, beside what it inherits. Abstract, since a test that imports the
/// contract has the compiler make its code once more.
abstract contract AnyVault is VaultBuyout {
    event VaultOpened(address indexed founder, address timelock, address asset, uint256[] machineIds, uint256 founderShares);
    event OperatorSet(address operator);
    event Spent(address indexed to, uint256 amount, string purpose);
    event Executed(address indexed target, uint256 value, bytes data);

    error NotController(address caller, address controller);
    error TargetRefused(address target);
    error ReserveTooSmall(uint256 have, uint256 needed);
    error AccountedMoneyTouched(uint256 have, uint256 needed);

    function initialize(VaultSetup calldata setup, address founder_, address timelock_) external virtual;
    function timelock() external view virtual returns (address);
    function operator() external view virtual returns (address);
    function controller() external view virtual returns (address);
    function execute(address target, uint256 value, bytes calldata data)
        external
        payable
        virtual
        returns (bytes memory);
    function spend(address to, uint256 amount, string calldata purpose) external virtual;
    function setWaterfall(Waterfall calldata waterfall_) external virtual;
    function setOperator(address operator_) external virtual;
    function setCompliance(address compliance_) external virtual;
    function setBuyoutRules(BuyoutRules calldata buyout) external virtual;
    function isValidSignature(bytes32 hash, bytes calldata signature) external view virtual returns (bytes4);
    function machineIds() external view virtual returns (uint256[] memory);
}

/// @notice What tests call of `MachineGovernor`.
interface IAnyGovernor is IGovernor {
    error VaultNotLive(Phase have);
    error TimelockFixed();
    error GovernanceRefused(GovernanceSetup setup);

    function relay(address target, uint256 value, bytes calldata data) external payable;
    function setVotingDelay(uint48 newVotingDelay) external;
    function updateTimelock(address newTimelock) external;
    function timelock() external view returns (address);
}

/// @notice What tests call of `VaultTimelock`.
interface IAnyTimelock {
    error TimelockUnexpectedOperationState(bytes32 operationId, bytes32 expectedStates);
    error TimelockUnauthorizedCaller(address caller);
    error RolesFixed();

    function initialize(uint256 minDelay, address[] calldata proposers, address[] calldata executors, address admin)
        external;
    function schedule(
        address target,
        uint256 value,
        bytes calldata data,
        bytes32 predecessor,
        bytes32 salt,
        uint256 delay
    ) external;
    function execute(address target, uint256 value, bytes calldata data, bytes32 predecessor, bytes32 salt)
        external
        payable;
    function executeBatch(
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata payloads,
        bytes32 predecessor,
        bytes32 salt
    ) external payable;
    function updateDelay(uint256 newDelay) external;
    function grantRole(bytes32 role, address account) external;
    function cancel(bytes32 id) external;
    function getMinDelay() external view returns (uint256);
}
