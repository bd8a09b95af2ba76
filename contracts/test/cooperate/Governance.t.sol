// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {GovernanceSetup, VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {AnyVault, IAnyGovernor, IAnyTimelock} from "../support/AnyVault.sol";
import {VaultFixture} from "../support/VaultFixture.sol";

/// @notice Borrows shares, proposes and votes with them, and gives them back in the same transaction.
contract FlashVoter {
    function propose(AnyVault vault, IGovernor governor, address lender, uint256 shares) external returns (bool done) {
        vault.transferFrom(lender, address(this), shares);
        address[] memory targets = new address[](1);
        bytes[] memory calls = new bytes[](1);
        (targets[0], calls[0]) = (address(vault), abi.encodeCall(AnyVault.setOperator, (address(this))));
        try governor.propose(targets, new uint256[](1), calls, "mine") {
            done = true;
        } catch {}
        vault.transfer(lender, shares);
    }

    function vote(AnyVault vault, IGovernor governor, address lender, uint256 shares, uint256 proposal)
        external
        returns (uint256 weight)
    {
        vault.transferFrom(lender, address(this), shares);
        weight = governor.castVote(proposal, 1);
        vault.transfer(lender, shares);
    }
}

/// @notice How owners decide, and that nobody decides without them or sooner.
contract GovernanceTest is VaultFixture {
    uint8 private constant AGAINST = 0;
    uint8 private constant FOR = 1;
    uint8 private constant ABSTAIN = 2;

    /// @dev Founder 50, Anna 30, Ben 20; quorum 20 of 100.
    function setUp() public {
        deployVaults();
        VaultSetup memory setup = plainSetup();
        setup.waterfall = waterfallOf(1000, address(0), 0, noFees());
        found(setup);
        give(anna, 30);
        give(ben, 20);
        earn(1000);
        nextBlock();
    }

    // --- helpers ------------------------------------------------------------------------------------------------------

    function plan(bytes memory call)
        private
        view
        returns (address[] memory targets, uint256[] memory values, bytes[] memory calls)
    {
        (targets, values, calls) = (new address[](1), new uint256[](1), new bytes[](1));
        (targets[0], calls[0]) = (address(vault), call);
    }

    function propose(address proposer, bytes memory call) private returns (uint256 proposal) {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = plan(call);
        vm.prank(proposer);
        proposal = governor.propose(targets, values, calls, "because");
        pass(VOTING_DELAY + 1);
    }

    function vote(address owner, uint256 proposal, uint8 support) private returns (uint256) {
        vm.prank(owner);
        return governor.castVote(proposal, support);
    }

    function queue(bytes memory call) private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = plan(call);
        governor.queue(targets, values, calls, keccak256("because"));
    }

    function execute(bytes memory call) private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = plan(call);
        governor.execute(targets, values, calls, keccak256("because"));
    }

    function assertState(uint256 proposal, IGovernor.ProposalState state, string memory what) private view {
        assertEq(uint256(governor.state(proposal)), uint256(state), what);
    }

    // --- the whole way ------------------------------------------------------------------------------------------------

    function test_FromProposalToExecution() public {
        bytes memory call = abi.encodeCall(AnyVault.spend, (carla, 400, "a new propeller"));
        uint256 proposal = propose(anna, call);
        assertState(proposal, IGovernor.ProposalState.Active, "active");
        assertEq(vote(anna, proposal, FOR), 30, "anna's weight");
        assertEq(vote(ben, proposal, AGAINST), 20, "ben's weight");
        vm.expectPartialRevert(IGovernor.GovernorAlreadyCastVote.selector);
        vote(ben, proposal, FOR);
        pass(VOTING_PERIOD);
        assertState(proposal, IGovernor.ProposalState.Succeeded, "succeeded");
        queue(call);
        assertState(proposal, IGovernor.ProposalState.Queued, "queued");
        pass(TIMELOCK);
        vm.prank(account("anybody"));
        execute(call);
        assertState(proposal, IGovernor.ProposalState.Executed, "executed");
        assertEq(euro.balanceOf(carla), 400, "spent");
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        execute(call);
    }

    /// @dev One row: votes of the founder (50), Anna (30) and Ben (20); 3 is none.
    struct Row {
        uint8 founder;
        uint8 anna;
        uint8 ben;
        bool succeeds;
    }

    function test_WhenAProposalSucceeds() public {
        Row[7] memory rows = [
            Row(3, 3, FOR, true), // the quorum is 20
            Row(3, 3, ABSTAIN, false), // nobody for it
            Row(3, 3, AGAINST, false),
            Row(FOR, AGAINST, AGAINST, false), // a tie
            Row(3, FOR, AGAINST, true),
            Row(AGAINST, FOR, FOR, false),
            Row(3, 3, 3, false)
        ];
        for (uint256 i = 0; i < rows.length; ++i) {
            bytes memory call = abi.encodeCall(AnyVault.setOperator, (address(uint160(i))));
            uint256 proposal = propose(anna, call);
            if (rows[i].founder != 3) vote(founder, proposal, rows[i].founder);
            if (rows[i].anna != 3) vote(anna, proposal, rows[i].anna);
            if (rows[i].ben != 3) vote(ben, proposal, rows[i].ben);
            pass(VOTING_PERIOD);
            assertState(
                proposal,
                rows[i].succeeds ? IGovernor.ProposalState.Succeeded : IGovernor.ProposalState.Defeated,
                vm.toString(i)
            );
            if (rows[i].succeeds) continue;
            vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
            queue(call);
        }
    }

    function test_BelowTheQuorumNothingSucceeds() public {
        vm.prank(ben);
        vault.transfer(carla, 1);
        nextBlock();
        uint256 proposal = propose(ben, abi.encodeCall(AnyVault.setOperator, (ben)));
        vote(ben, proposal, FOR); // 19 of 100
        pass(VOTING_PERIOD);
        assertState(proposal, IGovernor.ProposalState.Defeated, "defeated");
    }

    function test_WithoutSharesNobodyProposes() public {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            plan(abi.encodeCall(AnyVault.setOperator, (carla)));
        vm.prank(carla);
        vm.expectPartialRevert(IGovernor.GovernorInsufficientProposerVotes.selector);
        governor.propose(targets, values, calls, "because");
    }

    // --- votes of a past moment ---------------------------------------------------------------------------------------

    function test_INV26_VotesAreThoseOfTheSnapshot() public {
        uint256 proposal = propose(anna, abi.encodeCall(AnyVault.setOperator, (anna)));
        vm.prank(anna);
        vault.transfer(carla, 30); // after the snapshot
        nextBlock();
        assertEq(vote(carla, proposal, FOR), 0, "bought too late");
        assertEq(vote(anna, proposal, FOR), 30, "sold since, voted");
        assertEq(vault.getVotes(carla), 30, "carla's now");
    }

    function test_ADelegateVotesUntilItIsTakenBack() public {
        vm.prank(ben);
        vault.delegate(anna);
        nextBlock();
        uint256 proposal = propose(anna, abi.encodeCall(AnyVault.setOperator, (anna)));
        assertEq(vote(anna, proposal, FOR), 50, "hers and ben's");
        assertEq(vote(ben, proposal, FOR), 0, "none of his own");
        vm.prank(ben);
        vault.delegate(ben);
        assertEq(vault.getVotes(ben), 20, "taken back");
        vm.prank(anna);
        vault.transfer(ben, 30);
        assertEq(vault.getVotes(ben), 50, "what comes is his to vote");
        vm.prank(ben);
        vault.delegate(carla);
        vm.prank(founder);
        vault.transfer(ben, 1);
        assertEq(vault.getVotes(carla), 51, "what comes follows his delegation");
    }

    function test_INV26_FlashHeldSharesWeighNothing() public {
        FlashVoter flash = new FlashVoter();
        vm.prank(founder);
        vault.approve(address(flash), type(uint256).max);
        assertTrue(!flash.propose(vault, governor, founder, 50), "proposes nothing");
        uint256 proposal = propose(anna, abi.encodeCall(AnyVault.setOperator, (anna)));
        assertEq(flash.vote(vault, governor, founder, 50, proposal), 0, "votes nothing");
        // Nor in the second of the snapshot itself, when it is over.
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            plan(abi.encodeCall(AnyVault.setOperator, (ben)));
        vm.prank(anna);
        proposal = governor.propose(targets, values, calls, "because");
        pass(VOTING_DELAY);
        assertEq(governor.proposalSnapshot(proposal), time, "this second");
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        flash.vote(vault, governor, founder, 50, proposal);
        nextBlock();
        vm.prank(address(flash));
        assertEq(governor.castVote(proposal, FOR), 0, "still nothing");
        assertEq(vote(founder, proposal, AGAINST), 50, "the lender of the shares has all of his");
    }

    // --- the timelock cannot be skipped -------------------------------------------------------------------------------

    function test_NobodyButTheTimelockCommandsTheVault() public {
        bytes[7] memory commands = [
            abi.encodeCall(AnyVault.execute, (address(registry), 0, "")),
            abi.encodeCall(AnyVault.spend, (anna, 1, "")),
            abi.encodeCall(AnyVault.setWaterfall, (waterfallOf(0, address(0), 0, noFees()))),
            abi.encodeCall(AnyVault.setOperator, (anna)),
            abi.encodeCall(AnyVault.setCompliance, (anna)),
            abi.encodeCall(AnyVault.setBuyoutRules, (buyoutSetup().buyout)),
            abi.encodeCall(AnyVault.initialize, (plainSetup(), anna, anna))
        ];
        address[5] memory callers = [founder, anna, operator, address(governor), address(factory)];
        for (uint256 i = 0; i < commands.length; ++i) {
            for (uint256 j = 0; j < callers.length; ++j) {
                vm.prank(callers[j]);
                (bool done, bytes memory answer) = address(vault).call(commands[i]);
                assertTrue(!done, "refused");
                if (i < 6) assertEq(bytes4(answer), AnyVault.NotController.selector, "reason");
            }
        }
    }

    function test_ThePauseCannotBeCutShort() public {
        bytes memory call = abi.encodeCall(AnyVault.setOperator, (anna));
        uint256 proposal = propose(anna, call);
        vote(anna, proposal, FOR);
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        queue(call); // while votes are cast
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        execute(call);
        pass(VOTING_PERIOD);
        vm.expectRevert();
        execute(call); // succeeded, but not queued
        queue(call);
        pass(TIMELOCK - 1);
        vm.expectPartialRevert(IAnyTimelock.TimelockUnexpectedOperationState.selector);
        execute(call); // a second too early
        pass(1);
        execute(call);
        assertEq(vault.operator(), anna, "then");
    }

    function test_NobodySchedulesAtTheTimelockButTheGovernor() public {
        IAnyTimelock pause = IAnyTimelock(timelock);
        bytes memory call = abi.encodeCall(AnyVault.setOperator, (anna));
        address[4] memory callers = [founder, anna, operator, address(factory)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
            pause.schedule(address(vault), 0, call, 0, 0, TIMELOCK);
            vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
            pause.execute(address(vault), 0, call, 0, 0);
            vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
            pause.grantRole(keccak256("PROPOSER_ROLE"), anna);
            vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
            pause.grantRole(0, anna);
            vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
            pause.cancel(0);
            vm.expectPartialRevert(IAnyTimelock.TimelockUnauthorizedCaller.selector);
            pause.updateDelay(0);
            vm.expectRevert();
            pause.initialize(0, new address[](0), new address[](0), anna);
            vm.stopPrank();
        }
    }

    function test_NobodyCommandsTheGovernorButTheTimelock() public {
        vm.startPrank(anna);
        vm.expectPartialRevert(IGovernor.GovernorOnlyExecutor.selector);
        governor.relay(timelock, 0, "");
        vm.expectPartialRevert(IGovernor.GovernorOnlyExecutor.selector);
        governor.setVotingDelay(0);
        vm.stopPrank();
    }

    /// @dev An operation of the timelock that calls the governor must be one that was voted.
    function test_EvenTheTimelockDoesOnlyWhatWasVoted() public {
        vm.prank(timelock);
        vm.expectRevert();
        governor.setVotingDelay(0);
    }

    function test_WhatWasVotedIsDoneAsItWasShown() public {
        bytes memory call = abi.encodeCall(AnyVault.setOperator, (anna));
        uint256 proposal = propose(anna, call);
        vote(anna, proposal, FOR);
        pass(VOTING_PERIOD);
        queue(call);
        pass(TIMELOCK);
        vm.expectPartialRevert(IGovernor.GovernorNonexistentProposal.selector);
        execute(abi.encodeCall(AnyVault.setOperator, (ben)));
    }

    // --- what owners vote about the vote itself -----------------------------------------------------------------------

    function test_OwnersChangeHowTheyDecide() public {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            plan(abi.encodeCall(governor.setVotingDelay, (120)));
        targets[0] = address(governor);
        vm.prank(anna);
        uint256 proposal = governor.propose(targets, values, calls, "because");
        pass(VOTING_DELAY + 1);
        vote(anna, proposal, FOR);
        pass(VOTING_PERIOD);
        governor.queue(targets, values, calls, keccak256("because"));
        pass(TIMELOCK);
        governor.execute(targets, values, calls, keccak256("because"));
        assertEq(governor.votingDelay(), 120, "changed");
    }

    /// @dev A founder who owns all shares lets himself command the vault for ever, sells them, and takes the machine.
    function test_NoVoteGivesTheTimelockAnotherMaster() public {
        bytes32 proposer = keccak256("PROPOSER_ROLE");
        bytes[3] memory wishes = [
            abi.encodeCall(IAccessControl.grantRole, (proposer, founder)),
            abi.encodeCall(IAccessControl.grantRole, (0, founder)),
            abi.encodeCall(IAccessControl.revokeRole, (proposer, address(governor)))
        ];
        for (uint256 i = 0; i < wishes.length; ++i) {
            (address[] memory targets, uint256[] memory values, bytes[] memory calls) = plan(wishes[i]);
            targets[0] = timelock;
            vm.prank(founder);
            uint256 proposal = governor.propose(targets, values, calls, "because");
            pass(VOTING_DELAY + 1);
            vote(founder, proposal, FOR);
            pass(VOTING_PERIOD);
            governor.queue(targets, values, calls, keccak256("because"));
            pass(TIMELOCK);
            vm.expectPartialRevert(IAnyTimelock.RolesFixed.selector);
            governor.execute(targets, values, calls, keccak256("because"));
        }
    }

    /// @dev A founder makes the vote worth nothing, sells his shares, and stays the operator and the receiver of fees for ever.
    function test_NoVoteTakesTheVaultFromItsOwners() public {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            plan(abi.encodeCall(IAnyGovernor.updateTimelock, (founder)));
        targets[0] = address(governor);
        vm.prank(founder);
        uint256 proposal = governor.propose(targets, values, calls, "because");
        pass(VOTING_DELAY + 1);
        vote(founder, proposal, FOR);
        pass(VOTING_PERIOD);
        governor.queue(targets, values, calls, keccak256("because"));
        pass(TIMELOCK);
        vm.expectPartialRevert(IAnyGovernor.TimelockFixed.selector);
        governor.execute(targets, values, calls, keccak256("because"));
        assertEq(governor.timelock(), timelock, "still the vault's");
    }

    function test_NoVaultBeginsWithoutAPauseOrWithAnEndlessOne() public {
        VaultSetup memory setup = plainSetup();
        setup.machineIds = new uint256[](0);
        for (uint256 i = 0; i < 6; ++i) {
            GovernanceSetup memory governance = governanceSetup();
            if (i == 0) governance.votingDelaySeconds = 0;
            if (i == 1) governance.quorumPercent = 0;
            if (i == 2) governance.timelockSeconds = 0;
            if (i == 3) governance.votingDelaySeconds = uint48(365 * DAY + 1);
            if (i == 4) governance.votingPeriodSeconds = uint32(365 * DAY + 1);
            if (i == 5) governance.timelockSeconds = 365 * DAY + 1;
            vm.expectPartialRevert(IAnyGovernor.GovernanceRefused.selector);
            factory.create(setup, governance);
        }
    }

    // --- what was voted by others than today's owners -----------------------------------------------------------------

    /// @dev A founder votes the machine to himself while nobody has bought, and has it done when everybody has paid.
    function test_NothingIsProposedWhileSharesAreSold() public {
        deployVaults();
        found(saleSetup());
        nextBlock();
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            plan(abi.encodeCall(AnyVault.setOperator, (founder)));
        vm.prank(founder);
        vm.expectPartialRevert(IAnyGovernor.VaultNotLive.selector);
        governor.propose(targets, values, calls, "because");
    }

    /// @dev Else a founder keeps what he voted alone, sells his shares, and has it done then.
    function test_WhatWasVotedLapses() public {
        bytes memory call = abi.encodeCall(AnyVault.setOperator, (anna));
        uint256 proposal = propose(anna, call);
        vote(anna, proposal, FOR);
        pass(VOTING_PERIOD);
        uint256 deadline = governor.proposalDeadline(proposal);
        pass(deadline + 14 days - time);
        assertState(proposal, IGovernor.ProposalState.Succeeded, "the last second to queue it");
        pass(1);
        assertState(proposal, IGovernor.ProposalState.Expired, "not queued in time");
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        queue(call);

        call = abi.encodeCall(AnyVault.setOperator, (ben));
        proposal = propose(anna, call);
        vote(anna, proposal, FOR);
        pass(VOTING_PERIOD);
        queue(call);
        pass(TIMELOCK + 14 days);
        assertState(proposal, IGovernor.ProposalState.Queued, "the last second to execute it");
        pass(1);
        assertState(proposal, IGovernor.ProposalState.Expired, "not executed in time");
        vm.expectPartialRevert(IGovernor.GovernorUnexpectedProposalState.selector);
        execute(call);
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = plan(call);
        bytes32 salt = bytes32(bytes20(address(governor))) ^ keccak256("because");
        vm.expectPartialRevert(IAccessControl.AccessControlUnauthorizedAccount.selector);
        IAnyTimelock(timelock).executeBatch(targets, values, calls, 0, salt);
        assertEq(vault.operator(), operator, "nothing was done");
    }
}
