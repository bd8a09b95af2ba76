// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Right, UsageRights} from "../../src/cooperate/UsageRights.sol";
import {WeekClock} from "../../src/cooperate/WeekClock.sol";
import {HoursFixture} from "../support/HoursFixture.sol";

/// @notice Issues, buys, books, gives up, lends and sells in any order. Refusals are part of it: what it proves is what holds after.
contract HoursHandler is HoursFixture {
    uint32 internal constant WEEKS = 6;
    uint256 private constant MOST_RIGHTS = 24;
    address[3] private _people;
    uint256 private _clock = T0;
    mapping(bytes32 what => uint256 times) public seen;

    constructor() {
        deployCalendar();
        putOnSale();
        _people = [anna, bruno, account("Clara")];
        for (uint256 i = 0; i < 3; ++i) {
            enrich(_people[i]);
        }
    }

    function issue(uint256 who, uint32 week, uint8 count, uint168 bits, uint8 quota, uint256 dice) external {
        if (rights.rightCount() == MOST_RIGHTS) return;
        week = THIS_WEEK + uint32(week % WEEKS);
        count = uint8(bound(count, 1, WEEKS + THIS_WEEK - week));
        if (dice % 4 != 0) bits &= _narrow(dice);
        bool slot = dice % 2 == 0;
        vm.prank(owner);
        try rights.issue(machineId, week, count, slot ? bits : 0, slot ? 0 : quota % 120, _people[who % 3]) {
            seen["issue"] += 1;
        } catch {}
    }

    function buy(uint256 who, uint32 week, uint168 bits, uint8 quota, uint256 dice) external {
        if (rights.rightCount() == MOST_RIGHTS) return;
        week = THIS_WEEK + uint32(week % WEEKS);
        address buyer = _people[who % 3];
        uint256 before = euro.balanceOf(owner);
        vm.prank(buyer);
        if (dice % 2 == 0) {
            bits &= _narrow(dice);
            try rights.buy(machineId, week, 1, bits, address(euro), type(uint256).max, buyer) {
                seen["buy"] += 1;
                assertEq(euro.balanceOf(owner) - before, WeekClock.count(bits) * PRICE, "paid");
            } catch {}
        } else {
            quota = quota % 40;
            try rights.buyHours(machineId, week, 1, quota, address(euro), type(uint256).max, buyer) {
                seen["buyHours"] += 1;
                assertEq(euro.balanceOf(owner) - before, uint256(quota) * PRICE, "paid");
            } catch {}
        }
    }

    function book(uint256 which, uint32 week, uint256 dice) external {
        (uint256 id, address holder) = _pick(which);
        if (id == 0) return;
        vm.prank(holder);
        try rights.book(id, THIS_WEEK + uint32(week % WEEKS), uint168(_narrow(dice))) {
            seen["book"] += 1;
        } catch {}
    }

    function cancel(uint256 which, uint32 week, uint168 mask) external {
        (uint256 id, address holder) = _pick(which);
        if (id == 0) return;
        week = THIS_WEEK + uint32(week % WEEKS);
        uint168 bits = uint168(rights.hoursOf(id, week)) & (mask | 0xffffff);
        vm.prank(holder);
        try rights.cancel(id, week, bits) {
            seen["cancel"] += 1;
        } catch {}
    }

    function lend(uint256 which, uint256 to, uint64 until) external {
        (uint256 id,) = _pick(which);
        if (id == 0) return;
        vm.prank(rights.ownerOf(id));
        rights.setUser(id, _people[to % 3], uint64(bound(until, 0, T0 + 40 days)));
        seen["lend"] += 1;
    }

    function transfer(uint256 which, uint256 to) external {
        (uint256 id,) = _pick(which);
        if (id == 0) return;
        address from = rights.ownerOf(id);
        vm.prank(from);
        try rights.transferFrom(from, _people[to % 3], id) {
            seen["transfer"] += 1;
        } catch {}
    }

    function pass(uint256 time) external {
        _clock += bound(time, 0, 1 days);
        vm.warp(_clock);
    }

    // --- what the invariants read ---------------------------------------------------------------------------------

    function holdings(uint256 week) external view returns (uint256 overlap, uint256 held, uint256 open) {
        for (uint256 id = 1; id <= rights.rightCount(); ++id) {
            uint256 hoursHeld = rights.hoursOf(id, week);
            overlap |= held & hoursHeld;
            held |= hoursHeld;
            Right memory right = rights.rightOf(id);
            bool covers = week >= right.firstWeek && week < uint256(right.firstWeek) + right.weeksCount;
            if (covers && right.hoursPerWeek != 0) {
                open += right.hoursPerWeek - WeekClock.count(hoursHeld);
            }
        }
    }

    function calendar(uint256 week) external view returns (uint256, uint256) {
        return (occupied(week), promised(week));
    }

    function _pick(uint256 which) private view returns (uint256 id, address holder) {
        uint256 count = rights.rightCount();
        if (count == 0) return (0, address(0));
        id = 1 + (which % count);
        holder = rights.userOf(id);
        if (holder == address(0) || which % 16 == 0) holder = rights.ownerOf(id);
    }

    /// @dev Some hours in a row.
    function _narrow(uint256 dice) private pure returns (uint168) {
        return uint168(((1 << (1 + (dice >> 8) % 12)) - 1) << ((dice >> 16) % 168));
    }
}

contract HoursInvariants is HoursFixture {
    HoursHandler private _handler;

    function setUp() public {
        _handler = new HoursHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev No overlap, nothing lost, nothing sold beyond a week.
    function invariant_HoursAreHeldOnceAndConserved() public view {
        for (uint256 week = THIS_WEEK; week < THIS_WEEK + 6; ++week) {
            (uint256 overlap, uint256 held, uint256 open) = _handler.holdings(week);
            (uint256 taken, uint256 owed) = _handler.calendar(week);
            assertEq(overlap, 0, "no hour is held twice");
            assertEq(taken, held, "occupied is what rights hold");
            assertEq(owed, open, "promised is what quotas have left");
            assertTrue(WeekClock.count(taken) + owed <= 168, "no more than a week has");
        }
    }
}
