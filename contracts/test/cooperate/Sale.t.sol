// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {VaultFactory} from "../../src/cooperate/VaultFactory.sol";
import {VaultIncome} from "../../src/cooperate/VaultIncome.sol";
import {IVaultRefusals} from "../../src/cooperate/VaultRules.sol";
import {VaultSale} from "../../src/cooperate/VaultSale.sol";
import {BuyoutRules, GovernanceSetup, Phase, Sale, VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {VaultShares} from "../../src/cooperate/VaultShares.sol";
import {Fee, Waterfall} from "../../src/cooperate/Waterfall.sol";
import {FalseToken, FeeToken, LyingToken, MintableToken, ReentrantToken} from "../hostile/Tokens.sol";
import {AnyVault} from "../support/AnyVault.sol";
import {VaultFixture} from "../support/VaultFixture.sol";

/// @notice How a vault begins: what setups are refused, and the primary sale.
contract SaleTest is VaultFixture {
    function setUp() public {
        deployVaults();
    }

    // --- create -------------------------------------------------------------------------------------------------------

    function test_AVaultBeginsAsItsSetupSays() public {
        VaultSetup memory setup = buyoutSetup();
        setup.waterfall = waterfallOf(500, carla, 70, fees(anna, 100, ben, 200));
        found(setup);
        assertTrue(factory.isVault(address(vault)), "known to the factory");
        assertEq(registry.ownerOf(machineId), address(vault), "machine");
        assertEq(vault.balanceOf(founder), 100, "founder's shares");
        assertEq(vault.getVotes(founder), 100, "founder's votes, without delegating");
        assertEq(vault.founder(), founder, "founder");
        assertEq(vault.operator(), operator, "operator");
        assertEq(vault.timelock(), timelock, "timelock");
        assertEq(vault.controller(), timelock, "controller");
        assertEq(governor.timelock(), timelock, "the governor's timelock");
        assertEq(uint256(vault.phase()), uint256(Phase.Live), "phase");
        assertEq(vault.machineIds()[0], machineId, "machine id");
        assertEq(vault.decimals(), 0, "whole shares");
        assertEq(keccak256(abi.encode(vault.waterfall())), keccak256(abi.encode(setup.waterfall)), "waterfall");
    }

    function test_NobodyBeginsAVaultTwiceOrItsCode() public {
        found(plainSetup());
        VaultSetup memory setup = plainSetup();
        address[3] memory places = [address(vault), factory.vaultCode(), factory.governorCode()];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert();
            AnyVault(payable(places[i])).initialize(setup, anna, anna);
        }
    }

    function test_AnotherOnesMachineGoesIntoNoVault() public {
        VaultSetup memory setup = plainSetup();
        vm.prank(founder);
        registry.setApprovalForAll(address(factory), true);
        vm.prank(anna);
        vm.expectRevert();
        factory.create(setup, governanceSetup());
        setup.machineIds = new uint256[](2);
        (setup.machineIds[0], setup.machineIds[1]) = (machineId, machineId);
        vm.prank(founder);
        vm.expectRevert();
        factory.create(setup, governanceSetup());
    }

    function refuseSetup(VaultSetup memory setup, bytes4 reason) private {
        vm.prank(founder);
        vm.expectPartialRevert(reason);
        factory.create(setup, governanceSetup());
    }

    function test_SetupsRefused() public {
        VaultSetup memory setup = plainSetup();
        setup.asset = anna;
        refuseSetup(setup, IVaultRefusals.AssetHasNoCode.selector);
        setup = plainSetup();
        setup.machineIds = new uint256[](17);
        refuseSetup(setup, IVaultRefusals.TooManyMachines.selector);
        setup = plainSetup();
        setup.founderShares = 0;
        refuseSetup(setup, IVaultRefusals.NoShares.selector);
        setup = saleSetup();
        setup.founderShares = type(uint96).max - 39;
        refuseSetup(setup, IVaultRefusals.TooManyShares.selector);
        setup = plainSetup();
        setup.waterfall.fees = new Fee[](5);
        refuseSetup(setup, IVaultRefusals.TooManyFees.selector);
        setup = plainSetup();
        setup.waterfall.fees = fees(anna, 5000, ben, 5001);
        refuseSetup(setup, IVaultRefusals.FeesAboveWhole.selector);
        setup = plainSetup();
        setup.waterfall.fees = fees(anna, 5000, address(0), 1);
        refuseSetup(setup, IVaultRefusals.FeeReceiverZero.selector);
        setup = plainSetup();
        setup.waterfall.outstanding = 1;
        refuseSetup(setup, IVaultRefusals.LenderZero.selector);
    }

    function test_SalesRefused() public {
        uint64 later = start + DAY;
        Sale[7] memory sales = [
            Sale({priceMinor: 0, cap: 10, goal: 1, deadline: later}), // free
            Sale({priceMinor: 1, cap: 10, goal: 11, deadline: later}), // never reached
            Sale({priceMinor: 1, cap: 10, goal: 1, deadline: start}), // over already
            Sale({priceMinor: 1, cap: 0, goal: 0, deadline: later}), // of nothing
            Sale({priceMinor: type(uint128).max, cap: 2, goal: 1, deadline: later}), // more than there is
            Sale({priceMinor: 1, cap: 0, goal: 1, deadline: 0}),
            Sale({priceMinor: 1, cap: 10, goal: 1, deadline: start + 366 * DAY + 1}) // whose money never comes back
        ];
        for (uint256 i = 0; i < sales.length; ++i) {
            VaultSetup memory setup = plainSetup();
            setup.sale = sales[i];
            refuseSetup(setup, IVaultRefusals.SaleRefused.selector);
        }
    }

    function test_BuyoutRulesRefused() public {
        BuyoutRules[6] memory rules = [
            BuyoutRules({minBps: 4999, refusalBps: 100, delaySeconds: DAY}), // less than half
            BuyoutRules({minBps: 10_001, refusalBps: 100, delaySeconds: DAY}),
            BuyoutRules({minBps: 5000, refusalBps: 5001, delaySeconds: DAY}), // more than half of the rest could not refuse
            BuyoutRules({minBps: 5000, refusalBps: 100, delaySeconds: 3599}), // too soon
            BuyoutRules({minBps: 5000, refusalBps: 100, delaySeconds: 365 * DAY + 1}),
            BuyoutRules({minBps: 0, refusalBps: 0, delaySeconds: DAY})
        ];
        for (uint256 i = 0; i < rules.length; ++i) {
            VaultSetup memory setup = plainSetup();
            setup.buyout = rules[i];
            refuseSetup(setup, IVaultRefusals.BuyoutRulesRefused.selector);
        }
    }

    function test_GovernanceWithoutAPauseRefused() public {
        GovernanceSetup memory governance = governanceSetup();
        for (uint256 i = 0; i < 5; ++i) {
            governance = governanceSetup();
            if (i == 0) governance.votingDelaySeconds = 0;
            if (i == 1) governance.votingPeriodSeconds = 0;
            if (i == 2) governance.quorumPercent = 0;
            if (i == 3) governance.quorumPercent = 101;
            if (i == 4) governance.timelockSeconds = 0;
            vm.prank(founder);
            vm.expectRevert();
            factory.create(plainSetup(), governance);
        }
    }

    // --- sale ---------------------------------------------------------------------------------------------------------

    function test_TheLastShareClosesTheSaleAndTheFounderHasTheProceeds() public {
        found(saleSetup());
        buy(anna, 30);
        assertEq(uint256(vault.phase()), uint256(Phase.Selling), "selling");
        assertEq(vault.getVotes(anna), 30, "votes at once");
        provide(ben, 11_000);
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultSale.SharesSoldOut.selector, 11, 10));
        vault.buyShares(11, ben);
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultSale.SharesSoldOut.selector, 0, 10));
        vault.buyShares(0, ben);
        vm.expectEmit(true, true, true, true, address(vault));
        emit VaultSale.SharesBought(ben, carla, 10, 10_000);
        vm.expectEmit(true, true, true, true, address(vault));
        emit VaultSale.SaleClosed(true, 40, 40_000);
        vm.prank(ben);
        vault.buyShares(10, carla);
        assertEq(uint256(vault.phase()), uint256(Phase.Live), "live");
        assertEq(vault.balanceOf(carla), 10, "bought for another");
        assertEq(vault.creditOf(founder), 40_000, "proceeds");
        assertEq(vault.undistributed(), 0, "no proceeds are income");
        assertEq(vault.payCredit(founder), 40_000, "paid");
        assertEq(euro.balanceOf(founder), 40_000, "in hand");
    }

    function test_AtTheDeadlineTheGoalDecides() public {
        found(saleSetup());
        buy(anna, 25);
        vm.warp(start + 7 * DAY);
        vm.expectRevert(abi.encodeWithSelector(VaultSale.SaleNotOver.selector, start + 7 * DAY, start + 7 * DAY));
        vault.closeSale();
        buy(ben, 1); // the last second
        vm.warp(start + 7 * DAY + 1);
        provide(carla, 1000);
        vm.prank(carla);
        vm.expectRevert(abi.encodeWithSelector(VaultSale.SaleOver.selector, start + 7 * DAY, start + 7 * DAY + 1));
        vault.buyShares(1, carla);
        vault.closeSale();
        assertEq(uint256(vault.phase()), uint256(Phase.Live), "live");
        assertEq(vault.totalSupply(), 36, "what is not sold is never made");
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.Live, Phase.Selling));
        vault.closeSale();
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.Live, Phase.Failed));
        vault.refundShares(anna);
    }

    function failSale() private {
        found(saleSetup());
        buy(anna, 20);
        buy(ben, 4);
        donate(777); // income of the time of the sale
        pass(7 * DAY + 1);
        vault.closeSale();
    }

    function test_AMissedGoalSendsMoneyAndMachinesBack() public {
        failSale();
        assertEq(uint256(vault.phase()), uint256(Phase.Failed), "failed");
        assertEq(registry.ownerOf(machineId), founder, "machine");
        vm.expectEmit(true, true, true, true, address(vault));
        emit VaultSale.SaleRefunded(anna, 20, 20_000);
        vault.refundShares(anna);
        vault.refundShares(ben);
        assertEq(euro.balanceOf(anna), 20_000, "anna");
        assertEq(euro.balanceOf(ben), 4_000, "ben");
        vm.expectRevert(abi.encodeWithSelector(VaultSale.NothingBought.selector, anna));
        vault.refundShares(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultSale.NothingBought.selector, founder));
        vault.refundShares(founder);
        vault.distribute();
        assertEq(vault.payCredit(founder), 777, "income is the founder's");
        assertEq(euro.balanceOf(address(vault)), 0, "nothing left");
    }

    /// @dev The founder is the account of a machine that he has given to the account of the machine he sold.
    function test_AFounderWhoCannotTakeHisMachineBackHoldsUpNoRefund() public {
        uint256 controlling = activeMachine(registry, carla, 12);
        founder = registry.accountOf(controlling);
        vm.prank(payee);
        registry.transferFrom(payee, founder, machineId);
        found(saleSetup());
        buy(anna, 20);
        address sold = registry.accountOf(machineId);
        vm.prank(carla);
        registry.transferFrom(carla, sold, controlling);
        pass(7 * DAY + 1);
        vault.closeSale();
        vault.refundShares(anna);
        assertEq(euro.balanceOf(anna), 20_000, "anna");
        assertEq(registry.ownerOf(machineId), address(vault), "the machine waits");
        assertEq(vault.controller(), founder, "for him");
    }

    function test_TheFounderOfAFailedSaleTouchesNoRefund() public {
        failSale();
        assertEq(vault.controller(), founder, "controller");
        vm.startPrank(founder);
        vm.expectRevert(abi.encodeWithSelector(AnyVault.TargetRefused.selector, address(euro)));
        vault.execute(address(euro), 0, abi.encodeCall(euro.transfer, (founder, 1)));
        vm.expectRevert(abi.encodeWithSelector(AnyVault.ReserveTooSmall.selector, 0, 1));
        vault.spend(founder, 1, "");
        vault.setCompliance(address(linear)); // what no share passes
        vm.stopPrank();
        vault.refundShares(anna);
        assertEq(euro.balanceOf(anna), 20_000, "anna");
    }

    function test_SharesThatMayBeRefundedDoNotMove() public {
        found(saleSetup());
        buy(anna, 20);
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultShares.SharesLocked.selector, Phase.Selling));
        vault.transfer(ben, 1);
        pass(7 * DAY + 1);
        vault.closeSale();
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultShares.SharesLocked.selector, Phase.Failed));
        vault.transfer(ben, 1);
    }

    function test_ASaleWithoutGoalAndBuyersFailsUnlessTheFounderHasShares() public {
        VaultSetup memory setup = saleSetup();
        setup.sale.goal = 0;
        setup.founderShares = 0;
        found(setup);
        pass(7 * DAY + 1);
        vault.closeSale();
        assertEq(uint256(vault.phase()), uint256(Phase.Failed), "nobody could vote");
        assertEq(registry.ownerOf(machineId), founder, "machine");
        setup.founderShares = 1;
        setup.sale.deadline = start + 30 * DAY;
        found(setup);
        pass(30 * DAY);
        vault.closeSale();
        assertEq(uint256(vault.phase()), uint256(Phase.Live), "the founder alone");
    }

    function test_IncomeOfTheSaleWaitsForItsEnd() public {
        found(saleSetup());
        donate(5000);
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.Selling, Phase.Live));
        vault.distribute();
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.Selling, Phase.Live));
        asTimelock(abi.encodeCall(AnyVault.spend, (anna, 1, "")));
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.Selling, Phase.Live));
        asTimelock(abi.encodeCall(AnyVault.execute, (address(registry), 0, "")));
        buy(anna, 40);
        vault.distribute();
        nextBlock();
        assertEq(vault.claimableOf(anna), 4000, "forty of fifty");
        assertEq(vault.claimableOf(founder), 1000, "ten of fifty");
    }

    // --- odd assets ---------------------------------------------------------------------------------------------------

    function foundWith(MintableToken token) private {
        VaultSetup memory setup = saleSetup();
        setup.asset = address(token);
        found(setup);
        token.mint(anna, 1_000_000);
        vm.prank(anna);
        token.approve(address(vault), type(uint256).max);
    }

    function test_AnAssetThatDoesNotArriveBuysNothing() public {
        MintableToken[3] memory tokens =
            [MintableToken(new FeeToken()), MintableToken(new FalseToken()), MintableToken(new LyingToken())];
        for (uint256 i = 0; i < tokens.length; ++i) {
            VaultSetup memory setup = saleSetup();
            setup.machineIds = new uint256[](0);
            setup.asset = address(tokens[i]);
            found(setup);
            tokens[i].mint(anna, 10_000);
            vm.startPrank(anna);
            tokens[i].approve(address(vault), 10_000);
            vm.expectRevert();
            vault.buyShares(1, anna);
            vm.stopPrank();
            assertEq(vault.balanceOf(anna), 0, "shares");
        }
    }

    function test_AnAssetThatCallsBackGetsNothingTwice() public {
        ReentrantToken token = new ReentrantToken();
        foundWith(token);
        bytes[4] memory calls = [
            abi.encodeCall(VaultSale.buyShares, (1, anna)),
            abi.encodeCall(VaultSale.closeSale, ()),
            abi.encodeCall(VaultSale.refundShares, (anna)),
            abi.encodeCall(VaultIncome.distribute, ())
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            token.plan(address(vault), calls[i]);
            vm.prank(anna);
            vault.buyShares(1, anna);
            assertTrue(!token.succeeded(), "called back");
            assertEq(vault.balanceOf(anna), i + 1, "one share each");
        }
    }

    function test_WhoHasNotThePriceBuysNothing() public {
        found(saleSetup());
        euro.mint(anna, 999);
        vm.startPrank(anna);
        euro.approve(address(vault), 1000);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        vault.buyShares(1, anna);
        vm.stopPrank();
    }
}
