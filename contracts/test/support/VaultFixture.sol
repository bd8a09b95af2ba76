// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultFactory} from "../../src/cooperate/VaultFactory.sol";
import {BuyoutRules, GovernanceSetup, Sale, VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {Fee, Waterfall} from "../../src/cooperate/Waterfall.sol";
import {AnyVault, IAnyGovernor} from "./AnyVault.sol";
import {Deploy} from "./Deploy.sol";
import {Fixture} from "./Fixture.sol";

/// @notice A world with vaults: the payee founds one with his machine, friends own shares of it.
abstract contract VaultFixture is Fixture {
    uint256 internal constant OPERATOR_SECRET = 0x0FE4;
    uint48 internal constant VOTING_DELAY = 60;
    uint32 internal constant VOTING_PERIOD = 3600;
    uint256 internal constant TIMELOCK = 7200;

    VaultFactory internal factory;
    AnyVault internal vault;
    IAnyGovernor internal governor;
    address internal timelock;
    address internal founder = payee;
    address internal operator = vm.addr(OPERATOR_SECRET);
    address internal anna = account("anna");
    address internal ben = account("ben");
    address internal carla = account("carla");
    /// @dev Kept here, since the optimizer takes block.timestamp and block.number for constant within a call.
    uint256 internal time = T0;
    uint256 internal height = 1_000_000;

    function deployVaults() internal {
        vm.warp(time); // another world of the same test may have gone further
        deployWorld();
        factory = Deploy.vaultFactory(registry, house);
        vm.roll(height);
    }

    // --- setups -------------------------------------------------------------------------------------------------------

    /// @notice One hundred shares of the founder, all income to owners, no sale, no buy-out.
    function plainSetup() internal view returns (VaultSetup memory setup) {
        setup.name = "Boat";
        setup.symbol = "BOAT";
        setup.asset = address(euro);
        setup.operator = operator;
        setup.machineIds = new uint256[](1);
        setup.machineIds[0] = machineId;
        setup.founderShares = 100;
    }

    /// @notice Forty shares at 1,000 until a week from now, refunded unless 25 are sold; ten are the founder's.
    function saleSetup() internal view returns (VaultSetup memory setup) {
        setup = plainSetup();
        setup.founderShares = 10;
        setup.sale = Sale({priceMinor: 1000, cap: 40, goal: 25, deadline: start + 7 * DAY});
    }

    /// @notice With half of the shares one may offer; more than a quarter of the rest refuses; within a day.
    function buyoutSetup() internal view returns (VaultSetup memory setup) {
        setup = plainSetup();
        setup.buyout = BuyoutRules({minBps: 5000, refusalBps: 2500, delaySeconds: DAY});
    }

    function governanceSetup() internal pure returns (GovernanceSetup memory) {
        return GovernanceSetup({
            votingDelaySeconds: VOTING_DELAY,
            votingPeriodSeconds: VOTING_PERIOD,
            proposalThreshold: 1,
            quorumPercent: 20,
            timelockSeconds: TIMELOCK
        });
    }

    function waterfallOf(uint128 reserveTarget, address lender, uint128 outstanding, Fee[] memory list)
        internal
        pure
        returns (Waterfall memory)
    {
        return Waterfall({reserveTarget: reserveTarget, lender: lender, outstanding: outstanding, fees: list});
    }

    function noFees() internal pure returns (Fee[] memory) {
        return new Fee[](0);
    }

    function fees(address to, uint16 bps, address to2, uint16 bps2) internal pure returns (Fee[] memory list) {
        list = new Fee[](2);
        list[0] = Fee(to, bps);
        list[1] = Fee(to2, bps2);
    }

    // --- making one -----------------------------------------------------------------------------------------------------

    /// @notice Makes the vault of this test, its machines approved.
    function found(VaultSetup memory setup) internal {
        vm.prank(founder);
        registry.setApprovalForAll(address(factory), true);
        vm.prank(founder);
        (address made, address governs, address waits) = factory.create(setup, governanceSetup());
        (vault, governor, timelock) = (AnyVault(payable(made)), IAnyGovernor(payable(governs)), waits);
    }

    /// @notice The founder gives shares away.
    function give(address to, uint256 shares) internal {
        vm.prank(founder);
        vault.transfer(to, shares);
    }

    // --- what happens ---------------------------------------------------------------------------------------------------

    /// @notice The next block, `elapsed` seconds later.
    function pass(uint256 elapsed) internal {
        time += elapsed;
        height += 1;
        vm.warp(time);
        vm.roll(height);
    }

    function nextBlock() internal {
        pass(1);
    }

    function donate(uint256 amount) internal {
        euro.mint(address(vault), amount);
    }

    /// @notice Income that is distributed in this block.
    function earn(uint256 amount) internal {
        donate(amount);
        vault.distribute();
    }

    /// @notice Money of `account_`, which the vault may take.
    function provide(address account_, uint256 amount) internal {
        euro.mint(account_, amount);
        vm.prank(account_);
        euro.approve(address(vault), type(uint256).max);
    }

    function buy(address buyer, uint128 shares) internal {
        provide(buyer, uint256(shares) * 1000);
        vm.prank(buyer);
        vault.buyShares(shares, buyer);
    }

    function asTimelock(bytes memory call) internal {
        vm.prank(timelock);
        (bool done, bytes memory answer) = address(vault).call(call);
        if (done) return;
        assembly ("memory-safe") {
            revert(add(answer, 0x20), mload(answer))
        }
    }

    /// @notice Everything that is accounted for lies on the vault.
    function assertCovered() internal view {
        assertTrue(euro.balanceOf(address(vault)) >= vault.accounted(), "accounted money lies on the vault");
    }
}
