// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GovernorUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/GovernorUpgradeable.sol";
import {GovernorCountingSimpleUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorCountingSimpleUpgradeable.sol";
import {GovernorSettingsUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorSettingsUpgradeable.sol";
import {GovernorTimelockControlUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorTimelockControlUpgradeable.sol";
import {GovernorVotesUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorVotesUpgradeable.sol";
import {TimelockControllerUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/TimelockControllerUpgradeable.sol";
import {GovernorVotesQuorumFractionUpgradeable} from "@openzeppelin/contracts-upgradeable/governance/extensions/GovernorVotesQuorumFractionUpgradeable.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {GovernanceSetup, Phase} from "./VaultSetup.sol";
import {VaultTimelock} from "./VaultTimelock.sol";

/// @notice What is asked of the vault.
interface IPhased {
    function phase() external view returns (Phase);
}

/// @title How the owners of a vault decide
/// @notice OpenZeppelin's Governor: votes by shares of a past moment, for, against or abstaining; simple majority, with a quorum of all
/// shares; through a timelock. What it does on chain are calls of the timelock. Nothing is proposed before the vault is live, and what
/// was voted lapses, so that those decide who own the machine. Rules: docs/protocol/governance.md.
contract MachineGovernor is
    GovernorUpgradeable,
    GovernorSettingsUpgradeable,
    GovernorCountingSimpleUpgradeable,
    GovernorVotesUpgradeable,
    GovernorVotesQuorumFractionUpgradeable,
    GovernorTimelockControlUpgradeable
{
    /// @notice What was voted is queued, and what was queued is executed, within so many seconds of when it could be.
    uint256 public constant LAPSE_SECONDS = 14 days;
    /// @notice Delay, vote and pause of a new vault are each no longer: else its owners could never take back what its founder set.
    uint256 public constant MAX_SECONDS = 365 days;

    error GovernanceRefused(GovernanceSetup setup);
    /// @dev A founder could pass his wishes before the first share is sold.
    error VaultNotLive(Phase have);
    /// @dev The vault obeys its first timelock alone: with another one its owners would decide nothing any more.
    error TimelockFixed();

    constructor() {
        _disableInitializers();
    }

    /// @notice Begins the governor's life. Called once by the factory.
    function initialize(
        IVotes vault,
        VaultTimelock timelock_,
        string calldata name_,
        GovernanceSetup calldata setup
    ) external initializer {
        bool bounded = setup.votingDelaySeconds <= MAX_SECONDS && setup.votingPeriodSeconds <= MAX_SECONDS
            && setup.timelockSeconds <= MAX_SECONDS;
        if (!bounded || setup.votingDelaySeconds == 0 || setup.quorumPercent == 0 || setup.timelockSeconds == 0) {
            revert GovernanceRefused(setup);
        }
        __Governor_init(name_);
        __GovernorSettings_init(setup.votingDelaySeconds, setup.votingPeriodSeconds, setup.proposalThreshold);
        __GovernorVotes_init(vault);
        __GovernorVotesQuorumFraction_init(setup.quorumPercent);
        __GovernorTimelockControl_init(timelock_);
    }

    /// @notice Where a proposal stands; expired if it was not queued or executed in time.
    function state(uint256 proposalId)
        public
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (ProposalState standing)
    {
        standing = super.state(proposalId);
        if (standing != ProposalState.Succeeded && standing != ProposalState.Queued) return standing;
        uint256 ready = standing == ProposalState.Queued ? proposalEta(proposalId) : proposalDeadline(proposalId);
        if (block.timestamp > ready + LAPSE_SECONDS) return ProposalState.Expired;
    }

    /// @notice Refused, whatever is voted.
    function updateTimelock(TimelockControllerUpgradeable) public pure override {
        revert TimelockFixed();
    }

    function _propose(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        string memory description,
        address proposer
    ) internal override returns (uint256) {
        Phase phase = IPhased(address(token())).phase();
        if (phase != Phase.Live) revert VaultNotLive(phase);
        return super._propose(targets, values, calldatas, description, proposer);
    }

    // Several of the parts define these; each takes the timelock's or the settings' answer.

    function proposalNeedsQueuing(uint256 proposalId)
        public
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (bool)
    {
        return super.proposalNeedsQueuing(proposalId);
    }

    function votingDelay() public view override(GovernorUpgradeable, GovernorSettingsUpgradeable) returns (uint256) {
        return super.votingDelay();
    }

    function votingPeriod() public view override(GovernorUpgradeable, GovernorSettingsUpgradeable) returns (uint256) {
        return super.votingPeriod();
    }

    function quorum(uint256 timepoint)
        public
        view
        override(GovernorUpgradeable, GovernorVotesQuorumFractionUpgradeable)
        returns (uint256)
    {
        return super.quorum(timepoint);
    }

    function proposalThreshold()
        public
        view
        override(GovernorUpgradeable, GovernorSettingsUpgradeable)
        returns (uint256)
    {
        return super.proposalThreshold();
    }

    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(GovernorUpgradeable, GovernorTimelockControlUpgradeable) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    function _executor()
        internal
        view
        override(GovernorUpgradeable, GovernorTimelockControlUpgradeable)
        returns (address)
    {
        return super._executor();
    }
}
