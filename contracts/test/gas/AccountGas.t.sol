// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Terms} from "../../src/transact/Terms.sol";
import {PartyFixture} from "../support/PartyFixture.sol";

/// @notice What the actions of a machine's account cost, base cost and calldata included. Run under the profile `gas`.
contract AccountGasTest is PartyFixture {
    function setUp() public {
        deployParties();
    }

    function test_ATruckPaysACharger() public {
        Terms memory t = chargingTerms("a");
        bytes32 id = house.hashTerms(t);
        bytes memory payeeAuth = acceptance(t);
        bytes memory signature = signOpening(id, 20e6);
        purse.openAgreement(t, payeeAuth, 20e6, FAR, signature);
        vm.snapshotGasLastCall("account", "openAgreement (one meter, the payee's account signs)");
        signature = signTopUp(id, 5e6, "a");
        purse.fundAgreement(id, 5e6, "a", FAR, signature);
        vm.snapshotGasLastCall("account", "fundAgreement");
        settleCharged(id, 12e6);
        house.credit(ids(id));
        till.reclaim(address(euro));
        vm.snapshotGasLastCall("account", "reclaim (first)");
    }

    function test_WhatTheAccountDoesBesides() public {
        vm.prank(owner);
        purse.setPolicy(address(euro), chargingPolicy());
        vm.snapshotGasLastCall("account", "setPolicy (one counterparty, again)");
        vm.prank(owner);
        purse.setPaused(true);
        vm.snapshotGasLastCall("account", "setPaused");
        vm.prank(owner);
        purse.setPaused(false);
        vm.prank(owner);
        purse.setSelling(address(euro), SELLS_UNTIL);
        vm.snapshotGasLastCall("account", "setSelling");
        vm.prank(owner);
        purse.setPolicy(address(euro), usualPolicy());
        paySigned(paymentOf(1e6, "a"));
        vm.snapshotGasLastCall("account", "pay");
        bookSigned(authorizationOf(1e6, "a"), TODAY);
        vm.snapshotGasLastCall("account", "book");
        purse.publishKey();
        vm.snapshotGasLastCall("account", "publishKey");
        vm.prank(owner);
        purse.execute(address(euro), 0, abi.encodeCall(euro.transfer, (stranger, 5e6)), 0);
        vm.snapshotGasLastCall("account", "execute (a transfer)");
    }
}
