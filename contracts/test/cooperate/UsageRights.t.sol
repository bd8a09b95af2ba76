// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC4907} from "../../src/cooperate/IERC4907.sol";
import {Right, UsageRights} from "../../src/cooperate/UsageRights.sol";
import {WeekClock} from "../../src/cooperate/WeekClock.sol";
import {HoursFixture} from "../support/HoursFixture.sol";

contract UsageRightsTest is HoursFixture {
    function setUp() public {
        deployCalendar();
    }

    // --- slots ----------------------------------------------------------------------------------------------------

    function test_EverySaturdayIsHeldAndCannotBeHeldTwice() public {
        uint256 id = give(THIS_WEEK, 12, SATURDAY, 0, anna);
        assertEq(rights.ownerOf(id), anna, "owner");
        for (uint256 week = THIS_WEEK; week < THIS_WEEK + 12; ++week) {
            assertEq(rights.hoursOf(id, week), SATURDAY, "held");
            assertEq(occupied(week), SATURDAY, "occupied");
        }
        assertEq(occupied(THIS_WEEK + 12), 0, "no week more");
        assertEq(rights.hoursOf(id, THIS_WEEK + 12), 0, "holds no week more");
        vm.prank(owner);
        vm.expectRevert(
            abi.encodeWithSelector(
                UsageRights.HoursTaken.selector, machineId, THIS_WEEK + 11, uint256(1) << (5 * 24 + 11)
            )
        );
        rights.issue(machineId, THIS_WEEK + 11, 4, uint168(3) << (5 * 24 + 11), 0, bruno);
    }

    function test_OnlyTheOwnerIssues() public {
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.NotIssuer.selector, machineId, anna, owner));
        rights.issue(machineId, NEXT_WEEK, 1, SATURDAY, 0, anna);
    }

    function test_WeeksAreBounded() public {
        refuseWeeks(THIS_WEEK - 1, 1);
        refuseWeeks(NEXT_WEEK, 0);
        refuseWeeks(NEXT_WEEK, 54);
        refuseWeeks(THIS_WEEK + 54, 1);
        give(THIS_WEEK + 53, 53, SATURDAY, 0, anna);
    }

    function refuseWeeks(uint32 firstWeek, uint8 weeksCount) private {
        vm.prank(owner);
        vm.expectPartialRevert(UsageRights.WeeksRefused.selector);
        rights.issue(machineId, firstWeek, weeksCount, SATURDAY, 0, anna);
    }

    function test_NothingIsIssuedInThePast() public {
        // Friday 08:00 UTC: what is over everywhere on Earth ended by Thursday 08:00.
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.HoursOver.selector, THIS_WEEK, uint256(1) << 79));
        rights.issue(machineId, THIS_WEEK, 1, uint168(1) << 79, 0, anna);
        rights.issue(machineId, THIS_WEEK, 1, uint168(1) << 80, 0, anna);
    }

    function test_ARightIsASlotOrAQuota() public {
        vm.startPrank(owner);
        vm.expectPartialRevert(UsageRights.HoursEmpty.selector);
        rights.issue(machineId, NEXT_WEEK, 1, 0, 0, anna);
        vm.expectPartialRevert(UsageRights.HoursInvalid.selector);
        rights.issue(machineId, NEXT_WEEK, 1, SATURDAY, 1, anna);
    }

    function test_ASlotGivesHoursUpForGood() public {
        uint256 id = give(NEXT_WEEK, 2, SATURDAY, 0, anna);
        vm.startPrank(anna);
        rights.cancel(id, NEXT_WEEK, SATURDAY);
        assertEq(rights.hoursOf(id, NEXT_WEEK), 0, "given up");
        assertEq(rights.hoursOf(id, NEXT_WEEK + 1), SATURDAY, "the other week stays");
        vm.expectRevert(abi.encodeWithSelector(UsageRights.RightIsSlot.selector, id));
        rights.book(id, NEXT_WEEK, SATURDAY);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.HoursNotHeld.selector, id, NEXT_WEEK, SATURDAY));
        rights.cancel(id, NEXT_WEEK, SATURDAY);
        vm.stopPrank();
        give(NEXT_WEEK, 1, SATURDAY, 0, bruno);
    }

    function test_GivingUpNeedsADaysNotice() public {
        // Friday 08:00 UTC and a day: Saturday 08:00 has, for this, begun; 09:00 has not.
        uint256 id = give(THIS_WEEK, 1, SATURDAY | (SATURDAY >> 24), 0, anna);
        vm.startPrank(anna);
        vm.expectPartialRevert(UsageRights.HoursBegun.selector);
        rights.cancel(id, THIS_WEEK, SATURDAY >> 24);
        rights.cancel(id, THIS_WEEK, SATURDAY);
        vm.stopPrank();
        id = give(THIS_WEEK, 1, SATURDAY, 0, anna);
        vm.warp(T0 + 1 hours);
        vm.prank(anna);
        vm.expectRevert(
            abi.encodeWithSelector(UsageRights.HoursBegun.selector, THIS_WEEK, uint256(1) << (5 * 24 + 8))
        );
        rights.cancel(id, THIS_WEEK, SATURDAY);
    }

    function test_ASlotThatGaveUpHoursRestsBeforeItMoves() public {
        uint256 id = give(NEXT_WEEK, 2, SATURDAY, 0, anna);
        vm.startPrank(anna);
        rights.cancel(id, NEXT_WEEK, SATURDAY);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.RightRests.selector, id, T0 + 1 hours));
        rights.transferFrom(anna, bruno, id);
        vm.warp(T0 + 1 hours);
        rights.transferFrom(anna, bruno, id);
        assertEq(rights.ownerOf(id), bruno, "moved");
    }

    // --- quotas ---------------------------------------------------------------------------------------------------

    function test_AQuotaBooksHoursOnDemandAndNeverMore() public {
        uint256 id = give(NEXT_WEEK, 4, 0, 5, anna);
        assertEq(promised(NEXT_WEEK), 5, "promised");
        vm.startPrank(anna);
        rights.book(id, NEXT_WEEK, SATURDAY);
        assertEq(promised(NEXT_WEEK), 1, "one is left");
        vm.expectRevert(abi.encodeWithSelector(UsageRights.QuotaSpent.selector, id, NEXT_WEEK, 5, 6));
        rights.book(id, NEXT_WEEK, 3);
        rights.cancel(id, NEXT_WEEK, SATURDAY);
        rights.book(id, NEXT_WEEK, 0x1f);
        assertEq(rights.hoursOf(id, NEXT_WEEK), 0x1f, "booked anew");
        assertEq(promised(NEXT_WEEK), 0, "all of it");
        vm.expectPartialRevert(UsageRights.WeekOutside.selector);
        rights.book(id, NEXT_WEEK + 4, 1);
    }

    function test_AnHourOfAnotherIsTaken() public {
        give(NEXT_WEEK, 1, SATURDAY, 0, bruno);
        uint256 id = give(NEXT_WEEK, 1, 0, 10, anna);
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.HoursTaken.selector, machineId, NEXT_WEEK, SATURDAY));
        rights.book(id, NEXT_WEEK, SATURDAY | 1);
    }

    function test_AQuotaCannotUseAnHourAndTakeItBack() public {
        uint256 id = give(THIS_WEEK, 1, 0, 4, anna);
        vm.prank(anna);
        rights.book(id, THIS_WEEK, SATURDAY);
        vm.warp(T0 + 1 days + 4 hours);
        vm.prank(anna);
        vm.expectPartialRevert(UsageRights.HoursBegun.selector);
        rights.cancel(id, THIS_WEEK, SATURDAY);
    }

    function test_WhatIsPromisedCannotBeSoldAgain() public {
        give(NEXT_WEEK, 1, 0, 160, anna);
        give(NEXT_WEEK, 1, 0xff, 0, bruno);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.HoursPromised.selector, machineId, NEXT_WEEK, 168, 169));
        rights.issue(machineId, NEXT_WEEK, 1, 0x100, 0, bruno);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.HoursPromised.selector, machineId, NEXT_WEEK, 168, 169));
        rights.issue(machineId, NEXT_WEEK, 1, 0, 1, bruno);
    }

    // --- lending --------------------------------------------------------------------------------------------------

    function test_TheUserBooksWhileItIsLentToHim() public {
        uint256 id = give(NEXT_WEEK, 4, 0, 5, anna);
        vm.prank(anna);
        rights.setUser(id, bruno, uint64(T0 + 1 days));
        assertEq(rights.userOf(id), bruno, "user");
        vm.prank(anna);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.NotHolder.selector, id, anna, bruno));
        rights.book(id, NEXT_WEEK, 1);
        vm.prank(bruno);
        rights.book(id, NEXT_WEEK, 1);
        vm.warp(T0 + 1 days + 1);
        assertEq(rights.userOf(id), address(0), "over");
        vm.prank(bruno);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.NotHolder.selector, id, bruno, anna));
        rights.cancel(id, NEXT_WEEK, 1);
        vm.prank(anna);
        rights.cancel(id, NEXT_WEEK, 1);
    }

    function test_AUserGivesUpNoHoursOfASlot() public {
        uint256 id = give(NEXT_WEEK, 4, SATURDAY, 0, anna);
        vm.prank(anna);
        rights.setUser(id, bruno, uint64(FAR));
        vm.prank(bruno);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.NotHolder.selector, id, bruno, anna));
        rights.cancel(id, NEXT_WEEK, SATURDAY);
    }

    function test_ATransferEndsALending() public {
        uint256 id = give(NEXT_WEEK, 4, SATURDAY, 0, anna);
        vm.prank(anna);
        rights.setUser(id, bruno, uint64(FAR));
        vm.expectEmit(true, true, true, true, address(rights));
        emit IERC4907.UpdateUser(id, address(0), 0);
        vm.prank(anna);
        rights.transferFrom(anna, payer, id);
        assertEq(rights.userOf(id), address(0), "no user");
        assertEq(rights.userExpires(id), 0, "no expiry");
    }

    function test_OnlyTheOwnerAndWhomHeApprovedLend() public {
        uint256 id = give(NEXT_WEEK, 4, SATURDAY, 0, anna);
        vm.prank(bruno);
        vm.expectPartialRevert(IERC721Errors.ERC721InsufficientApproval.selector);
        rights.setUser(id, bruno, uint64(FAR));
        vm.prank(anna);
        rights.approve(bruno, id);
        vm.prank(bruno);
        rights.setUser(id, bruno, uint64(FAR));
        assertTrue(rights.supportsInterface(0xad092b5c), "ERC-4907");
        assertTrue(rights.supportsInterface(0x80ac58cd), "ERC-721");
    }

    // --- prices ---------------------------------------------------------------------------------------------------

    function test_HoursAreBoughtForTheirPricePaidToTheOwner() public {
        putOnSale();
        enrich(anna);
        vm.prank(anna);
        uint256 id = rights.buy(machineId, NEXT_WEEK, 12, SATURDAY, address(euro), 48 * uint256(PRICE), bruno);
        assertEq(rights.ownerOf(id), bruno, "for another");
        assertEq(euro.balanceOf(owner), 48 * uint256(PRICE), "4 hours of 12 weeks");
        vm.prank(anna);
        id = rights.buyHours(machineId, NEXT_WEEK, 2, 10, address(euro), 20 * uint256(PRICE), anna);
        assertEq(rights.rightOf(id).hoursPerWeek, 10, "quota");
        assertEq(euro.balanceOf(owner), 68 * uint256(PRICE), "10 hours of 2 weeks");
    }

    function test_NobodyPaysMoreThanHeSaid() public {
        putOnSale();
        enrich(anna);
        vm.prank(anna);
        vm.expectRevert(
            abi.encodeWithSelector(UsageRights.PriceAbove.selector, 4 * uint256(PRICE), 4 * uint256(PRICE) - 1)
        );
        rights.buy(machineId, NEXT_WEEK, 1, SATURDAY, address(euro), 4 * uint256(PRICE) - 1, anna);
    }

    function test_OnlyWhatIsOnSaleIsSold() public {
        enrich(anna);
        refuseSale(NEXT_WEEK, 1, SATURDAY);
        vm.prank(owner);
        rights.offer(machineId, address(euro), PRICE, SATURDAY, NEXT_WEEK + 4);
        refuseSale(NEXT_WEEK, 5, SATURDAY);
        refuseSale(NEXT_WEEK, 4, SATURDAY | 1);
        vm.prank(anna);
        rights.buy(machineId, NEXT_WEEK, 4, SATURDAY, address(euro), type(uint256).max, anna);
        vm.prank(owner);
        rights.offer(machineId, address(euro), 0, SATURDAY, NEXT_WEEK + 4);
        refuseSale(NEXT_WEEK + 4, 1, SATURDAY);
    }

    function refuseSale(uint32 firstWeek, uint8 weeksCount, uint168 bits) private {
        vm.prank(anna);
        vm.expectPartialRevert(UsageRights.NotOnSale.selector);
        rights.buy(machineId, firstWeek, weeksCount, bits, address(euro), type(uint256).max, anna);
    }

    // --- a machine that changes hands -----------------------------------------------------------------------------

    function test_RightsOutliveASaleOfTheMachine_AndTheOfferDoesNot() public {
        putOnSale();
        enrich(anna);
        vm.prank(anna);
        uint256 id = rights.buy(machineId, NEXT_WEEK, 4, SATURDAY, address(euro), type(uint256).max, anna);
        vm.prank(owner);
        registry.transferFrom(owner, bruno, machineId);
        assertEq(rights.hoursOf(id, NEXT_WEEK), SATURDAY, "outlives");
        assertEq(rights.offerOf(machineId).pricePerHour, 0, "off sale");
        refuseSale(NEXT_WEEK, 1, 1);
        vm.prank(owner);
        vm.expectPartialRevert(UsageRights.NotIssuer.selector);
        rights.issue(machineId, NEXT_WEEK, 1, 1, 0, owner);
        vm.prank(bruno);
        rights.issue(machineId, NEXT_WEEK, 1, 1, 0, bruno);
        assertEq(rights.calendarOf(machineId).issues, 2, "a buyer of the machine compares it");
        vm.prank(bruno);
        registry.transferFrom(bruno, owner, machineId);
        assertEq(rights.offerOf(machineId).pricePerHour, 0, "and it stays off sale");
    }

    function test_AScrappedMachineHasNoHours() public {
        putOnSale();
        enrich(anna);
        vm.prank(owner);
        registry.decommission(machineId);
        vm.prank(anna);
        vm.expectPartialRevert(UsageRights.MachineGone.selector);
        rights.buy(machineId, NEXT_WEEK, 1, SATURDAY, address(euro), type(uint256).max, anna);
    }

    // --- zones ----------------------------------------------------------------------------------------------------

    function test_TheZoneIsBoundWhileRightsReachThisWeek() public {
        give(THIS_WEEK, 2, SATURDAY, 0, anna);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(UsageRights.ZoneBound.selector, machineId, THIS_WEEK + 2));
        rights.setZone(machineId, "UTC");
        vm.warp(T0 + 17 days);
        rights.setZone(machineId, "UTC");
    }

    function test_AZoneHasTheCharactersOfOne() public {
        string[5] memory bad = ["", "Europe Berlin", "<b>", "../x", "America/Argentina/ComodRivadavia"];
        for (uint256 i = 0; i < 5; ++i) {
            vm.prank(owner);
            vm.expectPartialRevert(UsageRights.ZoneInvalid.selector);
            rights.setZone(machineId, bad[i]);
        }
        uint256 second = activeMachine(registry, owner, 12);
        vm.prank(owner);
        vm.expectPartialRevert(UsageRights.ZoneMissing.selector);
        rights.issue(second, NEXT_WEEK, 1, SATURDAY, 0, anna);
    }

    // --- laws -----------------------------------------------------------------------------------------------------

    function testFuzz_CountCountsBits(uint168 bits) public pure {
        uint256 n;
        for (uint256 rest = bits; rest != 0; rest >>= 1) {
            n += rest & 1;
        }
        assertEq(WeekClock.count(bits), n, "count");
    }

    function testFuzz_WhatIsIssuedIsOccupiedOnce(uint168 a, uint168 b, uint8 weeksCount) public {
        weeksCount = uint8(bound(weeksCount, 1, 6));
        if (a == 0 || b == 0) return;
        give(NEXT_WEEK, weeksCount, a, 0, anna);
        if (a & b != 0) {
            vm.prank(owner);
            vm.expectPartialRevert(UsageRights.HoursTaken.selector);
            rights.issue(machineId, NEXT_WEEK + weeksCount - 1, 1, b, 0, bruno);
        } else {
            give(NEXT_WEEK, weeksCount, b, 0, bruno);
            assertEq(occupied(NEXT_WEEK), a | b, "both");
        }
    }
}
