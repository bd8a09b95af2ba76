// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {UsageRights} from "../../src/cooperate/UsageRights.sol";
import {Fixture} from "./Fixture.sol";
import {Deploy} from "./Deploy.sol";

/// @notice A machine with a calendar, and people who want its hours.
abstract contract HoursFixture is Fixture {
    /// @dev Of T0, a Friday at 08:00 UTC: hour 104.
    uint32 internal constant THIS_WEEK = 2975;
    uint32 internal constant NEXT_WEEK = THIS_WEEK + 1;
    /// @dev Saturday, 8 to 12.
    uint168 internal constant SATURDAY = uint168(0xf) << (5 * 24 + 8);
    uint168 internal constant ALL = type(uint168).max;
    uint96 internal constant PRICE = 12_000_000;

    UsageRights internal rights;
    address internal owner;
    address internal anna = account("Anna");
    address internal bruno = account("Bruno");

    function deployCalendar() internal {
        deployWorld();
        owner = payee;
        rights = Deploy.usageRights(registry);
        vm.prank(owner);
        rights.setZone(machineId, "Europe/Berlin");
    }

    function give(uint32 firstWeek, uint8 weeksCount, uint168 bits, uint8 quota, address to) internal returns (uint256) {
        vm.prank(owner);
        return rights.issue(machineId, firstWeek, weeksCount, bits, quota, to);
    }

    function putOnSale() internal {
        vm.prank(owner);
        rights.offer(machineId, address(euro), PRICE, ALL, NEXT_WEEK + 60);
    }

    function enrich(address who) internal {
        euro.mint(who, 1e15);
        vm.prank(who);
        euro.approve(address(rights), type(uint256).max);
    }

    function occupied(uint256 week) internal view returns (uint256) {
        return rights.weeksOf(machineId, week, 1)[0].occupied;
    }

    function promised(uint256 week) internal view returns (uint256) {
        return rights.weeksOf(machineId, week, 1)[0].promised;
    }
}
