// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VaultSetup} from "../../src/cooperate/VaultSetup.sol";
import {Terms} from "../../src/transact/Terms.sol";
import {AnyVault} from "../support/AnyVault.sol";
import {VaultFixture} from "../support/VaultFixture.sol";

/// @notice What each public action of a vault costs, base cost and calldata included. Run under the profile `gas`, where each call is a
/// transaction.
contract VaultGasTest is VaultFixture {
    uint128 private constant PRICE = 1000;

    function setUp() public {
        deployVaults();
    }

    function keep(string memory name) private {
        vm.snapshotGasLastCall("gas", string.concat("vault: ", name));
    }

    function test_FromSaleToRefund() public {
        vm.prank(founder);
        registry.setApprovalForAll(address(factory), true);
        VaultSetup memory setup = saleSetup();
        vm.prank(founder);
        (address made,,) = factory.create(setup, governanceSetup());
        keep("create (one machine, with a sale)");
        vault = AnyVault(payable(made));
        provide(anna, 100_000);
        provide(ben, 100_000);
        vm.prank(anna);
        vault.buyShares(10, anna);
        keep("buyShares (first)");
        vm.prank(ben);
        vault.buyShares(10, ben);
        keep("buyShares");
        pass(7 * DAY + 1);
        vault.closeSale();
        keep("closeSale (failed, one machine)");
        vault.refundShares(anna);
        keep("refundShares");
    }

    function test_IncomeAndShares() public {
        VaultSetup memory setup = plainSetup();
        setup.waterfall = waterfallOf(2000, carla, 1000, fees(account("keeper"), 500, account("helper"), 500));
        found(setup);
        give(anna, 30);
        keep("transfer (to a new owner)");
        give(ben, 20);
        Terms memory t = siloTerms("a");
        t.payee = address(vault);
        bytes32 id = house.hashTerms(t);
        bytes memory auth = abi.encode(t, signAccount(OPERATOR_SECRET, id));
        bytes memory payerAuth = signAccount(PAYER_SECRET, id);
        house.open(t, payerAuth, auth);
        keep("open an agreement as its operator");
        fundEuro(id, 2_000_000);
        vm.warp(start + 5000);
        settleSigned(valueOf(id, 0, start + 4000, 100_000));
        vault.collect(oneId(id));
        keep("collect (first, reserve, lender and two fees)");
        nextBlock();
        vm.warp(start + 6000);
        settleSigned(valueOf(id, 0, start + 5500, 200_000));
        vault.collect(oneId(id));
        keep("collect (later, two fees)");
        donate(1000);
        vault.distribute();
        keep("distribute (second of a block)");
        nextBlock();
        vm.prank(anna);
        vault.transfer(ben, 5);
        keep("transfer (first after income, between owners)");
        vm.prank(anna);
        vault.transfer(ben, 5);
        keep("transfer (between owners)");
        vault.claim(anna);
        keep("claim (first)");
        earn(1000);
        nextBlock();
        earn(1000);
        nextBlock();
        vault.claim(anna);
        keep("claim");
        vm.prank(ben);
        vault.claimTo(carla);
        keep("claimTo (first)");
        vault.payCredit(carla);
        keep("payCredit");
        vm.prank(anna);
        vault.delegate(ben);
        keep("delegate");
    }

    function test_WhatOwnersVoted() public {
        VaultSetup memory setup = plainSetup();
        setup.waterfall.reserveTarget = 1000;
        found(setup);
        earn(1000);
        vm.prank(timelock);
        vault.spend(anna, 400, "a new propeller");
        keep("spend");
        vm.prank(timelock);
        vault.execute(address(registry), 0, abi.encodeCall(registry.suspend, (machineId)));
        keep("execute (suspend its machine)");
        vm.prank(timelock);
        vault.setWaterfall(waterfallOf(2000, carla, 1000, fees(anna, 500, ben, 500)));
        keep("setWaterfall (two fees)");
        vm.prank(timelock);
        vault.setOperator(anna);
        keep("setOperator");
        vm.prank(timelock);
        vault.setCompliance(anna);
        keep("setCompliance");
        vm.prank(timelock);
        vault.setBuyoutRules(buyoutSetup().buyout);
        keep("setBuyoutRules");
    }

    function test_Buyout() public {
        found(buyoutSetup());
        give(anna, 60);
        give(ben, 40);
        provide(anna, 80 * PRICE);
        vm.prank(anna);
        vault.offerBuyout(PRICE);
        keep("offerBuyout");
        vm.prank(ben);
        vault.refuseBuyout(1);
        keep("refuseBuyout");
        vm.prank(ben);
        vault.refuseBuyout(20);
        keep("refuseBuyout (ends it)");
        vm.prank(anna);
        vault.offerBuyout(PRICE);
        pass(DAY + 1);
        vault.completeBuyout();
        keep("completeBuyout");
        vault.redeem(ben);
        keep("redeem");
    }

    function test_AProposal() public {
        found(plainSetup());
        give(anna, 30);
        nextBlock();
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            (new address[](1), new uint256[](1), new bytes[](1));
        (targets[0], calls[0]) = (address(vault), abi.encodeCall(AnyVault.setOperator, (anna)));
        vm.prank(anna);
        uint256 proposal = governor.propose(targets, values, calls, "because");
        keep("propose");
        pass(VOTING_DELAY + 1);
        vm.prank(anna);
        governor.castVote(proposal, 1);
        keep("castVote");
        pass(VOTING_PERIOD);
        governor.queue(targets, values, calls, keccak256("because"));
        keep("queue");
        pass(TIMELOCK);
        governor.execute(targets, values, calls, keccak256("because"));
        keep("execute a proposal");
    }
}
