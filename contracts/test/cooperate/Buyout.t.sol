// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultBuyout} from "../../src/cooperate/VaultBuyout.sol";
import {VaultIncome} from "../../src/cooperate/VaultIncome.sol";
import {BuyoutRules, Phase, VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {VaultShares} from "../../src/cooperate/VaultShares.sol";
import {AnyVault} from "../support/AnyVault.sol";
import {VaultFixture} from "../support/VaultFixture.sol";

/// @notice An offer for the rest of the shares: made, refused, completed, and paid for.
contract BuyoutTest is VaultFixture {
    uint128 private constant PRICE = 1000;

    function setUp() public {
        deployVaults();
    }

    /// @dev Anna holds 60, Ben 24, Carla 16.
    function foundThree() private {
        VaultSetup memory setup = buyoutSetup();
        found(setup);
        give(anna, 60);
        give(ben, 24);
        give(carla, 16);
    }

    function offer() private {
        provide(anna, 40 * PRICE);
        vm.prank(anna);
        vault.offerBuyout(PRICE);
    }

    function refuse(address owner, uint256 shares) private {
        vm.prank(owner);
        vault.refuseBuyout(shares);
    }

    function complete() private {
        pass(DAY + 1);
        vault.completeBuyout();
    }

    // --- offer --------------------------------------------------------------------------------------------------------

    function test_AnOfferIsPaidForFirst() public {
        foundThree();
        vm.prank(anna);
        vm.expectRevert();
        vault.offerBuyout(PRICE);
        provide(anna, 40 * PRICE);
        vm.expectEmit(true, true, true, true, address(vault));
        emit VaultBuyout.BuyoutOffered(1, anna, PRICE, 40 * PRICE, start + DAY);
        vm.prank(anna);
        vault.offerBuyout(PRICE);
        assertEq(vault.undistributed(), 0, "a deposit is no income");
        assertEq(vault.buyoutOffer().offerer, anna, "offerer");
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.BuyoutStands.selector, 1));
        vault.offerBuyout(PRICE);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.BuyoutStands.selector, 1));
        asTimelock(abi.encodeCall(AnyVault.setBuyoutRules, (BuyoutRules(0, 0, 0))));
    }

    function test_WhoHoldsTooLittleOffersNothing() public {
        foundThree();
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesTooFew.selector, ben, 24, 50));
        vault.offerBuyout(PRICE);
        vm.prank(anna);
        vault.transfer(ben, 11);
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesTooFew.selector, anna, 49, 50));
        vault.offerBuyout(PRICE);
    }

    function test_WithoutRulesNobodyOffers() public {
        found(plainSetup());
        vm.prank(founder);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.BuyoutNotAllowed.selector));
        vault.offerBuyout(PRICE);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.NoBuyoutOffer.selector));
        vault.refuseBuyout(1);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.NoBuyoutOffer.selector));
        vault.completeBuyout();
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.Live, Phase.BoughtOut));
        vault.redeem(founder);
    }

    // --- refusal ------------------------------------------------------------------------------------------------------

    function test_MoreThanAQuarterOfTheOthersEndsTheOffer() public {
        foundThree();
        offer();
        refuse(ben, 10); // a quarter of forty, and no more
        assertEq(vault.refusedBy(ben), 10, "refused");
        vm.expectEmit(true, true, true, true, address(vault));
        emit VaultBuyout.BuyoutFailed(1, 11);
        refuse(carla, 1);
        assertEq(vault.creditOf(anna), 40 * PRICE, "her money back");
        assertEq(vault.buyoutOffer().offerer, address(0), "no offer");
        vm.prank(ben);
        vault.transfer(carla, 24); // unlocked
        vm.prank(anna);
        vault.transfer(carla, 60);
        assertEq(vault.payCredit(anna), 40 * PRICE, "in hand");
    }

    function test_SharesThatRefusedDoNotMoveAndRefuseOnce() public {
        foundThree();
        offer();
        refuse(ben, 10);
        vm.startPrank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesLockedByOffer.selector, ben, 10));
        vault.transfer(carla, 15);
        vault.transfer(carla, 14);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesTooFew.selector, ben, 10, 11));
        vault.refuseBuyout(1);
        vm.stopPrank();
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesLockedByOffer.selector, anna, 60));
        vault.transfer(carla, 1);
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesTooFew.selector, anna, 60, 1));
        vault.refuseBuyout(1);
        vm.prank(carla);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesTooFew.selector, carla, 30, 0));
        vault.refuseBuyout(0);
    }

    function test_RefusalHasItsTime() public {
        foundThree();
        offer();
        pass(DAY);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.RefusalNotOver.selector, start + DAY, start + DAY));
        vault.completeBuyout();
        refuse(ben, 1); // the last second
        pass(1);
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.RefusalOver.selector, start + DAY, start + DAY + 1));
        vault.refuseBuyout(10);
    }

    function test_ARefusalOfAnEarlierOfferCountsNoMore() public {
        foundThree();
        offer();
        refuse(ben, 24);
        offer();
        assertEq(vault.refusedBy(ben), 0, "anew");
        assertEq(vault.offerCount(), 2, "second");
        complete();
        assertEq(uint256(vault.phase()), uint256(Phase.BoughtOut), "completed");
    }

    // --- completion ---------------------------------------------------------------------------------------------------

    function test_UnrefusedTheBuyerHasTheMachineAndEachShareThePrice() public {
        VaultSetup memory setup = buyoutSetup();
        setup.waterfall = waterfallOf(500, address(0), 0, noFees());
        found(setup);
        give(anna, 60);
        give(ben, 24);
        give(carla, 16);
        earn(1500);
        offer();
        refuse(ben, 10); // not enough, and in nobody's way afterwards
        complete();
        assertEq(vault.controller(), anna, "controller");
        assertEq(vault.creditOf(anna), 500, "the reserve goes with the machine");
        vault.redeem(ben);
        vault.redeem(carla);
        assertEq(euro.balanceOf(ben), 24 * PRICE, "ben");
        assertEq(euro.balanceOf(carla), 16 * PRICE, "carla");
        assertEq(vault.claim(ben), 240, "earned before");
        assertEq(vault.claim(anna), 600, "hers, too");
        vm.expectRevert(abi.encodeWithSelector(VaultIncome.NothingToClaim.selector, ben));
        vault.redeem(ben);
        vm.prank(anna);
        vault.execute(address(registry), 0, abi.encodeCall(registry.transferFrom, (address(vault), anna, machineId)));
        assertEq(registry.ownerOf(machineId), anna, "machine");
        earn(70);
        assertEq(vault.creditOf(anna), 570, "later income is the buyer's");
        vm.expectRevert(abi.encodeWithSelector(AnyVault.NotController.selector, timelock, anna));
        asTimelock(abi.encodeCall(AnyVault.spend, (ben, 0, "")));
    }

    function test_WhatTheBuyerBoughtMeanwhileHeNeedNotPayTwice() public {
        foundThree();
        offer();
        vm.prank(carla);
        vault.transfer(anna, 16);
        complete();
        assertEq(vault.creditOf(anna), 16 * PRICE, "too much paid");
        vault.redeem(ben);
        vault.payCredit(anna);
        assertEq(euro.balanceOf(address(vault)), 0, "nothing left");
    }

    function test_TheBuyersSharesAreWorthNothingAndStay() public {
        foundThree();
        offer();
        complete();
        vm.expectRevert(abi.encodeWithSelector(VaultIncome.NothingToClaim.selector, anna));
        vault.redeem(anna);
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesLockedByOffer.selector, anna, 60));
        vault.transfer(carla, 60); // who could give them in
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.SharesLockedByOffer.selector, anna, 60));
        vault.transfer(anna, 24); // where they could not be given in
        vm.prank(ben);
        vault.transfer(carla, 24);
        vault.redeem(carla);
        assertEq(euro.balanceOf(carla), 40 * PRICE, "all of the others'");
    }

    /// @dev A unit given to the vault in each block used to stop it for ever.
    function test_NobodyDelaysACompletionByGifts() public {
        foundThree();
        offer();
        pass(DAY + 1);
        earn(1000);
        donate(500);
        vault.completeBuyout();
        vm.expectRevert(abi.encodeWithSelector(VaultBuyout.IncomeFirst.selector, height));
        vault.redeem(ben); // not before it shows whose this block's income is
        vm.prank(ben);
        vault.transfer(carla, 24);
        nextBlock();
        vault.redeem(carla);
        assertEq(vault.claim(carla), 600, "forty of a hundred, at the end of the block");
        assertEq(vault.claim(anna), 900, "sixty of a hundred");
        assertEq(euro.balanceOf(address(vault)), 0, "nothing left");
    }

    function test_WhoHasAllSharesBuysForNothing() public {
        found(buyoutSetup());
        vm.prank(founder);
        vault.offerBuyout(PRICE);
        complete();
        assertEq(vault.controller(), founder, "controller");
        earn(10);
        assertEq(vault.creditOf(founder), 10, "income");
    }

    function test_ABuyoutIsNotOfferedTwice() public {
        foundThree();
        offer();
        complete();
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.BoughtOut, Phase.Live));
        vault.completeBuyout();
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.BoughtOut, Phase.Live));
        vault.offerBuyout(PRICE);
        vm.prank(ben);
        vm.expectRevert(abi.encodeWithSelector(VaultShares.PhaseRefused.selector, Phase.BoughtOut, Phase.Live));
        vault.refuseBuyout(1);
    }
}
