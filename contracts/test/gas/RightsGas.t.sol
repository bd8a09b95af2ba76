// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HoursFixture} from "../support/HoursFixture.sol";

/// @notice What the hours of a machine cost, base cost and calldata included. Run under the profile `gas`, where each call is one.
contract RightsGasTest is HoursFixture {
    function setUp() public {
        deployCalendar();
    }

    function test_HoursOfAMachine() public {
        uint256 second = activeMachine(registry, owner, 12);
        vm.prank(owner);
        rights.setZone(second, "Europe/Berlin");
        vm.snapshotGasLastCall("rights", "setZone");
        vm.prank(owner);
        rights.offer(machineId, address(euro), PRICE, ALL, NEXT_WEEK + 73);
        vm.snapshotGasLastCall("rights", "offer");
        enrich(anna);
        give(NEXT_WEEK, 12, 0xf, 0, anna);
        vm.snapshotGasLastCall("rights", "issue (12 weeks)");
        vm.prank(anna);
        rights.buy(machineId, NEXT_WEEK, 12, SATURDAY, address(euro), type(uint256).max, anna);
        vm.snapshotGasLastCall("rights", "buy (12 weeks)");
        vm.prank(anna);
        rights.buy(machineId, NEXT_WEEK + 20, 53, SATURDAY, address(euro), type(uint256).max, anna);
        vm.snapshotGasLastCall("rights", "buy (53 weeks, all untouched)");
        vm.prank(anna);
        uint256 id = rights.buyHours(machineId, NEXT_WEEK, 12, 10, address(euro), type(uint256).max, anna);
        vm.snapshotGasLastCall("rights", "buyHours (12 weeks)");
        vm.prank(anna);
        rights.setUser(id, bruno, uint64(FAR));
        vm.snapshotGasLastCall("rights", "setUser");
        vm.prank(bruno);
        rights.book(id, NEXT_WEEK, 0xff0);
        vm.snapshotGasLastCall("rights", "book");
        vm.prank(bruno);
        rights.cancel(id, NEXT_WEEK, 0xf0);
        vm.snapshotGasLastCall("rights", "cancel");
        vm.prank(anna);
        rights.transferFrom(anna, bruno, id);
        vm.snapshotGasLastCall("rights", "transferFrom (ends a lending)");
    }
}
