// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {VaultIncome} from "../../src/cooperate/VaultIncome.sol";
import {ClearingHouse} from "../../src/transact/ClearingHouse.sol";
import {Terms} from "../../src/transact/Terms.sol";
import {TestEuro} from "../../src/transact/TestEuro.sol";
import {ContractWallet} from "../support/ContractWallet.sol";
import {AnyVault} from "../support/AnyVault.sol";
import {VaultFixture} from "../support/VaultFixture.sol";

/// @notice Is called by the vault, and tries to get at its money in the middle of that.
contract Intruder {
    bool public succeeded;

    function poke(address target, bytes calldata call) external payable {
        (bool done,) = target.call(call);
        succeeded = succeeded || done;
    }

    function fail() external pure {
        revert("no");
    }
}

/// @notice What owners may do with what the vault holds, and what its operator may sign.
contract PowersTest is VaultFixture {
    function setUp() public {
        deployVaults();
        found(plainSetup());
        give(anna, 30);
    }

    function asExecuted(address target, bytes memory call) private {
        asTimelock(abi.encodeCall(AnyVault.execute, (target, 0, call)));
    }

    // --- execute ------------------------------------------------------------------------------------------------------

    function test_OwnersRunTheirMachine() public {
        asExecuted(address(registry), abi.encodeCall(registry.suspend, (machineId)));
        asExecuted(address(registry), abi.encodeCall(registry.resume, (machineId)));
        asExecuted(address(registry), abi.encodeCall(registry.transferFrom, (address(vault), anna, machineId)));
        assertEq(registry.ownerOf(machineId), anna, "sold");
        vm.prank(anna);
        registry.safeTransferFrom(anna, address(vault), machineId);
        assertEq(registry.ownerOf(machineId), address(vault), "and back: it takes machines from anybody");
    }

    function test_WhatIsExecutedFailsWithItsOwnReason() public {
        Intruder intruder = new Intruder();
        vm.expectRevert(abi.encodeWithSignature("Error(string)", "no"));
        asExecuted(address(intruder), abi.encodeCall(Intruder.fail, ()));
    }

    function test_NoCallTouchesMoneyThatIsSomebodys() public {
        earn(1000);
        vm.expectRevert(abi.encodeWithSelector(AnyVault.TargetRefused.selector, address(euro)));
        asExecuted(address(euro), abi.encodeCall(euro.transfer, (anna, 1)));
        vm.expectRevert(abi.encodeWithSelector(AnyVault.TargetRefused.selector, address(euro)));
        asExecuted(address(euro), abi.encodeCall(euro.approve, (anna, 1)));
        vm.expectRevert(abi.encodeWithSelector(AnyVault.TargetRefused.selector, address(vault)));
        asExecuted(address(vault), abi.encodeCall(vault.transfer, (anna, 1)));
        vm.expectRevert(abi.encodeWithSelector(AnyVault.TargetRefused.selector, address(house)));
        asExecuted(address(house), abi.encodeCall(ClearingHouse.withdraw, (address(euro), 0, anna)));
        asExecuted(address(house), abi.encodeCall(house.setApprovalForAll, (anna, true)));
        assertEq(euro.balanceOf(address(vault)), 1000, "all there");
    }

    /// @dev The asset's own signed transfers ask the vault by ERC-1271, which answers for terms only.
    function test_NoSignatureMovesMoney() public {
        earn(1000);
        bytes32 digest = permitDigest(address(euro), address(vault), operator, 1000, 0);
        bytes memory signature = signAccount(OPERATOR_SECRET, digest);
        Terms memory t = siloTerms("a");
        t.payee = address(vault);
        assertTrue(
            vault.isValidSignature(digest, abi.encode(t, signature)) != IERC1271.isValidSignature.selector,
            "not the id of terms"
        );
        vm.expectRevert(); // malformed: whoever asks takes a revert for a no
        vault.isValidSignature(digest, signature);
    }

    function test_WhoIsCalledCannotCallBack() public {
        Intruder intruder = new Intruder();
        vm.prank(founder);
        vault.transfer(address(intruder), 20);
        earn(1000);
        nextBlock();
        bytes[5] memory calls = [
            abi.encodeCall(VaultIncome.claim, (address(intruder))),
            abi.encodeCall(VaultIncome.distribute, ()),
            abi.encodeCall(AnyVault.spend, (address(intruder), 0, "")),
            abi.encodeCall(VaultIncome.payCredit, (address(intruder))),
            abi.encodeCall(AnyVault.setOperator, (address(intruder)))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            asExecuted(address(intruder), abi.encodeCall(Intruder.poke, (address(vault), calls[i])));
        }
        assertTrue(!intruder.succeeded(), "refused");
    }

    function test_CoinIsNoIncomeAndOwnersMaySendIt() public {
        Intruder intruder = new Intruder();
        (bool done,) = address(vault).call{value: 5}("");
        assertTrue(done, "taken");
        bytes memory nothing = abi.encodeCall(Intruder.poke, (address(euro), ""));
        asTimelock(abi.encodeCall(AnyVault.execute, (address(intruder), 5, nothing)));
        assertEq(address(intruder).balance, 5, "sent");
    }

    function test_SpendingHasOnlyTheReserve() public {
        asTimelock(abi.encodeCall(AnyVault.setWaterfall, (waterfallOf(400, address(0), 0, noFees()))));
        earn(1000);
        vm.expectRevert(abi.encodeWithSelector(AnyVault.ReserveTooSmall.selector, 400, 401));
        asTimelock(abi.encodeCall(AnyVault.spend, (anna, 401, "")));
        vm.expectEmit(true, true, true, true, address(vault));
        emit AnyVault.Spent(anna, 400, "an engine");
        asTimelock(abi.encodeCall(AnyVault.spend, (anna, 400, "an engine")));
        nextBlock();
        assertEq(vault.claim(founder), 420, "owners' money is not touched");
    }

    // --- what the operator signs --------------------------------------------------------------------------------------

    function isSigned(Terms memory t, bytes32 id, bytes memory signature) private view returns (bool) {
        return vault.isValidSignature(id, abi.encode(t, signature)) == IERC1271.isValidSignature.selector;
    }

    function test_TheOperatorSignsTermsThatPayTheVaultAndNothingElse() public {
        Terms memory t = siloTerms("a");
        t.payee = address(vault);
        bytes32 id = house.hashTerms(t);
        bytes memory signature = signAccount(OPERATOR_SECRET, id);
        assertTrue(isSigned(t, id, signature), "signed");
        assertTrue(!isSigned(t, keccak256("another"), signature), "another hash");
        assertTrue(!isSigned(t, id, signAccount(PAYER_SECRET, id)), "another signer");
        Terms[3] memory others = [siloTerms("a"), siloTerms("a"), siloTerms("a")]; // pays the founder
        others[1].payee = address(vault);
        others[1].payer = address(vault);
        others[2].payee = address(vault);
        others[2].asset = address(new TestEuro());
        for (uint256 i = 0; i < others.length; ++i) {
            id = house.hashTerms(others[i]);
            assertTrue(!isSigned(others[i], id, signAccount(OPERATOR_SECRET, id)), vm.toString(i));
        }
    }

    function test_AnOperatorWhoIsAContractSignsToo() public {
        ContractWallet wallet = new ContractWallet(payer);
        asTimelock(abi.encodeCall(AnyVault.setOperator, (address(wallet))));
        Terms memory t = siloTerms("a");
        t.payee = address(vault);
        bytes32 id = house.hashTerms(t);
        assertTrue(isSigned(t, id, signAccount(PAYER_SECRET, id)), "by ERC-1271 in its turn");
        assertTrue(!isSigned(t, id, signAccount(OPERATOR_SECRET, id)), "the former operator");
    }

    function test_WithoutAnOperatorNobodySigns() public {
        asTimelock(abi.encodeCall(AnyVault.setOperator, (address(0))));
        Terms memory t = siloTerms("a");
        t.payee = address(vault);
        bytes32 id = house.hashTerms(t);
        assertTrue(!isSigned(t, id, new bytes(65)), "no signature recovers to nobody");
    }

    function test_AVaultWhoseSaleFailedSignsNothing() public {
        machineId = activeMachine(registry, founder, 12);
        found(saleSetup());
        Terms memory t = siloTerms("a");
        t.payee = address(vault);
        bytes32 id = house.hashTerms(t);
        assertTrue(isSigned(t, id, signAccount(OPERATOR_SECRET, id)), "while shares are sold it may");
        pass(7 * DAY + 1);
        vault.closeSale();
        assertTrue(!isSigned(t, id, signAccount(OPERATOR_SECRET, id)), "failed");
    }
}
